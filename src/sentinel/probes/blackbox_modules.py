"""The sections of a blackbox_exporter file, used as it is: what each may hold, and our options for it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Flag, OneOrMany, Positive, Regex, Secret, quoted, wrong
from sentinel.probes.expect import HeaderRule, HttpExpect, Status
from sentinel.probes.net import IPAddress

# blackbox_exporter reads any size unless told; here a page that has no end must end.
BODY_DEFAULT_BYTES = 10 << 20
BASE2 = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
VERSIONS = {"TLS10": "TLSv1.0", "TLS11": "TLSv1.1", "TLS12": "TLSv1.2", "TLS13": "TLSv1.3"}
HTTP_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2": "2", "HTTP/2.0": "2", "HTTP/3.0": "3"}


def _read_base2(value: object) -> int:
    """Read ``10MB``, which in these files counts in powers of two."""
    text = str(value).strip()
    unit = text.lstrip("0123456789")
    digits = text.removesuffix(unit)
    if text == "0":
        return 0
    if not digits or unit not in BASE2:
        raise wrong(f"{quoted(value)} is not a size", "write it as `10MB`")
    return int(digits[:12]) * BASE2[unit]


Base2 = Annotated[int, BeforeValidator(_read_base2)]
Header = dict[str, Secret]


class Section(BaseModel):
    """The base of all sections."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value

    @cached_property
    def reads_files(self) -> bool:
        """Tell whether a secret stands in a file, which is read anew each time; those of TLS are named, not read."""
        return any(
            value.reads_files if isinstance(value, Section) else value is not None and name in SECRET_FILES
            for name, value in self
        )


SECRET_FILES = frozenset({"username_file", "password_file", "credentials_file"})
# What blackbox_exporter has and Sentinel does not carry out: refused where it stands, never passed over.
LATER = frozenset(
    {
        "body_file", "http_headers", "fail_if_body_json_matches_cel", "fail_if_body_json_not_matches_cel",
        "enable_http3", "oauth2", "no_proxy", "proxy_from_environment", "proxy_connect_header",
        "fail_if_all_match_regexp",
    }
)  # fmt: skip


class Reach(Section):
    """How a target's name becomes an address."""

    preferred_ip_protocol: Literal["ip4", "ip6"] = "ip6"
    ip_protocol_fallback: Flag = True

    def family(self) -> dict[str, Any]:
        """Return the options of that."""
        return {"ip_protocol": self.preferred_ip_protocol, "ip_protocol_fallback": self.ip_protocol_fallback}


class TlsConfig(Section):
    """``tls_config``."""

    insecure_skip_verify: Flag = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    min_version: Literal["TLS10", "TLS11", "TLS12", "TLS13"] | None = None
    max_version: Literal["TLS10", "TLS11", "TLS12", "TLS13"] | None = None

    def options(self, server_name: str = "") -> dict[str, Any]:
        """Return our TLS options; ``server_name`` is for when the section has none."""
        return {
            "verify": not self.insecure_skip_verify,
            "ca_file": self.ca_file,
            "cert_file": self.cert_file,
            "key_file": self.key_file,
            "server_name": self.server_name or server_name or None,
            "min_version": VERSIONS[self.min_version] if self.min_version else None,
            "max_version": VERSIONS[self.max_version] if self.max_version else None,
        }


def secret_of(value: Secret | None, file: Path | None, what: str) -> Secret | None:
    """Return a secret that is given in place or in a file.

    Raises:
        PydanticCustomError: both are given, or the file cannot be read.
    """
    if file is None:
        return value
    if value is not None:
        raise wrong(f"`{what}` and `{what}_file` exclude each other")
    try:
        return Secret(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeError) as error:
        raise wrong(f"cannot read {file}: {getattr(error, 'strerror', None) or type(error).__name__}") from None


class BasicAuth(Section):
    """``basic_auth``."""

    username: str = ""
    username_file: Path | None = None
    password: Secret | None = None
    password_file: Path | None = None

    def options(self) -> dict[str, Any]:
        """Return our option of that name."""
        user = secret_of(Secret(self.username) if self.username else None, self.username_file, "username")
        password = secret_of(self.password, self.password_file, "password")
        return {"username": user.reveal() if user else "", "password": password or Secret("")}


class Authorization(Section):
    """``authorization``."""

    type: str = "Bearer"
    credentials: Secret | None = None
    credentials_file: Path | None = None

    def header(self) -> Secret:
        """Return the value of the header."""
        credentials = secret_of(self.credentials, self.credentials_file, "credentials")
        return Secret(f"{self.type} {credentials.reveal() if credentials else ''}")


class HeaderMatch(Section):
    """One of ``fail_if_header_matches`` or ``fail_if_header_not_matches``."""

    header: str
    regexp: Regex
    allow_missing: Flag = False

    def rule(self, *, unwanted: bool) -> HeaderRule:
        """Return it as one of our rules."""
        return HeaderRule(self.header, self.regexp, unwanted, self.allow_missing)


class ModuleExpect(HttpExpect):
    """What a module expects: its header rules can say more than ours are asked to."""

    headers: tuple[HeaderRule, ...] = ()

    def header_rules(self) -> tuple[HeaderRule, ...]:
        """What must be so of each header."""
        return self.headers


class HttpSection(Reach):
    """``http``."""

    valid_status_codes: OneOrMany[Status] = ()
    valid_http_versions: OneOrMany[Literal["HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3.0"]] = ()
    method: str = "GET"
    headers: Header = Field({})
    body: Secret | None = None
    body_size_limit: Base2 = 0
    compression: Literal["", "gzip", "br", "deflate", "identity"] = ""
    follow_redirects: Flag = True
    no_follow_redirects: Flag = False
    fail_if_ssl: Flag = False
    fail_if_not_ssl: Flag = False
    fail_if_body_matches_regexp: OneOrMany[Regex] = ()
    fail_if_body_not_matches_regexp: OneOrMany[Regex] = ()
    fail_if_header_matches: OneOrMany[HeaderMatch] = ()
    fail_if_header_not_matches: OneOrMany[HeaderMatch] = ()
    skip_resolve_phase_with_proxy: Flag = False
    enable_http2: Flag = True
    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    proxy_url: str | None = None
    tls_config: TlsConfig = TlsConfig()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.fail_if_ssl and self.fail_if_not_ssl:
            raise wrong("`fail_if_ssl` and `fail_if_not_ssl` leave nothing that could succeed")
        accepted = next((v.reveal() for n, v in self.headers.items() if n.lower() == "accept-encoding"), "")
        if self.compression and accepted and self.compression not in accepted and "*" not in accepted:
            raise wrong("`compression` does not agree with the header Accept-Encoding")
        return self

    def host(self) -> str:
        """Return the Host header, when the module sets one."""
        return next((value.reveal() for name, value in self.headers.items() if name.lower() == "host"), "")

    def options(self, target: str, hostname: str) -> dict[str, Any]:
        """Return the options of our http probe."""
        host = hostname or self.host()
        # The host of `host:8443` alone is a name that TLS can ask for.
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and host.count(":") == 1 else host
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        headers |= {"Host": Secret(host)} if host else {}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization.header()
        return {
            **self.family(),
            "url": target if "://" in target else f"http://{target}",
            "method": self.method or "GET",
            "headers": headers,
            "body": self.body,
            "basic_auth": self.basic_auth.options() if self.basic_auth else None,
            "follow_redirects": self.follow_redirects and not self.no_follow_redirects,
            "allow_downgrade": True,
            "http2": self.enable_http2,
            "proxy_url": self.proxy_url,
            "skip_resolve_phase_with_proxy": self.skip_resolve_phase_with_proxy,
            "compression": self.compression,
            "body_limit": self.body_size_limit or BODY_DEFAULT_BYTES,
            "tls": self.tls_config.options(name),
            "expect": self.expect(),
        }

    def expect(self) -> ModuleExpect:
        """Return what the section expects of an answer."""
        unwanted = tuple(match.rule(unwanted=True) for match in self.fail_if_header_matches)
        wanted = tuple(match.rule(unwanted=False) for match in self.fail_if_header_not_matches)
        return ModuleExpect.model_validate(
            {
                "status": self.valid_status_codes or (Status("2xx"),),
                "http_version": tuple(HTTP_VERSIONS[version] for version in self.valid_http_versions),
                "body_not_matches": self.fail_if_body_matches_regexp,
                "body_matches": self.fail_if_body_not_matches_regexp,
                "headers": unwanted + wanted,
                "tls": False if self.fail_if_ssl else True if self.fail_if_not_ssl else None,
            }
        )


class QueryLabel(Section):
    """A label of ``probe_expect_info``."""

    name: str
    value: str


class QueryResponse(Section):
    """One step of a conversation."""

    expect: str = ""
    expect_bytes: str = ""
    labels: OneOrMany[QueryLabel] = ()
    send: str = ""
    starttls: Flag = False

    def step(self) -> dict[str, Any]:
        """Return it as a step of our tcp probe, without what is not said."""
        labels = [label.model_dump() for label in self.labels]
        step = {"expect": self.expect, "expect_bytes": self.expect_bytes, "labels": labels, "send": self.send}
        return {key: value for key, value in step.items() if value} | {"starttls": self.starttls}


class TcpSection(Reach):
    """``tcp``."""

    source_ip_address: IPAddress | None = None
    tls: Flag = False
    tls_config: TlsConfig = TlsConfig()
    query_response: OneOrMany[QueryResponse] = ()

    def options(self, target: str, hostname: str) -> dict[str, Any]:
        """Return the options of our tcp probe."""
        secure = self.tls or any(step.starttls for step in self.query_response)
        return {
            **self.family(),
            "target": target,
            "source_ip_address": self.source_ip_address,
            "tls": self.tls_config.options(hostname) if secure else None,
            "steps": [step.step() for step in self.query_response],
        }


class IcmpSection(Reach):
    """``icmp``."""

    source_ip_address: IPAddress | None = None
    payload_size: Count = 0
    dont_fragment: Flag = False
    ttl: Annotated[Positive, Field(le=255)] | None = None

    def options(self, target: str, _hostname: str) -> dict[str, Any]:
        """Return the options of our icmp probe: one packet, waited for as long as the time limit lets."""
        options = {
            **self.family(),
            "target": target,
            "count": 1,
            "wait": "1h",
            "dont_fragment": self.dont_fragment,
            "source_ip_address": self.source_ip_address,
            "ttl": self.ttl,
        }
        return options | ({"size": self.payload_size} if self.payload_size else {})


class RrRules(Section):
    """``validate_answer_rrs`` and its like."""

    fail_if_matches_regexp: OneOrMany[Regex] = ()
    fail_if_not_matches_regexp: OneOrMany[Regex] = ()
    fail_if_none_matches_regexp: OneOrMany[Regex] = ()

    def rules(self) -> dict[str, Any]:
        """Return them as ours; one match of any pattern is enough for the last."""
        any_of = "|".join(f"(?:{pattern})" for pattern in self.fail_if_none_matches_regexp)
        return {
            "not_matches": self.fail_if_matches_regexp,
            "matches": self.fail_if_not_matches_regexp,
            "contains": [any_of] if any_of else [],
        }


class DnsSection(Reach):
    """``dns``."""

    query_name: str = Field(min_length=1)
    query_type: str = "ANY"
    query_class: str = "IN"
    recursion_desired: Flag = True
    transport_protocol: Literal["udp", "tcp"] = "udp"
    dns_over_tls: Flag = False
    tls_config: TlsConfig = TlsConfig()
    source_ip_address: IPAddress | None = None
    valid_rcodes: OneOrMany[str] = ()
    validate_answer_rrs: RrRules = RrRules()
    validate_authority_rrs: RrRules = RrRules()
    validate_additional_rrs: RrRules = RrRules()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.dns_over_tls and self.transport_protocol != "tcp":
            raise wrong("`dns_over_tls` needs `transport_protocol: tcp`")
        return self

    def options(self, target: str, _hostname: str) -> dict[str, Any]:
        """Return the options of our dns probe."""
        return {
            **self.family(),
            "server": target,
            "query": self.query_name,
            "record": self.query_type,
            "class": self.query_class,
            "transport": "tls" if self.dns_over_tls else self.transport_protocol,
            "recursion": self.recursion_desired,
            "tls": self.tls_config.options() if self.dns_over_tls else None,
            "source_ip_address": self.source_ip_address,
            "expect": {
                "rcode": self.valid_rcodes or ("NOERROR",),
                **self.validate_answer_rrs.rules(),
                "authority": self.validate_authority_rrs.rules(),
                "additional": self.validate_additional_rrs.rules(),
            },
        }
