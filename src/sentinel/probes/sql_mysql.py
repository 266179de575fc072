"""One query to MySQL or MariaDB, in a transaction that can write nothing."""

from __future__ import annotations

import struct
from typing import Any, Final

import aiomysql  # type: ignore[import-untyped]
from pymysql.constants import CLIENT, ER  # type: ignore[import-untyped]
from pymysql.err import Error, OperationalError  # type: ignore[import-untyped]

from sentinel.probes.base import Failed
from sentinel.probes.relay import LOOPBACK
from sentinel.probes.said import clean
from sentinel.probes.sql_table import Question, Table
from sentinel.probes.tlscontext import context

SAID_MAX_CHARS: Final = 300
# The ways to sign in that show nobody the password, whoever answers.
BLIND: Final = frozenset({"", "mysql_native_password", "caching_sha2_password", "client_ed25519"})
STOPPED: Final = frozenset({1969, 3024})  # MariaDB and MySQL: the statement took longer than it may.
REFUSED_MAX: Final = 2000  # Below are what the server says, above what the client's library does.
DENIED: Final = frozenset(
    {
        ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR, ER.HOST_NOT_PRIVILEGED, ER.HOST_IS_BLOCKED,
        1698,  # MariaDB: this user may not come by that way.
    }
)  # fmt: skip
# What the library lets through when a server talks nonsense.
NONSENSE: Final = (Error, OSError, EOFError, struct.error, ValueError, LookupError, TypeError, AttributeError,
                   AssertionError, RuntimeError)  # fmt: skip


class _Connection(aiomysql.Connection):  # type: ignore[misc]
    """One that sends a single statement at a time, never falls back to no TLS, and shows its password to nobody."""

    def __init__(self, question: Question) -> None:
        super().__init__(
            host=LOOPBACK,
            port=question.port,
            user=question.username,
            password=question.password.reveal(),
            db=question.database or None,
            charset="utf8mb4",
            ssl=context(question.tls) if question.tls else None,
            autocommit=None,
            conv={},
            program_name="sentinel",
        )
        self._question = question
        self.client_flag &= ~(CLIENT.MULTI_STATEMENTS | CLIENT.LOCAL_FILES)

    async def _request_authentication(self) -> None:
        tls = self._question.tls
        self._host = (tls.server_name if tls else None) or self._question.host  # Whose certificate is wanted.
        if tls and not self.server_capabilities & CLIENT.SSL:
            raise Failed("tls", "the server offers no TLS")
        if not self.server_capabilities & CLIENT.PLUGIN_AUTH:
            raise Failed("auth", "the server knows only ways to sign in that are no longer safe")
        self._refuse_to_show(self._server_auth_plugin)
        await super()._request_authentication()

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        self._refuse_to_show(plugin_name.decode("ascii", "replace"))
        return await super()._process_auth(plugin_name, auth_packet)

    def _refuse_to_show(self, plugin: str) -> None:
        if not (self._question.tls or plugin in BLIND):
            way = clean(plugin, 40)
            raise Failed("auth", f"the server wants a password by {way}, which needs TLS; write `tls: yes`")

    @property
    def server_public_key(self) -> bytes:
        """Refuse to encrypt the password for whoever answers: anybody has a key of their own."""
        raise Failed("auth", "the server wants the password itself, which needs TLS; write `tls: yes`")

    @server_public_key.setter
    def server_public_key(self, value: bytes) -> None:
        """Take what the library sets at first."""


async def ask(question: Question) -> Table:
    """Send the query, and return what it finds.

    Raises:
        Failed: ``auth`` the server does not let us in, ``tls``, ``protocol`` it speaks no MySQL, ``query`` it
            refuses the query, ``timeout`` it stopped the query.
    """
    connection = _Connection(question)
    try:
        await connection._connect()  # aiomysql.connect() makes only its own class.
        for statement in _precautions(connection.get_server_info(), question.limit_s):
            await connection.query(statement)
        await connection.query(question.query)
        result = connection._result  # The cursor would convert what is compared as text.
        columns = tuple(clean(str(column[0]), SAID_MAX_CHARS) for column in result.description or ())
        return Table(columns, tuple(tuple(_text(value) for value in row) for row in result.rows or ()))
    except NONSENSE as error:
        raise _failure(error, question) from error
    finally:
        connection.close()


def _precautions(version: str, limit_s: float) -> tuple[str, ...]:
    """Return what is said before the query; a procedure that ends the transaction finds the session read-only too."""
    if "MariaDB" in version:
        limit = f"SET SESSION max_statement_time = {limit_s:.3f}"
    else:
        limit = f"SET SESSION max_execution_time = {max(1, round(limit_s * 1000))}"
    return (limit, "SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ ONLY")


def _failure(error: BaseException, question: Question) -> Failed:
    number = error.args[0] if isinstance(error, Error) and error.args else None
    said = clean(str(error.args[-1] if isinstance(error, Error) and error.args else error), SAID_MAX_CHARS)
    if number in STOPPED:
        return Failed("timeout", f"the server stopped the query after {question.limit_s:.1f} s: {said}")
    if number in DENIED:
        return Failed("auth", f"the server does not let us in: {said}")
    if isinstance(number, int) and number < REFUSED_MAX:
        return Failed("query", f"the server refuses the query: {said}")
    if isinstance(error, OperationalError) and isinstance(error.__cause__, OSError) and question.tls:
        return Failed("tls", f"the handshake fails: {clean(str(error.__cause__), SAID_MAX_CHARS)}")
    return Failed("protocol", f"the server does not answer as MySQL does: {said or type(error).__name__}")


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
