from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.core import accounts
from sentinel.core.accounts import Account, Disabled, Enabled, Invited, PasswordSet, SecondSet
from sentinel.core.model import Refused

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
INVITED = Invited(at=NOW, by="root", digest="d", expires_at=LATER)
SET = PasswordSet(at=NOW, by="amina", digest="argon")
GONE = Disabled(at=NOW, by="root", why="left")


def account(*facts: accounts.Fact) -> Account:
    return accounts.account_of("amina", facts)


def test_an_invitation_works_until_it_ends_and_once():
    asked = account(INVITED)
    assert asked.invited(NOW)
    assert not asked.invited(LATER)
    assert not account(INVITED, SET).invited(NOW)


def test_an_account_is_usable_with_a_password_while_it_is_not_disabled():
    assert not account().usable
    assert not account(INVITED).usable
    assert account(INVITED, SET).usable
    assert not account(SET, GONE).usable
    assert account(SET, GONE, Enabled(at=NOW, by="root")).usable


def test_disabling_takes_an_invitation_back():
    assert not account(INVITED, GONE).invited(NOW)


def test_a_second_factor_comes_and_goes():
    on = account(SET, SecondSet(at=NOW, by="amina", secret="JBSWY3DPEHPK3PXP"))
    assert on.second
    assert not account(SET, SecondSet(at=NOW, by="amina", secret="")).second


def test_what_makes_no_sense_is_refused():
    with pytest.raises(Refused, match="disabled; enable it first"):
        accounts.invite(account(GONE), INVITED)
    with pytest.raises(Refused, match="disabled already"):
        accounts.disable(account(GONE), GONE)
    with pytest.raises(Refused, match="needs a reason"):
        accounts.disable(account(), Disabled(at=NOW, by="root", why=" "))
    with pytest.raises(Refused, match="is not disabled"):
        accounts.enable(account(), Enabled(at=NOW, by="root"))


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaaaaaa", "Amina-Benali-Amina", "password123456"])
def test_a_password_that_is_guessed_first_is_refused(password):
    with pytest.raises(Refused):
        accounts.fitting(password, "amina", "Amina Benali")


@pytest.mark.parametrize("password", ["le chat dort sur le serveur", "correct horse battery staple", "T7v!9q#Lm2$w"])
def test_a_sentence_is_a_password(password):
    assert accounts.fitting(password, "amina", "Amina Benali") == password
