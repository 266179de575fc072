"""Nobody is told by mail that the mail is down; when it works again, the mail follows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sentinel.core.model import Listener
from tests.core.story import DIRECTORY, PLAN, Story, person, step

MAIL = replace(PLAN, carries=("email",))
pytestmark = pytest.mark.rule("DSP-5")


def test_who_is_told_by_mail_otherwise_is_told_by_another_way():
    assert Story(replace(PLAN, listeners=())).report().paged() == ["alice/sms", "alice/email", "bob/email"]
    assert Story(replace(MAIL, listeners=())).report().paged() == ["alice/sms", "bob/sms"]


def test_a_step_by_mail_and_who_listens_by_mail_too():
    plan = replace(MAIL, ladder=(step(0, "elise", by=("email",)),), listeners=(Listener(who="rita", by=("email",)),))
    assert sorted(Story(plan).report().told()) == ["elise/sms escalated", "rita/sms opened"]


def test_a_stand_in_that_the_service_carries_too_is_not_taken():
    story = Story(replace(MAIL, carries=("email", "modem"), listeners=())).report()
    story.told()
    story.fail("alice/sms")
    assert not [said for said in story.told() if said.split()[0] in {"alice/email", "alice/modem"}]


def test_who_has_nothing_but_mail_is_told_by_mail_all_the_same():
    directory = replace(DIRECTORY, people=DIRECTORY.people | {"bob": person("bob", "email", mobile=False)})
    assert Story(MAIL, directory).report().paged() == ["alice/sms", "bob/email"]


def test_when_it_works_again_the_mail_follows_to_everybody_who_was_told_otherwise():
    story = Story(MAIL).report().accept()
    story.told()
    told = set(story.recover().told())
    assert {"alice/email resolved", "bob/email resolved", "rita/email resolved", "bob/sms resolved"} <= told


def test_a_service_that_carries_nothing_is_told_as_ever_and_gets_no_mail_more():
    story = Story(replace(PLAN, ladder=(step(0, "elise", by=("sms",)),))).report().accept()
    story.told()
    assert sorted(story.recover().told()) == ["elise/sms resolved", "rita/email resolved"]
