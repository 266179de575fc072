"""Carriers that refuse, fall silent or cannot be trusted: the next way at once, and the same message again later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.authorities import Authority
from tests.fakes.smtp_server import SmtpServer
from tests.faults.daemon import Launcher, Site, local_part, sent_as, site

PATIENCE_S = 1.0
MAIL, TEXT = "inc-1.2.alice.email", "inc-1.2.alice.sms"


async def fail(practice: Site, by: str, **start: Any) -> None:
    """Let the target fail, with the first step of the escalation by that channel alone."""
    practice.config["escalations"]["on-call"][0]["by"] = [by]
    await practice.start(patience_s=PATIENCE_S, **start)
    practice.target.status = 503


def texts(practice: Site) -> list[str]:
    return [local_part(text["ref"]) for text in practice.gateway.texts]


def mails(practice: Site) -> list[str]:
    return [sent_as(mail) for mail in practice.relay.mails]


def state_of(practice: Site, name: str) -> str:
    return next((row.state for known, row in practice.owed().items() if known == name), "")


@pytest.mark.fault(31)
@pytest.mark.rule("DSP-4")
@pytest.mark.parametrize("answers", [{"RCPT": "450 4.2.0 greylisted"}, {"DATA": "451 4.3.0 later"}], ids=str)
async def test_a_relay_that_says_later_is_asked_again_and_the_text_goes_meanwhile(
    tmp_path: Path, launcher: Launcher, answers: dict[str, str]
):
    relay = SmtpServer(answers=answers)
    async with site(tmp_path, launcher, relay=relay) as practice:
        await fail(practice, "email")
        await practice.until(lambda: texts(practice), "the text")
        assert not relay.mails
        relay.answers.clear()
        await practice.until(lambda: mails(practice), "the mail")
        await practice.until(practice.settled, "its receipt")
        await practice.stop()
        assert mails(practice) == [MAIL]
        assert len(texts(practice)) == 1


@pytest.mark.fault(32)
@pytest.mark.rule("DSP-4")
async def test_a_relay_that_says_never_is_not_asked_again(tmp_path: Path, launcher: Launcher):
    relay = SmtpServer(answers={"RCPT": "550 5.1.1 no such user"})
    async with site(tmp_path, launcher, relay=relay) as practice:
        await fail(practice, "email")
        await practice.until(lambda: texts(practice), "the text")
        await practice.until(lambda: state_of(practice, MAIL) == "dead", "the end of the mail")
        relay.answers.clear()
        practice.target.status = 200
        await practice.until(lambda: "resolved" in practice.told(), "the recovery")
        await practice.stop()
        assert MAIL not in mails(practice)
        assert practice.owed()[MAIL].tries == 1


@pytest.mark.fault(33)
@pytest.mark.rule("DSP-3")
async def test_after_silence_the_mail_comes_again_under_the_same_message_id(tmp_path: Path, launcher: Launcher):
    relay = SmtpServer(silent=True)
    async with site(tmp_path, launcher, relay=relay) as practice:
        await fail(practice, "email")
        await practice.until(lambda: texts(practice), "the text")
        await practice.until(lambda: mails(practice), "the mail that was not answered")
        relay.silent = False
        await practice.until(lambda: state_of(practice, MAIL) == "done", "the mail")
        await practice.stop()
        assert set(mails(practice)) == {MAIL}
        assert len(mails(practice)) == 2


@pytest.mark.fault(34)
@pytest.mark.parametrize("stands_in", [True, False], ids=["another relay", "no other relay"])
async def test_a_bad_certificate_gets_no_mail(tmp_path: Path, launcher: Launcher, stands_in: bool):
    """Nobody vouches for the first relay's certificate: the one that stands in takes the mail, else the text goes."""
    stranger = Authority(tmp_path, "stranger")
    good = Authority(tmp_path, "good")
    first = SmtpServer(tls=stranger.server("localhost"))
    async with SmtpServer(tls=good.server("localhost")) as second, site(tmp_path, launcher, relay=first) as practice:
        email = practice.config["channels"]["email"]
        email.update(host="localhost", security="starttls", ca_file=str(good.file))
        if stands_in:
            email["fallback"] = {"host": "localhost", "port": second.port, "ca_file": str(good.file)}
        await fail(practice, "email")
        if stands_in:
            await practice.until(lambda: second.mails, "the mail")
            await practice.until(practice.settled, "its receipt")
            assert second.encrypted == [True]
        else:
            await practice.until(lambda: texts(practice), "the text")
            error = practice.owed()[MAIL].error
            assert "certificate is not to be trusted" in error
        await practice.stop()
        assert first.mails == []
        assert bool(texts(practice)) is not stands_in


@pytest.mark.fault(36)
@pytest.mark.rule("DSP-4")
async def test_a_gateway_in_trouble_is_replaced_by_mail_and_asked_again(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.gateway.status = 500
        await fail(practice, "sms")
        await practice.until(lambda: mails(practice), "the mail")
        refused = len(practice.gateway.received)
        practice.gateway.status = 200
        await practice.until(lambda: state_of(practice, TEXT) == "done", "the text")
        await practice.stop()
        assert refused >= 3, "it was tried a few times in quick succession"
        assert set(texts(practice)) == {TEXT}


@pytest.mark.fault(36, 37)
@pytest.mark.rule("DSP-3")
async def test_a_gateway_that_never_answers_gets_the_text_again_under_the_same_id(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.gateway.silent = True
        await fail(practice, "sms")
        await practice.until(lambda: mails(practice), "the mail")
        asked = len(practice.gateway.received)
        practice.gateway.silent = False
        await practice.until(lambda: state_of(practice, TEXT) == "done", "the text")
        await practice.stop()
        assert asked == 1, "its fate was unknown: no second try in the same burst"
        assert texts(practice) == [TEXT, TEXT]


@pytest.mark.fault(36)
async def test_a_gateway_that_asks_for_patience_gets_it(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.gateway.status, practice.gateway.headers = 429, {"Retry-After": "2"}
        await fail(practice, "sms")
        await practice.until(lambda: practice.gateway.received, "the first try")
        practice.gateway.status = 200
        await practice.until(lambda: state_of(practice, TEXT) == "done", "the text")
        await practice.stop()
        first, second = practice.gateway.received
        assert second.at - first.at > 1.5, "it was asked to wait for 2 s"
        assert texts(practice) == [TEXT, TEXT]
        assert mails(practice) == []
