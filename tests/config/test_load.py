"""What a good file becomes, and what a broken one never does: raise anything but ConfigError."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from sentinel.config.base import Section
from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.config.model import SINGLE
from tests.config.conftest import GOOD, SECRETS

PROBE = 'probes:\n  web: {type: tcp, target: "web1.example.org:443"}\n'
SAMPLES = 120


def test_scalars_are_read_by_the_type_of_their_place(good):
    people = good.setup.directory.people
    assert people["bruno"].addresses["mobile"] == "+33639980002"
    assert people["no"].addresses == {"email": "nora@example.org"}
    assert good.setup.probes["frontends"].labels == {"site": "22:30"}


def test_anchors_merge_and_the_keys_beside_them_win(good):
    assert good.setup.probes["frontends"].type == "tcp"
    assert good.setup.probes["frontends"].interval_s == 60


def test_included_files_add_entries(good):
    assert good.setup.probes["extra"].targets == ("host.example.org",)
    assert [file.name for file in good.files] == ["good.yaml", "extra.yaml"]


def test_secrets_are_known_by_name_and_never_shown(good):
    assert [reference.name for reference in good.secrets_used] == ["env:SMTP_PASSWORD", "env:CHAT", "env:CRON"]
    assert good.setup.channels["mail"].options.password.reveal() == "canary-smtp"
    assert good.setup.channels["chat"].options.headers["Authorization"].reveal() == "Bearer canary-chat"
    assert "canary-smtp" not in repr(good)
    assert "canary-chat" not in repr(good)


@pytest.mark.parametrize("value", ["canary-5f", "ca'nary\\5f", "é", "~"])
def test_a_secret_in_the_wrong_place_is_never_shown(write, value):
    text = (
        "site: {timezone: '${env:S}', language: '${env:S}'}\npeople: {a: {email: '${env:S}', mobile: '${env:S}'}}\n"
        "probes:\n  web: {type: http, url: '${env:S}', interval: '${env:S}', service: '${env:S}', paused: '${env:S}'}\n"
        "rules:\n  - {match: {probe: '${env:S}', reason: '${env:S}'}, level: '${env:S}', when: '${env:S}'}\n"
        "escalations:\n  p: [{at: '${env:S}', to: 'group:${env:S}', by: '${env:S}', unless: '${env:S}'}]\n"
    )
    with pytest.raises(ConfigError) as refusal:
        write(text, S=value)
    assert len(refusal.value.mistakes) > 10
    told = (
        str(refusal.value).replace(str(refusal.value.mistakes[0].file), "").replace("é", "e" if value != "é" else "é")
    )
    assert f"'{value}'" not in told
    assert repr(value) not in told
    assert len(value) == 1 or value not in told
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_a_secret_comes_from_a_credential_or_a_file_beside_the_configuration(write, tmp_path):
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "title").write_text("from the credential\n")
    (tmp_path / "name").write_text("from the file\r\n")
    loaded = write(
        "site: {name: '${file:name}'}\nservices: {a: {name: '${cred:title}', customer: 'costs $${5}'}}\n" + PROBE,
        CREDENTIALS_DIRECTORY=str(tmp_path / "creds"),
    )
    assert loaded.setup.site.name == "from the file"
    assert loaded.setup.services["a"].name == "from the credential"
    assert loaded.setup.services["a"].customer == "costs ${5}"


def test_a_pipe_in_place_of_a_file_is_refused_instead_of_waited_for(write, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        write("site: {name: '${file:pipe}'}\n" + PROBE)
    with pytest.raises(ConfigError, match="is not a regular file"):
        load(tmp_path / "pipe", environ={})


def test_a_file_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_bytes(b"# " + b"x" * (4 << 20) + b"\n")
    with pytest.raises(ConfigError, match="larger than 4096 KiB"):
        load(path, environ={})


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"probes\.yaml:1:1: cannot be read: No such file or directory"):
        load(tmp_path / "probes.yaml", environ={})


def test_included_files_are_read_in_order_and_each_once(write, tmp_path):
    (tmp_path / "conf.d").mkdir()
    for name in ("b", "a"):
        (tmp_path / "conf.d" / f"{name}.yaml").write_text(
            f"probes:\n  {name}: {{type: icmp, target: {name}.example.org}}\n"
        )
    loaded = write("include: [conf.d/*.yaml, conf.d/a.yaml]\n" + PROBE)
    assert list(loaded.setup.probes) == ["web", "a", "b"]


def test_the_hash_follows_the_text_of_every_file(write, tmp_path):
    part = tmp_path / "part.yaml"
    part.write_text("site: {name: A}\n")
    first = write("include: part.yaml\n" + PROBE).setup.hash
    assert write("include: part.yaml\n" + PROBE).setup.hash == first
    part.write_text("site: {name: A} # once more\n")
    assert write("include: part.yaml\n" + PROBE).setup.hash != first


def _outcome(path):
    """Whether a file is good; anything but ConfigError gets through and fails the test."""
    told = ""
    try:
        load(path, environ=SECRETS)
    except ConfigError as error:
        told = str(error)
        good = not error.mistakes
    else:
        good = True
    assert "canary" not in told
    assert good == (told == "")
    return good


def test_a_file_cut_anywhere_is_read_or_refused_and_nothing_else(tmp_path):
    whole = GOOD.read_bytes()
    chosen = random.Random(1)
    for cut in sorted(chosen.sample(range(len(whole)), SAMPLES)):
        (tmp_path / "cut.yaml").write_bytes(whole[:cut])
        _outcome(tmp_path / "cut.yaml")
    small = PROBE.encode() + "site: {name: é}\n".encode()
    outcomes = set()
    for cut in range(len(small) + 1):
        (tmp_path / "cut.yaml").write_bytes(small[:cut])
        outcomes.add(_outcome(tmp_path / "cut.yaml"))
    assert outcomes == {True, False}


def test_a_file_with_a_byte_changed_is_read_or_refused_and_nothing_else(tmp_path):
    whole = GOOD.read_bytes()
    chosen = random.Random(2)
    for _ in range(SAMPLES):
        at, put = chosen.randrange(len(whole)), chosen.choice(b"\x00\t{}[]:,&*!|>'\"%@`#-?~$<\xff\n ")
        (tmp_path / "changed.yaml").write_bytes(whole[:at] + bytes([put]) + whole[at + 1 :])
        _outcome(tmp_path / "changed.yaml")


def test_deep_brackets_are_refused_at_once(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text("a: " + "[" * 200_000)
    with pytest.raises(ConfigError, match="nested deeper than 32 levels"):
        load(path, environ={})


def test_aliases_inside_aliases_do_not_get_deeper_than_the_limit(write):
    deep = "[" * 20 + "]" * 20
    with pytest.raises(ConfigError, match="nested deeper than 32 levels"):
        write(f"x-a: &a {deep}\nx-b: {'[' * 15}*a{']' * 15}\n{PROBE}")


def test_paths_in_messages_are_as_the_caller_wrote_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("here.yaml").write_text("probes: 1\n")
    with pytest.raises(ConfigError, match=r"\Ahere\.yaml:1:9: "):
        load(Path("here.yaml"), environ={})


def every(section: type[Section]) -> Iterator[type[Section]]:
    for below in section.__subclasses__():
        yield below
        yield from every(below)


def test_a_section_that_is_not_written_is_what_an_empty_one_is():
    optional = [one for one in every(Section) if not any(info.is_required() for info in one.model_fields.values())]
    assert set(SINGLE.values()) <= set(optional)
    for section in optional:
        try:
            empty = section.model_validate({})
        except ValidationError:  # It cannot be empty, and nobody asks for its defaults.
            assert section not in SINGLE.values()
            continue
        assert repr(section.defaults()) == repr(empty)
        assert section.defaults() == empty


def test_what_reads_a_section_is_built_when_one_is_read(tmp_path):
    (tmp_path / "probes.yaml").write_text("probes: {home: {type: tcp, target: '127.0.0.1:9'}}\n")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from sentinel.config import model\nfrom sentinel.config.load import load\n"
        "load(Path(sys.argv[1]))\n"
        "read = [*model.SINGLE.values(), *model.NAMED.values(), *model.LISTED.values()]\n"
        "print(*[one.__name__ for one in read if one.__pydantic_complete__])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "probes.yaml")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["ProbeEntry", "RuleEntry"], done.stderr  # The rules are those of the catalogue.
