"""Real databases for the sql probe: fresh, on free ports of 127.0.0.1, gone when the block ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiomysql
import psycopg
import trustme

from tests.real.components import where
from tests.real.process import free_port, started

USER, PASSWORD = "watcher", "correct horse"
TABLE = (
    "CREATE TABLE disk (free int, host varchar(20))",
    "INSERT INTO disk VALUES (41, 'db1'), (3, 'db2'), (NULL, 'db3')",
)
RIGHTS = (f"CREATE USER {USER}{{at}} {{by}} '{PASSWORD}'", f"GRANT ALL ON {{what}} TO {USER}{{at}}")


def certified(folder: Path, authority: trustme.CA, owner: str | None = None) -> tuple[Path, Path]:
    """Write a certificate for localhost, and its key, which nobody but its owner may read."""
    issued = authority.issue_cert("localhost")
    chain, key = folder / "server.pem", folder / "server.key"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    if owner:
        shutil.chown(key, owner)
    return chain, key


@contextmanager
def postgresql(folder: Path, authority: trustme.CA) -> Iterator[int]:
    """Run PostgreSQL until the block ends; return its port. It refuses to run as root."""
    base = Path(tempfile.mkdtemp(prefix="pgp"))
    owner = "postgres" if os.geteuid() == 0 else None
    if owner:
        shutil.chown(base, owner)
    binaries, port = where("postgresql").parent, free_port()
    initdb = [binaries / "initdb", "-D", base / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    try:
        subprocess.run([*initdb, "--locale=C", "-N"], user=owner, check=True, capture_output=True, cwd=base)
        rules = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (base / "data" / "pg_hba.conf").write_text(rules)
        chain, key = certified(base, authority, owner)
        quick = [
            "fsync=off", "autovacuum=off", "shared_buffers=16MB", f"unix_socket_directories={base}",
            "ssl=on", f"ssl_cert_file={chain}", f"ssl_key_file={key}",
        ]  # fmt: skip
        command = [binaries / "postgres", "-D", base / "data", "-p", str(port), *(f"-c{each}" for each in quick)]
        if owner:
            command = ["setpriv", "--reuid", owner, "--regid", owner, "--clear-groups", *command]

        def run(*statements: str) -> bool:
            try:
                with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True) as connection:
                    for statement in statements:
                        connection.execute(statement)
            except psycopg.OperationalError:
                return False
            return True

        with started(command, folder, run):
            rights = (text.format(at="", by="PASSWORD", what="disk") for text in RIGHTS)
            assert run(*TABLE, *rights)
            yield port
    finally:
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def mariadb(folder: Path, authority: trustme.CA) -> Iterator[int]:
    """Run MariaDB until the block ends; return its port."""
    data, port, user = folder / "data", free_port(), f"--user={'root' if os.geteuid() == 0 else os.environ['USER']}"
    install = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        user,
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True, cwd=folder)
    socket = folder / "db.sock"
    chain, key = certified(folder, authority)
    command = [
        where("mariadb"), "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", user,
        f"--socket={socket}", f"--pid-file={folder / 'db.pid'}", "--innodb-flush-log-at-trx-commit=0",
        f"--ssl-cert={chain}", f"--ssl-key={key}",
    ]  # fmt: skip

    async def statements(*texts: str) -> None:
        connection = await aiomysql.connect(unix_socket=str(socket), user="root", autocommit=True)
        try:
            for text in texts:
                await connection.query(text)
        finally:
            connection.close()

    def run(*texts: str) -> bool:
        try:
            asyncio.run(statements(*texts))
        except aiomysql.OperationalError:
            return False
        return True

    with started(command, folder, run):
        rights = (text.format(at="@'127.0.0.1'", by="IDENTIFIED BY", what="app.*") for text in RIGHTS)
        assert run("CREATE DATABASE app", "USE app", *TABLE, *rights)
        yield port
