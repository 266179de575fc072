"""The sql probe against real databases, with a user who may write everything, and against servers that are none."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes import extras
from sentinel.probes.net import TargetPolicy
from sentinel.probes.sql import ENGINES, KIND, SqlOptions
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, silent
from tests.probes.databases import PASSWORD, USER, mariadb, postgresql
from tests.probes.seeing import Attempt, Seen, see


@dataclass(frozen=True)
class Database:
    """A real one, and how the probe is told of it."""

    engine: str
    port: int
    folder: Path
    name: str

    async def ask(self, query: str, *, attempt: Attempt | None = None, **options: Any) -> Seen:
        given = {"username": USER, "password": PASSWORD, "engine": self.engine, "database": self.name, **options}
        return await (attempt or Attempt()).at(KIND, {"target": f"localhost:{self.port}", "query": query, **given})


@pytest.fixture(scope="module", params=[
    pytest.param("postgresql", marks=pytest.mark.real("postgresql")),
    pytest.param("mysql", marks=pytest.mark.real("mariadb")),
])  # fmt: skip
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder, authority = tmp_path_factory.mktemp("db"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    run, name = (postgresql, "postgres") if request.param == "postgresql" else (mariadb, "app")
    with run(folder, authority) as port:
        yield Database(request.param, port, folder, name)


async def test_what_is_as_expected_is_fine_and_the_value_is_kept(database: Database) -> None:
    seen = await database.ask("SELECT free, host FROM disk WHERE host = 'db1'", expect={"value": ">= 10", "rows": "1"})
    assert (seen.reason, seen.sight.value) == ("", 41.0)
    assert set(seen.sight.phases) >= {"resolve", "connect", "query"}


async def test_a_row_that_is_not_as_expected_is_named(database: Database) -> None:
    seen = await database.ask("SELECT free, host FROM disk WHERE free > 0 ORDER BY host", expect={"value": ">= 10"})
    assert (seen.reason, seen.sight.value) == ("value", 3.0)
    assert seen.detail == "the query finds free = 3, host = db2; >= 10 is expected"


async def test_texts_are_compared_and_null_is_never_good(database: Database) -> None:
    assert (await database.ask("SELECT host FROM disk WHERE free = 3", expect={"value": "db2"})).reason == ""
    assert (await database.ask("SELECT host FROM disk WHERE free = 3", expect={"value": "db1"})).reason == "value"
    seen = await database.ask("SELECT free FROM disk WHERE host = 'db3'", expect={"value": "!= 3"})
    assert (seen.reason, seen.detail) == ("value", "the query finds free = NULL; != 3 is expected")


async def test_rows_are_counted_and_none_is_not_good(database: Database) -> None:
    seen = await database.ask("SELECT free FROM disk", expect={"rows": "<= 2"})
    assert (seen.reason, seen.detail) == ("rows", "the query finds 3 rows; <= 2 is expected")
    assert (await database.ask("SELECT free FROM disk WHERE free > 99", expect={"value": "1"})).reason == "empty"


# What a block of PostgreSQL may try to get out of its transaction; to the others it is no query at all.
ESCAPES = ("COMMIT", "SET TRANSACTION READ WRITE", "PERFORM set_config('transaction_read_only', 'off', false)")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM disk",
        "INSERT INTO disk VALUES (1, 'x')",
        "DROP TABLE disk",
        "COMMIT; DELETE FROM disk",
        "SET TRANSACTION READ WRITE; DELETE FROM disk",
        "SELECT 1; DELETE FROM disk; COMMIT",
        "CREATE TABLE other (x int)",
        "SELECT * FROM nowhere",
        "/* SELECT */ UPDATE disk SET free = 0",
        *(f"DO $$ BEGIN {way}; DELETE FROM disk; END $$" for way in ESCAPES),
    ],
)
async def test_nothing_can_be_written_however_it_is_asked(database: Database, query: str) -> None:
    seen = await database.ask(query)
    assert seen.reason == "query"
    assert "refuses the query" in seen.detail
    assert (await database.ask("SELECT count(*) FROM disk", expect={"value": "3"})).reason == ""


async def test_a_statement_that_takes_too_long_is_stopped_by_the_server(database: Database) -> None:
    slow = {"postgresql": "SELECT pg_sleep(20)", "mysql": "SELECT sum(seq % 7) FROM seq_1_to_9000000000"}
    seen = await database.ask(slow[database.engine], attempt=Attempt(timeout_s=60.0, told_s=1.0))
    assert (seen.reason, "the server stopped the query after 0.9 s" in seen.detail) == ("timeout", True)


async def test_a_wrong_password_is_told_from_a_dead_server_and_shown_to_nobody(database: Database) -> None:
    seen = await database.ask("SELECT 1", password="wrong horse")
    assert (seen.reason, "does not let us in" in seen.detail) == ("auth", True)
    assert "wrong horse" not in seen.detail
    assert str(database.port) not in seen.detail


async def test_a_large_answer_is_cut(database: Database) -> None:
    many = "SELECT repeat('x', 4000) FROM disk a, disk b, disk c, disk d, disk e, disk f"
    seen = await database.ask(many)
    assert (seen.reason, "larger than 1024 KiB" in seen.detail) == ("size", True)


async def test_tls_is_judged_by_the_name_people_wrote(database: Database) -> None:
    trusted = {"ca_file": str(database.folder / "ca.pem")}
    assert (await database.ask("SELECT 1", tls=trusted)).reason == ""
    assert (await database.ask("SELECT 1", tls="yes")).reason == "tls"
    assert (await database.ask("SELECT 1", tls={**trusted, "server_name": "db.example.org"})).reason == "tls"
    encrypted = {
        "postgresql": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        "mysql": "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_version'",
    }[database.engine]
    assert (await database.ask(encrypted, tls=trusted, expect={"value": "TLSv1.3"})).reason == ""


async def test_our_resolver_and_the_policy_on_targets_hold(database: Database) -> None:
    around = Attempt(resolver=Names({"db.example.org": ["127.0.0.1"]}))
    target = {"target": f"db.example.org:{database.port}"}
    assert (await database.ask("SELECT 1", attempt=around, **target)).reason == ""
    denied = Attempt(resolver=around.resolver, policy=TargetPolicy(deny=(ip_network("127.0.0.0/8"),)))
    assert (await database.ask("SELECT 1", attempt=denied, **target)).reason == "denied"


# ------------------------------------------------------------------------------------------------- hostile servers


def says(data: bytes, *, again: bool = False) -> Any:
    """Send bytes at once, whatever is asked, and more of them for as long as somebody reads."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        while again:
            await writer.drain()
            writer.write(data)
        await silent(reader, writer)

    return behave


async def hangs_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Go at once."""


def packet(body: bytes) -> bytes:
    """The first packet of a MySQL server."""
    return len(body).to_bytes(3, "little") + b"\0" + body


# Version, connection, salt, what it is capable of, and the plug-in that wants the password as it is.
CLEAR = packet(
    b"\x0a5.5.5-10.6\0" + b"\1\0\0\0" + b"x" * 8 + b"\0" + b"\xff\xf7\x08\2\0\xff\x81\x15"
    + b"\0" * 10 + b"y" * 12 + b"\0mysql_clear_password\0"
)  # fmt: skip
HOSTILE = {
    "garbage": says(b"\x16\x03\x01 this is not a database \xff\xfe" * 9),
    "ends": hangs_up,
    "web": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "huge length": says(b"R\x7f\xff\xff\xff" + b"\0" * 100),
    "huge packet": says(b"\xff\xff\xff\0" + b"\x0a" * 100),
    "without end": says(b"\0" * 65536, again=True),
    "zero": says(b"\0\0\0\0" * 5),
    "error": says(b"E\0\0\0\x20SFATAL\0C57P03\0Mstarting up\0\0"),
    "mysql error": says(packet(b"\xff\x10\x04Too many connections")),
}  # fmt: skip


@pytest.mark.parametrize(("engine", "name"), [*itertools.product(ENGINES, HOSTILE)])
async def test_what_is_no_database_fails_in_words_and_in_time(engine: str, name: str) -> None:
    async with TcpPeer(HOSTILE[name]) as peer:
        options = {"engine": engine, "username": USER, "password": PASSWORD, "query": "SELECT 1"}
        try:
            seen = await Attempt(timeout_s=1.0).at(KIND, {"target": peer.address, **options})
        except TimeoutError:  # Who waits for the rest of what was announced waits until the limit.
            assert name in {"huge length", "huge packet", "error"}
        else:
            assert seen.reason in {"protocol", "auth", "size", "query"}
            assert seen.detail
        await peer.emptied()


async def test_a_silent_server_costs_no_more_than_the_time_limit() -> None:
    async with TcpPeer(silent) as peer:
        for engine in ENGINES:
            began = asyncio.get_running_loop().time()
            with pytest.raises(TimeoutError):
                await Attempt(timeout_s=0.3).at(
                    KIND, {"target": peer.address, "engine": engine, "username": "u", "query": "SELECT 1"}
                )
            assert asyncio.get_running_loop().time() - began < 60  # Whoever waited for it would wait for ever.
        await peer.emptied()


@pytest.mark.parametrize(
    ("engine", "request_of_password"),
    [("postgresql", b"R\0\0\0\x08\0\0\0\x03"), ("mysql", CLEAR)],
    ids=["postgresql", "mysql"],
)
async def test_who_asks_for_the_password_in_the_clear_does_not_get_it(engine: str, request_of_password: bytes) -> None:
    heard = bytearray()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_of_password)
        while data := await reader.read(65536):
            heard.extend(data)

    async with TcpPeer(behave) as peer:
        options = {"engine": engine, "username": USER, "password": PASSWORD, "query": "SELECT 1"}
        seen = await Attempt(timeout_s=2.0).at(KIND, {"target": peer.address, **options})
        await peer.emptied()
    assert seen.reason == "auth"
    assert PASSWORD.encode() not in heard


@given(data=st.binary(min_size=1, max_size=200), engine=st.sampled_from(sorted(ENGINES)))
def test_any_first_words_of_a_server_end_in_words(data: bytes, engine: str) -> None:
    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    async def story() -> None:
        async with TcpPeer(behave) as peer:
            seen = await see(
                KIND, target=peer.address, engine=engine, username=USER, password=PASSWORD, query="SELECT 1"
            )
        assert seen.reason

    asyncio.run(story())


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "oracle"},
        {"query": ""},
        {"query": "SELECT '\0'"},
        {"username": ""},
        {"expect": {"rows": "many"}},
        {"target": "192.0.2.1"},
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    good = {"target": "192.0.2.1:5432", "engine": "postgresql", "username": USER, "query": "SELECT 1"}
    assert SqlOptions.model_validate(good).targets() == ("192.0.2.1:5432",)
    with pytest.raises(ValidationError):
        SqlOptions.model_validate({**good, **wrong})


def test_an_extra_that_is_missing_is_named_with_what_installs_it() -> None:
    with pytest.raises(Exception, match="needs the extra `mysql`, which is not installed"):
        extras.require("a_module_that_is_not_there", "mysql", "`engine: mysql`")
