"""A real Roundup of one's own: the classic tracker on SQLite, with two accounts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.real.components import where
from tests.real.process import answers, free_port, started
from tests.tickets.roundup_rig import PASSWORDS, TRACKER

SETTINGS = {"web": "http://127.0.0.1:{port}{tracker}/", "domain": "sentinel.test", "host": "127.0.0.1"}
STEP_LIMIT_S = 60
FEW_ROUNDS = "1000"  # Hashing a password for a quarter of a second at each request proves nothing here.
WHO = "nobody"


@contextmanager
def roundup() -> Iterator[str]:
    """Run a tracker until the block ends; yield its server's address."""
    with TemporaryDirectory(prefix="roundup-") as folder:  # pytest's own folders are closed to anybody but root.
        yield from _running(Path(folder), free_port())


def _running(folder: Path, port: int) -> Iterator[str]:
    home = folder / "tracker"
    _admin("-i", home, "install", "classic", "sqlite")
    written = (home / "config.ini").read_text()
    for name, value in SETTINGS.items():
        told = value.format(port=port, tracker=TRACKER)
        written = re.sub(rf"(?m)^#?\s*{name}\s*=.*$", f"{name} = {told}", written, count=1)
    written = re.sub(
        r"(?m)^#?\s*password_pbkdf2_default_rounds\s*=.*$", f"password_pbkdf2_default_rounds = {FEW_ROUNDS}", written
    )
    written = re.sub(r"(?m)^#?\s*debug\s*=\s*$", f"debug = {folder / 'mails'}", written, count=1)
    (home / "config.ini").write_text(written)
    _admin("-i", home, "initialise", "the-password-of-nobody")
    for name, password in PASSWORDS.items():
        said = [f"username={name}", f"password={password}", "roles=User", f"address={name}@example.org"]
        _admin("-i", home, "-u", "admin", "create", "user", *said)
    as_user = []
    if os.geteuid() == 0:  # Roundup does not run as root.
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, WHO)
        as_user = ["-u", WHO, "-g", "nogroup"]
    command = [where("roundup"), "-m", "roundup.scripts.roundup_server", *as_user, "-n", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with started([*command, f"tr={home}"], folder, lambda: answers(f"{url}{TRACKER}/")):
        yield url


def _admin(*words: str | Path) -> None:
    command = [where("roundup"), "-m", "roundup.scripts.roundup_admin", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=STEP_LIMIT_S)
