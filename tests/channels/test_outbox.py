"""The outbox folder: whole files, stable names, and a reader for pages."""

from __future__ import annotations

import email
import email.policy
import errno
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.channels.base import Undelivered
from sentinel.channels.outbox import OutboxOptions, recent
from tests.channels.rigs import MESSAGE, TEXTED, make


def outbox(folder: Path, kind: str, **options: Any) -> Any:
    return make("outbox", path=str(folder), **{"as": kind}, **options)


async def test_a_mail_is_a_complete_message(tmp_path: Path) -> None:
    name = await outbox(tmp_path / "box", "email").send(MESSAGE)
    assert name == "20261121T211540Z_inc-42.0.1.alice.eml"
    mail = email.message_from_bytes((tmp_path / "box" / name).read_bytes(), policy=email.policy.default)
    assert mail["From"] == "Sentinel <sentinel@sentinel.example.org>"
    assert mail["Message-ID"] == "<inc-42.0.1.alice@sentinel.example.org>"
    assert mail["Subject"] == MESSAGE.subject


async def test_an_sms_is_a_text(tmp_path: Path) -> None:
    name = await outbox(tmp_path, "sms").send(TEXTED)
    assert name == "20261121T211540Z_inc-42.0.1.alice.txt"
    assert (tmp_path / name).read_text() == f"To: +33639980001\nId: INC-42/0/1/alice\n\n{TEXTED.sms}\n"


async def test_files_are_for_us_alone(tmp_path: Path) -> None:
    name = await outbox(tmp_path / "box", "sms").send(TEXTED)
    assert stat.S_IMODE((tmp_path / "box" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "box").stat().st_mode) == 0o700


async def test_the_same_message_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    sender = outbox(tmp_path, "sms")
    await sender.send(TEXTED)
    await sender.send(TEXTED)
    await sender.send(replace(TEXTED, id="INC-42/0/1/bruno"))
    assert len(list(tmp_path.iterdir())) == 2


async def test_an_id_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    name = await outbox(tmp_path / "box", "sms").send(replace(TEXTED, id="../../etc/passwd\0/" + "x" * 5000))
    assert (tmp_path / "box" / name).is_file()
    assert len(name) < 200


async def test_long_ids_that_begin_alike_are_two_files(tmp_path: Path) -> None:
    sender = outbox(tmp_path, "sms")
    await sender.send(replace(TEXTED, id="x" * 150 + "a"))
    await sender.send(replace(TEXTED, id="x" * 150 + "b"))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
async def test_a_full_or_read_only_disk_is_worth_another_try_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    def fail(handle: int) -> None:
        raise OSError(trouble, "the disk says no")

    sender = outbox(tmp_path, "sms")
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", fail)
        with pytest.raises(Undelivered, match="the disk says no") as caught:
            await sender.send(TEXTED)
    assert caught.value.outcome == "retry"
    assert list(tmp_path.iterdir()) == []
    await sender.send(TEXTED)


async def test_a_check_finds_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "box").write_text("in the way")
    with pytest.raises(Undelivered, match="the outbox cannot be written"):
        await outbox(tmp_path / "box", "sms").check()


async def test_the_oldest_files_go_when_there_are_too_many(tmp_path: Path) -> None:
    sender = outbox(tmp_path, "sms", keep="3")
    for minute in range(100):
        await sender.send(replace(TEXTED, id=f"m{minute}", at=TEXTED.at + timedelta(minutes=minute)))
    assert sorted(path.name.partition("_")[2] for path in tmp_path.iterdir()) == ["m97.txt", "m98.txt", "m99.txt"]


async def test_the_newest_messages_can_be_read_back(tmp_path: Path) -> None:
    await outbox(tmp_path, "email").send(MESSAGE)
    await outbox(tmp_path, "sms").send(replace(TEXTED, at=TEXTED.at + timedelta(minutes=1)))
    (tmp_path / "notes.txt").write_text("not one of ours")
    (tmp_path / ".half").write_text("being written")
    texted, mailed = (written for written in recent(tmp_path, 10))
    assert (texted.kind, texted.to, texted.text) == ("sms", "+33639980001", TEXTED.sms)
    assert (mailed.kind, mailed.to) == ("email", "Alice Durand <alice@example.org>")
    assert (mailed.subject, mailed.text.strip()) == (MESSAGE.subject, MESSAGE.text.strip())
    assert mailed.at == MESSAGE.at.replace(microsecond=0)


async def test_only_so_many_are_read(tmp_path: Path) -> None:
    await outbox(tmp_path, "email").send(MESSAGE)
    await outbox(tmp_path, "sms").send(TEXTED)
    assert len(recent(tmp_path, 1)) == 1
    assert recent(tmp_path / "nowhere", 5) == []


def test_the_form_must_be_chosen() -> None:
    with pytest.raises(ValidationError):
        OutboxOptions.model_validate({"path": "/tmp/x"})
