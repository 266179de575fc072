"""Addresses as people write them: hosts and ports, web and mail addresses, mobile numbers, networks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from sentinel.config.words import ReadsText, SecretText, quoted, read_text, scalar, wrong

_HOST = re.compile(r"(?!-)[\w.-]{1,253}", re.UNICODE)
_MAIL = re.compile(r"[^\s@<>(),;:\"\\\x00-\x1f]{1,64}@[^\s@<>(),;:\"\\\x00-\x1f]{1,253}")
_MAILBOX = re.compile(r'\s*"?([^"<>\r\n]*?)"?\s*<([^<>]*)>\s*')
PORT_MAX: Final = 65535


def _is_host(text: str) -> bool:
    return bool(_HOST.fullmatch(text)) and ".." not in text


@dataclass(frozen=True)
class HostPort(ReadsText):
    """``host:port``, or ``[v6]:port``. ``str()`` gives it back."""

    host: str
    port: int

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "description": "host:port",
        "examples": ["web1.example.org:443"],
    }

    @classmethod
    def read(cls, value: object) -> HostPort:
        """Read the two, both needed."""
        text = read_text(value, "an address", "write it as `host:port`")
        host, colon, port = text.rpartition(":")
        if not colon or (":" in host and not host.startswith("[")):
            raise wrong(f"{quoted(value)} has no port", "write it as `host:port` or `[v6]:port`")
        if not (port.isascii() and port.isdigit() and len(port) <= len(str(PORT_MAX)) and 0 < int(port) <= PORT_MAX):
            raise wrong(f"{quoted(value)} has no port from 1 to 65535", "write it as `host:port`")
        return cls(_host_of(host, value), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _host_of(host: str, value: object) -> str:
    if host.startswith("[") and host.endswith("]"):
        address, percent, scope = host[1:-1].partition("%")
        try:
            return str(ip_address(address)) + percent + scope
        except ValueError:
            raise wrong(f"{quoted(value)} holds no IPv6 address") from None
    if not _is_host(host):
        raise wrong(f"{quoted(value)} has no host name", "write it as `host:port`")
    return host


def read_host(value: object) -> str:
    """Read a host name or a literal address, without a port."""
    text = read_text(value, "a host name")
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        if not _is_host(text):
            raise wrong(f"{quoted(value)} is not a host name") from None
    return text


def read_url(value: object) -> str:
    """Read an ``http`` or ``https`` address, without a user name or password."""
    text = read_text(value, "an address", "write it as `https://host/path`")
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise wrong(f"{quoted(value)} holds a blank or control character")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise wrong(
            f"{quoted(value)} is not an address: {error}"
            if not isinstance(value, SecretText)
            else "'****' is not an address"
        ) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise wrong(f"{quoted(value)} is not a web address", "write it as `https://host/path`")
    if "@" in parts.netloc:
        # Addresses are shown in metrics, pages and messages; what stands in them is no secret.
        raise wrong(
            "a web address must not hold a user name or password",
            "send an `Authorization` header from a `${cred:NAME}`",
        )
    return text


def read_mail_address(value: object) -> str:
    """Read ``name@host``."""
    text = read_text(value, "a mail address", "write it as `name@example.org`")
    if not _MAIL.fullmatch(text) or not _is_host(text.rpartition("@")[2]):
        raise wrong(f"{quoted(value)} is not a mail address", "write it as `name@example.org`")
    return text


def read_mobile(value: object) -> str:
    """Read an E.164 number; blanks, dots and hyphens are dropped."""
    text = re.sub(r"[ .\u00a0-]", "", read_text(value, "an international number", "write + then the country code"))
    if re.fullmatch(r"\+[1-9]\d{6,14}", text, re.ASCII):
        return text
    how = (
        "write +33 then the number without its 0"
        if re.fullmatch(r"0\d{9}", text, re.ASCII)
        else "write + then the country code"
    )
    raise wrong(f"{quoted(value)} is not an international number", how)


def read_network(value: object) -> IPv4Network | IPv6Network:
    """Read ``10.0.0.0/8``, or a single address."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    text = read_text(value, "a network", "write it as `10.0.0.0/8`")
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = str(ip_network(text, strict=False))
    except ValueError:
        raise wrong(f"{quoted(value)} is not a network", "write it as `10.0.0.0/8`") from None
    raise wrong(
        f"{quoted(value)} is a host inside a network", f"write `{meant}`" if not isinstance(value, SecretText) else ""
    )


Host = Annotated[str, BeforeValidator(read_host), scalar("a host name or address")]
Url = Annotated[str, BeforeValidator(read_url), scalar("a web address", r"^https?://", "https://www.example.org/")]
MailAddress = Annotated[str, BeforeValidator(read_mail_address), scalar("a mail address", "@", "name@example.org")]
Mobile = Annotated[str, BeforeValidator(read_mobile), scalar("an E.164 number", r"^\+[0-9 .-]+$", "+33639980001")]
CidrNetwork = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(read_network),
    scalar("a network", r"^[0-9a-fA-F.:]+(/[0-9]+)?$", "10.0.0.0/8"),
]


@dataclass(frozen=True)
class Mailbox(ReadsText):
    """``Name <name@example.org>``, or the address alone."""

    name: str
    address: str

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "examples": ["Sentinel <sentinel@example.org>"]}

    @classmethod
    def read(cls, value: object) -> Mailbox:
        """Read a name and an address; the name may be missing."""
        text = read_text(value, "a mail address", "write it as `Name <name@example.org>`")
        found = _MAILBOX.fullmatch(text)
        if not found:
            return cls("", read_mail_address(value))
        if not _MAIL.fullmatch(found[2]):
            raise wrong(f"{quoted(value)} is not a mail address", "write it as `Name <name@example.org>`")
        return cls(found[1].strip(), found[2])
