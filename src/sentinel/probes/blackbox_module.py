"""One module of a blackbox_exporter file: which prober, how long at most, and the sections."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import model_validator

from sentinel.config.fields import Duration, wrong
from sentinel.probes.blackbox_modules import DnsSection, HttpSection, IcmpSection, Section, TcpSection
from sentinel.probes.blackbox_streams import GrpcSection, UnixSection, WebsocketSection

ProberSection: TypeAlias = (
    HttpSection | TcpSection | IcmpSection | DnsSection | GrpcSection | UnixSection | WebsocketSection
)


class ModuleSection(Section):
    """One module; of the sections only the prober's counts."""

    prober: Literal["http", "tcp", "icmp", "dns", "grpc", "unix", "websocket"]
    timeout: Duration | None = None
    http: HttpSection = HttpSection()
    tcp: TcpSection = TcpSection()
    icmp: IcmpSection = IcmpSection()
    dns: DnsSection | None = None
    grpc: GrpcSection = GrpcSection()
    unix: UnixSection = UnixSection()
    websocket: WebsocketSection = WebsocketSection()

    @model_validator(mode="after")
    def _has_section(self) -> Self:
        if self.prober == "dns" and self.dns is None:
            raise wrong("the section `dns` is missing", "write `dns: {query_name: …}`")
        return self

    @property
    def section(self) -> ProberSection:
        """The section of the prober."""
        found: ProberSection = getattr(self, self.prober)
        return found
