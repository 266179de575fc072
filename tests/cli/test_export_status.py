"""A status page as files, written by a command."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from sentinel.cli import main
from sentinel.reporting import status_files
from sentinel.store.opening import open_store

CONFIG = """\
services: {campus: {name: Campus}}
status_pages: {all: {title: All of it, services: campus, languages: [en, fr]}}
probes: {contract: {type: expiry, ends: 2099-01-01}}
"""


def export(folder: Path, *words: str):
    return CliRunner().invoke(main, ["export", "status", *words, "-c", str(folder / "probes.yaml")])


def prepared(folder: Path) -> None:
    folder.chmod(0o700)
    (folder / "probes.yaml").write_text(CONFIG)
    for store in reversed(open_store(f"sqlite:///{folder / 'sentinel.db'}")):
        store.close()


def test_the_files_of_a_page_stand_by_themselves_and_are_replaced_whole(tmp_path):
    prepared(tmp_path)
    out = tmp_path / "a" / "out"
    done = export(tmp_path, "all", str(out))
    assert done.exit_code == 0, done.output
    names = {"index.html", "en.html", "fr.html", "en.json", "fr.json", "en.atom", "fr.atom", "style.css"}
    assert {file.name for file in out.iterdir()} == names
    assert (out / "index.html").read_bytes() == (out / "en.html").read_bytes()
    assert 'href="style.css"' in (out / "fr.html").read_text()
    assert "<form" not in (out / "fr.html").read_text()  # Nobody takes it there.
    assert json.loads((out / "en.json").read_text())["state"] == "ok"
    assert export(tmp_path, "all", str(out)).exit_code == 0
    assert {file.name for file in out.iterdir()} == names


def test_what_is_not_there_is_named(tmp_path):
    prepared(tmp_path)
    done = export(tmp_path, "al", str(tmp_path / "out"))
    assert done.exit_code != 0
    assert "all" in done.output
    (tmp_path / "file").write_text("")
    done = export(tmp_path, "all", str(tmp_path / "file" / "out"))
    assert "cannot be written" in done.output


def test_what_has_not_changed_is_not_written_again(tmp_path):
    assert status_files.write(tmp_path, {"a": b"1", "b": b"2"}) == 2
    assert status_files.write(tmp_path, {"a": b"1", "b": b"3"}) == 1
    assert (tmp_path / "b").read_bytes() == b"3"
    assert len(list(tmp_path.iterdir())) == 2
