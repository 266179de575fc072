"""The tls probe: is the certificate trusted, for this name, and for long enough; which versions are spoken."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, Flag, Host, HostPort, OneOrMany, wrong
from sentinel.probes import handshake, starttls, tlsinfo
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.net import IPAddress, literal, open_socket
from sentinel.probes.starttls import Protocol
from sentinel.probes.targets import PortOptions
from sentinel.probes.tlscontext import TlsOptions, Version, lenient_context
from sentinel.probes.wire import Wire

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

NAMES_MAX = 100
NAMES_SHOWN = 3


class Expect(BaseModel):
    """What must be so of the certificate and of the versions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cert_days: Count | None = None
    min_version: Version | None = None
    max_version: Version | None = None
    accepts: OneOrMany[Version] = ()
    refuses: OneOrMany[Version] = ()
    names: Annotated[OneOrMany[Host], Field(max_length=NAMES_MAX)] = ()
    not_self_signed: Flag = False
    max_duration: Duration | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Expect:
        if both := set(self.accepts) & set(self.refuses):
            raise wrong(f"{min(both)} is both in `accepts` and in `refuses`")
        if self.min_version and self.max_version and self.min_version > self.max_version:
            raise wrong("`min_version` is above `max_version`")
        return self


class TlsProbeOptions(PortOptions):
    """The options of the tls probe."""

    starttls: Protocol | None = None
    source_ip_address: IPAddress | None = None
    verify: Flag = True
    server_name: Host | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _has_certificate(self) -> TlsProbeOptions:
        if self.key_file is not None and self.cert_file is None:
            raise wrong("`key_file` needs `cert_file`")
        return self

    @property
    def tls(self) -> TlsOptions:
        """The part that says how to shake hands."""
        return TlsOptions(
            verify=self.verify,
            server_name=self.server_name,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            # Who asks for no more than an old version may be served one.
            min_version=self.expect.min_version if (self.expect.min_version or "TLSv1.2") < "TLSv1.2" else None,
        )


async def run(options: TlsProbeOptions, sight: Sight) -> None:
    """Shake hands, record the certificates whatever they are worth, then judge. The caller sets the time limit.

    Raises:
        Failed: see ``REASONS``.
    """
    begun = time.perf_counter()
    target = HostPort.read(sight.target)
    dial = _Dialer(options, sight, target, await options.find(sight, target.host))
    with await dial() as wire:
        peer = await handshake.meet(sight, wire, options.tls, target.host, dial)
    handshake.record(sight, options.tls, peer)
    judge = _Judge(options, sight, target, peer)
    judge.certificates()
    judge.versions()
    for version in options.expect.refuses:
        if await dial.accepts(version):
            raise Failed("version", f"{sight.target} accepts {version}")
    for version in options.expect.accepts:
        if not await dial.accepts(version):
            raise Failed("version", f"{sight.target} does not accept {version}")
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


class _Dialer:
    """Connects again and again to the same address."""

    def __init__(self, options: TlsProbeOptions, sight: Sight, target: HostPort, address: IPAddress) -> None:
        self._options = options
        self._sight = sight
        self._target = target
        self._address = address

    async def __call__(self) -> Wire:
        """Return a wire that is ready for the handshake."""
        options = self._options
        connection = await open_socket(self._sight, self._address, self._target.port, options.source_ip_address)
        wire = Wire(connection, self._sight.target)
        try:
            if options.starttls:
                with self._sight.phase("starttls"):
                    await starttls.ask(wire, options.starttls, self._target.host)
        except BaseException:
            connection.close()
            raise
        return wire

    async def accepts(self, version: Version) -> bool:
        """Tell whether a handshake of one version comes to an end."""
        made = lenient_context(self._options.tls, only=version)
        with await self() as wire, self._sight.phase("versions"):
            try:
                await wire.start_tls(made, self._options.server_name or self._target.host)
            except ssl.SSLError as error:
                if error.reason == "NO_PROTOCOLS_AVAILABLE":
                    raise Failed("protocol", f"this machine's TLS library cannot speak {version}") from error
                self._sight.fact(f"{version} is refused: {handshake.why(error)}")
                return False
            except OSError as error:
                self._sight.fact(f"{version} is refused: {handshake.why(error)}")
                return False
        self._sight.fact(f"{version} is accepted")
        return True


class _Judge:
    """Says what is wrong with a peer, the worst first."""

    def __init__(self, options: TlsProbeOptions, sight: Sight, target: HostPort, peer: handshake.Peer) -> None:
        self._expect = options.expect
        self._sight = sight
        self._host = options.server_name or target.host
        self._target = target
        self._peer = peer

    def certificates(self) -> None:
        """Judge the chain.

        Raises:
            Failed: ``expired``, ``not_yet_valid``, ``name``, ``chain``, ``untrusted``, ``self_signed``, ``cert_days``.
        """
        try:
            chain = tlsinfo.read(self._peer.chain)
        except ValueError as error:
            raise Failed("untrusted", f"{self._target} shows a certificate that cannot be read: {error}") from error
        if not chain:
            raise Failed("untrusted", f"{self._target} shows no certificate")
        ends = min(each.not_valid_after_utc for each in chain)
        self._sight.value = float(tlsinfo.days_left(ends, self._sight.now))
        self._dates(chain[0])
        if isinstance(self._peer.error, ssl.SSLCertVerificationError):
            self._distrust(self._peer.error, chain)
        if self._expect.not_self_signed and chain[0].issuer == chain[0].subject:
            raise Failed("self_signed", f"certificate of {self._host} is signed by itself")
        for name in self._expect.names:
            if not covers(chain[0], name):
                raise Failed(
                    "name", f"certificate of {self._host} is not for {name}, but for {_spoken_names(chain[0])}"
                )
        if self._expect.cert_days is not None:
            tlsinfo.check_days(self._sight, self._host, self._peer.chain, self._expect.cert_days)

    def versions(self) -> None:
        """Judge what was agreed.

        Raises:
            Failed: ``version`` it is older or newer than wanted, ``tls`` the handshake failed for another reason.
        """
        version, lowest, highest = _configured(self._peer.version), self._expect.min_version, self._expect.max_version
        if lowest and version < lowest:
            raise Failed("version", f"{self._target} speaks {version} at best; {lowest} is asked for")
        if highest and version > highest:
            raise Failed("version", f"{self._target} speaks {version}; {highest} is the newest asked for")
        if self._peer.error is not None:
            raise Failed("tls", f"{self._target} {handshake.why(self._peer.error)}") from self._peer.error

    def _dates(self, leaf: Certificate) -> None:
        now = self._sight.now
        if leaf.not_valid_after_utc < now:
            ago = (now - leaf.not_valid_after_utc).days
            when = "today" if ago == 0 else f"{ago} day{'s' * (ago != 1)} ago"
            raise Failed("expired", f"certificate of {self._host} ended {when}, on {leaf.not_valid_after_utc:%Y-%m-%d}")
        if leaf.not_valid_before_utc > now:
            raise Failed(
                "not_yet_valid", f"certificate of {self._host} only begins on {leaf.not_valid_before_utc:%Y-%m-%d}"
            )

    def _distrust(self, error: ssl.SSLCertVerificationError, chain: list[Certificate]) -> None:
        reason = VERIFY_REASONS.get(error.verify_code, "untrusted")
        leaf = chain[0]
        if reason == "untrusted" and len(chain) == 1 and leaf.issuer != leaf.subject:
            raise Failed(
                "chain",
                f"{self._target} sends one certificate and not the one above it, {tlsinfo.name_of(leaf.issuer)}; "
                "or that authority is not known here",
            ) from error
        if reason == "name":
            raise Failed("name", f"certificate of {self._host} is for {_spoken_names(leaf)}") from error
        if reason == "expired":
            above = min(chain, key=lambda each: each.not_valid_after_utc)
            raise Failed(
                "expired",
                f"the certificate above that of {self._host} has ended: {tlsinfo.name_of(above.subject)}, "
                f"on {above.not_valid_after_utc:%Y-%m-%d}",
            ) from error
        top = tlsinfo.name_of(chain[-1].issuer)
        raise Failed(
            "untrusted", f"certificate of {self._host}, by {top}, is not trusted: {error.verify_message}"
        ) from error


# X509_V_ERR_*: not yet valid, expired, host name and IP address mismatch.
VERIFY_REASONS = {9: "not_yet_valid", 10: "expired", 62: "name", 64: "name"}


def covers(certificate: Certificate, name: str) -> bool:
    """Tell whether a certificate is for a name or address; a wildcard stands for one first label (RFC 6125)."""
    hosts, addresses = tlsinfo.names(certificate)
    if (address := literal(name)) is not None:
        return str(address) in addresses
    wanted = name.lower().rstrip(".")
    _, _, parent = wanted.partition(".")
    known = {host.lower().rstrip(".") for host in hosts}
    return wanted in known or ("." in parent and f"*.{parent}" in known)


def _spoken_names(certificate: Certificate) -> str:
    hosts, addresses = tlsinfo.names(certificate)
    every = hosts + addresses
    more = len(every) - NAMES_SHOWN
    return ", ".join(every[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "") or "no name"


def _configured(version: str) -> str:
    """Write OpenSSL's ``TLSv1`` as the configuration does."""
    return "TLSv1.0" if version == "TLSv1" else version


REASONS = frozenset(
    {
        "dns",
        "denied",
        "connect",
        "tls",
        "timeout",
        "protocol",
        "expired",
        "not_yet_valid",
        "untrusted",
        "chain",
        "name",
        "self_signed",
        "cert_days",
        "version",
        "max_duration",
    }
)

KIND = ProbeKind("tls", TlsProbeOptions, run, REASONS)
