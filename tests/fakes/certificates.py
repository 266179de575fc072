"""An authority that issues what tests need: certificates good, expired, too young, of another name, chainless."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """A root of its own; ``ca_file`` is what a probe has to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = trustme.CA()
        self.ca_file = folder / f"ca-{id(self)}.pem"
        self._root.cert_pem.write_to_path(self.ca_file)

    def serve(
        self,
        *names: str,
        until: timedelta = timedelta(days=90, hours=1),
        since: timedelta = timedelta(days=-365),
        intermediate: bool = False,
        whole: bool = True,
        versions: tuple[ssl.TLSVersion, ssl.TLSVersion] | None = None,
    ) -> ssl.SSLContext:
        """Make the context of a server: valid from ``since`` to ``until`` from now, with or without the chain."""
        now = datetime.now(UTC)
        authority = self._root.create_child_ca() if intermediate else self._root
        issued = authority.issue_cert(
            *(names or ("localhost", "127.0.0.1")), not_before=now + since, not_after=now + until
        )
        file = self._folder / f"cert-{id(issued)}.pem"
        chain = issued.cert_chain_pems if whole else issued.cert_chain_pems[:1]
        file.write_bytes(issued.private_key_pem.bytes() + b"".join(pem.bytes() for pem in chain))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        if versions:
            made.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                made.minimum_version, made.maximum_version = versions
        return made
