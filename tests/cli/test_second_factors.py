"""What ``check`` says of second factors in the database."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from sentinel.core.accounts import SecondSet
from sentinel.engine.sealing import Sealer
from sentinel.store.base import Line
from sentinel.store.opening import open_store
from tests.cli.conftest import run

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
KEY = "f1f0a7c2-0000-4000-8000-000000000001"
WORLD = """\
probes:
  home: {type: http, url: https://www.example.org/}
people:
  amina: {email: amina@example.org}
channels:
  mail: {type: outbox, path: outbox, as: email}
escalations:
  default:
    - {at: 0m, to: amina}
"""
KEYED = 'auth: {key: "${file:key}"}\n'


def test_check_says_whose_second_factor_can_be_read_or_cannot_be_used(tmp_path):
    tmp_path.chmod(0o700)
    path = tmp_path / "probes.yaml"
    path.write_text(WORLD)
    assert run("check", str(path)).exit_code == 0, "there is no database yet"
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    store, results = open_store(f"sqlite:///{tmp_path}/sentinel.db")
    for person, secret in (("amina", "JBSWY3DPEHPK3PXP"), ("bruno", Sealer([KEY]).seal("JBSWY3DPEHPK3PXP", "bruno"))):
        fact = SecondSet(at=NOW, by=person, secret=secret)
        store.append_lines([Line(f"account/{person}", 1, NOW, msgspec.json.encode(fact))])
    store.close()
    results.close()
    done = run("check", str(path))
    assert done.exit_code == 4
    assert "the second factor of `amina` is readable in the database" in done.stdout
    assert 'write `auth: {key: "${cred:NAME}"}`' in done.stdout
    assert "no key opens the second factor of `bruno`" in done.stdout
    path.write_text(WORLD + KEYED)
    done = run("check", str(path))
    assert f"{path}:10:8: the second factor of `amina` is readable" in done.stdout
    assert "taken away and set anew" in done.stdout
    assert "bruno" not in done.stdout
    assert "JBSWY" not in done.stdout


def test_a_key_that_stands_in_the_file_is_refused(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(WORLD + f"auth: {{key: {KEY}}}\n")
    done = run("check", str(path))
    assert done.exit_code == 3
    assert f"{path}:10:13: " in done.stdout
    assert "auth.key" in done.stdout
    assert KEY not in done.stdout
