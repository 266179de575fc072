"""How many messages a channel may carry, from the file to the dispatcher (rule DSP-7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.assembly import carriers_of
from sentinel.config.errors import ConfigError
from sentinel.core.flow import Flow, Rate

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FILE = """
site: {name: Site, timezone: Europe/Paris}
people: {amina: {email: amina@example.org, mobile: "+33639980001"}}
probes: {web: {type: tcp, target: "web1.example.org:443"}}
channels:
  mail: {type: outbox, as: email, path: out}
  sms: {type: outbox, as: sms, path: out}
  metered: {type: outbox, as: sms, path: out, budget: {per_person: [4 / 30m, 9/1d], total: 300/1d}}
  dear: {type: outbox, as: email, path: out, budget: {total: 1/1h}}
  chat: {type: webhook, url: "https://chat.example.org/hook"}
"""


@pytest.mark.rule("DSP-7")
def test_sms_are_bounded_to_ten_an_hour_unless_the_file_says_otherwise(write):
    setup = write(FILE).setup
    flows = {name: carrier.flow for name, carrier in carriers_of(setup, lambda: None).items()}
    assert flows == {
        "mail": Flow(),
        "sms": Flow(per_person=(Rate(10, HOUR),)),
        "metered": Flow(per_person=(Rate(4, HOUR / 2), Rate(9, DAY)), total=(Rate(300, DAY),)),
        "dear": Flow(total=(Rate(1, HOUR),)),
        "chat": None,  # A place is not flooded.
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("budget: {per_person: [10/1h, ten]}", "is not a budget"),
        ("countries: [33]", "is not a country's prefix"),
        ('countries: ["+33", FR]', "is not a country's prefix"),
        ("providers: [mail]", "does not carry the same"),
        ("providers: [nobody]", "unknown channel"),
        ("providers: [sms]", "its own first provider"),
        ("providers: [other, other]", "there twice"),
        ("providers: [chain]", "has `providers` itself"),
        ("providers: [other, third, fourth]", "more than 2"),
    ],
)
def test_what_a_channel_cannot_be_told_is_refused_where_it_stands(write, line, says):
    others = "".join(f"  {name}: {{type: outbox, as: sms, path: out}}\n" for name in ("other", "third", "fourth"))
    others += "  chain: {type: outbox, as: sms, path: out, providers: [other]}\n"
    with pytest.raises(ConfigError) as refusal:
        write(
            FILE.replace(
                "sms: {type: outbox, as: sms, path: out}", f"sms: {{type: outbox, as: sms, path: out, {line}}}"
            )
            + others
        )
    assert says in str(refusal.value)
    assert "channels.sms." in str(refusal.value)


def test_a_number_that_no_channel_may_send_to_is_told_and_one_that_one_may_is_not(write):
    text = FILE.replace("path: out, budget: {per_person: [4 / 30m, 9/1d], total: 300/1d}", 'path: out, countries: "{}"')
    text = text.replace(
        "sms: {type: outbox, as: sms, path: out}", 'sms: {type: outbox, as: sms, path: out, countries: ["+1", "+44"]}'
    )
    assert [str(one) for one in write(text.replace('"{}"', '"+33"')).warnings if "country" in str(one)] == []
    (told,) = [str(one) for one in write(text.replace('"{}"', '"+49"')).warnings if "country" in str(one)]
    assert "people.amina.mobile" in told
    assert "`sms`, `metered`" in told


def test_countries_are_of_numbers(write):
    with pytest.raises(ConfigError, match="only numbers have a country"):
        write(
            FILE.replace(
                "mail: {type: outbox, as: email, path: out}",
                'mail: {type: outbox, as: email, path: out, countries: "+33"}',
            )
        )
