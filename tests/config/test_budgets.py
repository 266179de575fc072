"""How many messages a channel may carry, from the file to the dispatcher (rule DSP-7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.assembly import carriers_of
from sentinel.core.flow import Flow, Rate

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FILE = """
site: {name: Site, timezone: Europe/Paris}
people: {amina: {email: amina@example.org, mobile: "+33639980001"}}
probes: {web: {type: tcp, target: "web1.example.org:443"}}
channels:
  mail: {type: outbox, as: email, path: out}
  sms: {type: outbox, as: sms, path: out}
  metered: {type: outbox, as: sms, path: out, budget: {per_person: 4 / 30m, total: 300/1d}}
  dear: {type: outbox, as: email, path: out, budget: {total: 1/1h}}
  chat: {type: webhook, url: "https://chat.example.org/hook"}
"""


@pytest.mark.rule("DSP-7")
def test_sms_are_bounded_to_ten_an_hour_unless_the_file_says_otherwise(write):
    setup = write(FILE).setup
    flows = {name: carrier.flow for name, carrier in carriers_of(setup, lambda: None).items()}
    assert flows == {
        "mail": Flow(),
        "sms": Flow(per_person=Rate(10, HOUR)),
        "metered": Flow(per_person=Rate(4, HOUR / 2), total=Rate(300, DAY)),
        "dear": Flow(total=Rate(1, HOUR)),
        "chat": None,  # A place is not flooded.
    }
