"""Certificates made on the spot: good ones, and each of the ways to be bad."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

A_YEAR = timedelta(days=365)


class Authority:
    """One certificate authority and the server contexts it vouches for."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def server(self, *names: str, until: datetime | None = None, since: datetime | None = None) -> ssl.SSLContext:
        """Return the context of a server that presents a certificate for these names."""
        until = until or datetime.now(UTC) + A_YEAR
        leaf = self._ca.issue_cert(*names, not_after=until, not_before=since or until - 2 * A_YEAR)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        return context

    def ask_client(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Make a server's context insist on a certificate of this authority."""
        context.verify_mode = ssl.CERT_REQUIRED
        self._ca.configure_trust(context)
        return context

    def client_file(self, folder: Path) -> Path:
        """Write a client's certificate with its key."""
        path = folder / "client.pem"
        leaf = self._ca.issue_cert("sonde@example.org")
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
        return path

    def server_file(self, *names: str) -> bytes:
        """Return a certificate for these names with its key, as servers read them from one file."""
        return self._ca.issue_cert(*names).private_key_and_cert_chain_pem.bytes()
