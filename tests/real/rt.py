"""A real Request Tracker of one's own: Debian's program on a copy of its database, with two accounts."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.components import HERE, where
from tests.real.process import fetch, free_port, started

# What the package has made at its installation; nobody writes to it.
DATABASE = Path("/var/lib/dbconfig-common/sqlite3/request-tracker5/rtdb")
SETTINGS = """\
Set($rtname, 'sentinel.test');
Set($Organization, 'sentinel.test');
Set($WebPath, '');
Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{folder}/rtdb');
Set($MailCommand, 'testfile');
Set($BcryptCost, 6);
Set($LogToSyslog, '');
Set($LogToSTDERR, 'warning');
Set($MasonDataDir, '{folder}/mason');
Set($MasonSessionDir, '{folder}/sessions');
1;
"""
PEOPLE_LIMIT_S = 60


@contextmanager
def rt(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run Request Tracker until the block ends; yield its address, and a token for each login."""
    port = free_port()
    shutil.copyfile(DATABASE, folder / "rtdb")
    for name in ("site", "mason", "sessions"):
        (folder / name).mkdir()
    site = folder / "RT_SiteConfig.pm"
    site.write_text(SETTINGS.format(port=port, folder=folder))
    settings = {"RT_SITE_CONFIG": str(site), "RT_SITE_CONFIG_DIR": str(folder / "site")}
    people = subprocess.run(
        ["perl", HERE / "rt_people.pl"],
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
        timeout=PEOPLE_LIMIT_S,
    )
    tokens = dict(line.split() for line in people.stdout.splitlines())
    url = f"http://127.0.0.1:{port}"
    named = [f"{name}={value}" for name, value in settings.items()]
    options = ["--host", "127.0.0.1", "--port", str(port), "--server", "Starman", "--workers", "1"]
    with started(["env", *named, where("rt-server"), *options], folder, lambda: refuses(f"{url}/REST/2.0/rt")):
        yield url, tokens


def refuses(url: str) -> bool:
    """Say whether somebody answers that we are nobody."""
    try:
        fetch(url)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except (urllib.error.URLError, OSError):
        return False
    return False
