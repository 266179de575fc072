"""A real Redmine of one's own: Debian's program on a copy of its database, with a project and two accounts."""

from __future__ import annotations

import json
import shutil
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.real.components import where
from tests.real.process import answers, free_port, started
from tests.tickets.redmine_rig import AMINA_KEY, KEY, PROJECT

HOME = Path("/usr/share/redmine")
# What the package has made at its installation, with the usual statuses, trackers and roles; nobody writes to it.
DATABASE = Path("/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default")
ADMIN_KEY = "00112233445566778899aabbccddeeff00112233"
MANAGER = 3
LIMIT_S = 60
TO_THE_TOP = "../" * 12  # An instance is looked for below Redmine's own folder.


@contextmanager
def redmine(folder: Path) -> Iterator[str]:
    """Run Redmine until the block ends; yield its address."""
    database = _lay_out(folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = ["RAILS_ENV=production", f"X_DEBIAN_SITEID={TO_THE_TOP}{folder.relative_to('/')}", "LANG=C.UTF-8"]
    bind = ["-e", "production", "-t", "1:4", "-b", f"tcp://127.0.0.1:{port}", "--dir", HOME, HOME / "config.ru"]
    with started(["env", *settings, where("puma"), *bind], folder, lambda: answers(f"{url}/issue_statuses.json")):
        _populate(url, database)
        yield url


def _lay_out(folder: Path) -> Path:
    """Make the folder of an instance, with a database in which an administrator may use the REST interface."""
    where("redmine")
    for name in ("config", "files", "log", "public", "tmp"):
        (folder / name).mkdir()
    database = folder / "redmine.sqlite"
    shutil.copyfile(DATABASE, database)
    written = {"production": {"adapter": "sqlite3", "database": str(database), "timeout": 10_000}}
    (folder / "config/database.yml").write_text(json.dumps(written))
    (folder / "config/secret_key.txt").write_text("0" * 64)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE users SET must_change_passwd = 0 WHERE login = 'admin'")
        connection.execute(
            "INSERT INTO settings (name, value, updated_on) VALUES ('rest_api_enabled', '1', datetime())"
        )
        _give_key(connection, "admin", ADMIN_KEY)
    return database


def _give_key(connection: sqlite3.Connection, login: str, key: str) -> None:
    connection.execute(
        "INSERT INTO tokens (user_id, action, value, created_on, updated_on)"
        " SELECT id, 'api', ?, datetime(), datetime() FROM users WHERE login = ?",
        (key, login),
    )


def _populate(url: str, database: Path) -> None:
    """Make a public project, as the worst case for a wrong key, and two people who manage it."""
    project = {"name": "Exploitation", "identifier": PROJECT, "is_public": True}
    _post(url, "/projects.json", {"project": project})
    for login, first, last in (("sentinel", "Sentinel", "Robot"), ("amina", "Amina", "Berrada")):
        person = {
            "login": login,
            "firstname": first,
            "lastname": last,
            "mail": f"{login}@example.org",
            "password": "a-long-password",
        }
        made = _post(url, "/users.json", {"user": person})["user"]["id"]
        member = {"user_id": made, "role_ids": [MANAGER]}
        _post(url, f"/projects/{PROJECT}/memberships.json", {"membership": member})
    with closing(sqlite3.connect(database, timeout=LIMIT_S)) as connection, connection:
        _give_key(connection, "sentinel", KEY)
        _give_key(connection, "amina", AMINA_KEY)


def _post(url: str, path: str, body: dict[str, Any]) -> Any:
    headers = {"X-Redmine-API-Key": ADMIN_KEY, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        return json.load(answer)
