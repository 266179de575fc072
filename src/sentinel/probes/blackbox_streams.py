"""The younger sections of a blackbox_exporter file: grpc, unix and websocket."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from sentinel.config.fields import Flag, OneOrMany, Regex, Secret, wrong
from sentinel.probes.blackbox_modules import (
    Authorization,
    BasicAuth,
    QueryResponse,
    Reach,
    Section,
    TlsConfig,
    secret_of,
)

GRPC_PORTS = {False: 80, True: 443}


class GrpcSection(Reach):
    """``grpc``."""

    service: str = ""
    tls: Flag = False
    tls_config: TlsConfig = TlsConfig()
    metadata: dict[str, OneOrMany[Secret]] = Field({})

    def options(self, target: str, _hostname: str) -> dict[str, Any]:
        """Return the options of our grpc probe; several values of a name are one with commas, as gRPC has it."""
        place = urlsplit(target if target.startswith(("http://", "https://")) else f"http://{target}").netloc
        port = place.rpartition(":")[2]
        if not port.isdigit() or place.endswith("]"):
            place = f"{place}:{GRPC_PORTS[self.tls]}"
        return {
            **self.family(),
            "target": place,
            "service": self.service,
            "tls": self.tls_config.options() if self.tls else None,
            "metadata": {
                name: Secret(",".join(value.reveal() for value in values)) for name, values in self.metadata.items()
            },
        }


class UnixSection(Section):
    """``unix``."""

    tls: Flag = False
    tls_config: TlsConfig = TlsConfig()
    query_response: OneOrMany[QueryResponse] = ()

    def options(self, target: str, _hostname: str) -> dict[str, Any]:
        """Return the options of our unix probe."""
        secure = self.tls or any(step.starttls for step in self.query_response)
        return {
            "target": target,
            "tls": self.tls_config.options() if secure else None,
            "steps": [step.step() for step in self.query_response],
        }


class HeaderValues(Section):
    """The values of one header: in place, secret, or in files."""

    values: OneOrMany[str] = ()
    secrets: OneOrMany[Secret] = ()
    files: OneOrMany[Path] = ()

    def joined(self) -> Secret:
        """Return them as one value."""
        read = (secret_of(None, file, "files") for file in self.files)
        found = [*self.values, *(secret.reveal() for secret in (*self.secrets, *read) if secret is not None)]
        return Secret(", ".join(found))


class HttpConfig(Section):
    """``http_config``."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls_config: TlsConfig = TlsConfig()

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.basic_auth is not None and self.authorization is not None:
            raise wrong("`basic_auth` and `authorization` exclude each other")
        return self


class Exchange(Section):
    """One step: a message that must match, then one to send."""

    expect: Regex | None = None
    send: str = ""


class WebsocketSection(Reach):
    """``websocket``."""

    http_config: HttpConfig = HttpConfig()
    headers: dict[str, HeaderValues] = Field({})
    query_response: OneOrMany[Exchange] = ()

    def options(self, target: str, _hostname: str) -> dict[str, Any]:
        """Return the options of our websocket probe, which sends no ping of its own accord here."""
        config = self.http_config
        headers = {name: values.joined() for name, values in self.headers.items()}
        if config.authorization is not None:
            headers.setdefault("Authorization", config.authorization.header())
        return {
            **self.family(),
            "url": target,
            "headers": headers,
            "basic_auth": config.basic_auth.options() if config.basic_auth else None,
            "tls": config.tls_config.options(),
            "steps": [
                {key: value for key, value in (("expect", step.expect), ("send", step.send)) if value}
                for step in self.query_response
            ],
            "ping": False,
        }
