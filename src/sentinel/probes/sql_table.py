"""What a query asks of a database and what came back, whichever database it is."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.config.fields import Secret
from sentinel.probes.tlscontext import TlsOptions


@dataclass(frozen=True, slots=True)
class Question:
    """A query, for whom, and where: ``port`` of 127.0.0.1 leads to ``host``, whose certificate is judged.

    ``limit_s`` is how long the server may work on the statement.
    """

    host: str
    port: int
    username: str
    password: Secret
    database: str
    query: str
    limit_s: float
    tls: TlsOptions | None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows, each value as the server writes it as text, None for NULL."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
