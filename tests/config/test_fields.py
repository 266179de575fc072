"""Each type of value: what it reads, and what it says of the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sentinel.config import fields as f


def read(kind: Any, value: Any, **context: Any) -> Any:
    return TypeAdapter(kind).validate_python(value, context=context)


def said(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as refusal:
        read(kind, value)
    context = refusal.value.errors()[0]["ctx"]
    return "; ".join(part for part in (context["what"], context["suggestion"]) if part)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (f.Duration, "30s", timedelta(seconds=30)),
        (f.Duration, "1h30m", timedelta(minutes=90)),
        (f.Duration, "250ms", timedelta(milliseconds=250)),
        (f.Duration, "1.5h", timedelta(minutes=90)),
        (f.Duration, "0m", timedelta(0)),
        (f.Duration, "5y", timedelta(days=1825)),
        (f.Size, "1MiB", 1 << 20),
        (f.Size, "64KiB", 65536),
        (f.Size, "1MB", 1_000_000),
        (f.Size, "512B", 512),
        (f.Percent, "99.5%", 99.5),
        (f.Flag, "yes", True),
        (f.Flag, "Off", False),
        (f.Count, "0", 0),
        (f.Whole, "-3", -3),
        (f.Number, "1.5e3", 1500.0),
        (f.Port, "65535", 65535),
        (f.HostPort, "web1.example.org:443", f.HostPort("web1.example.org", 443)),
        (f.HostPort, "[2001:db8::1]:80", f.HostPort("2001:db8::1", 80)),
        (f.Mobile, "+33 6.39-98 00 01", "+33639980001"),
        (f.Mailbox, '"Sentinel TDP" <s@example.org>', f.Mailbox("Sentinel TDP", "s@example.org")),
        (f.Mailbox, "s@example.org", f.Mailbox("", "s@example.org")),
        (f.OneOrMany[f.Count], "1", (1,)),
        (f.OneOrMany[f.Count], ["1", "2"], (1, 2)),
        (f.Date, "2026-12-24", date(2026, 12, 24)),
        (f.Instant, "2026-12-24T09:00+02:00", datetime(2026, 12, 24, 7, tzinfo=UTC)),
    ],
)
def test_a_text_is_read(kind, text, value):
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (f.Duration, "300", "'300' is not a duration; write `300s` or `300m`"),
        (f.Duration, "5 m", "'5 m' is not a duration; write it as `30s`, `5m`, `1h30m` or `2d`"),
        (f.Duration, "-5m", "'-5m' is not a duration; write it as `30s`, `5m`, `1h30m` or `2d`"),
        (f.Duration, "101y", "'101y' is too long; at most `100y`"),
        (f.Duration, "999999999999y", "'999999999999y' is too long; at most `100y`"),
        (f.Duration, "٣s", "'٣s' is not a duration; write it as `30s`, `5m`, `1h30m` or `2d`"),
        (f.Duration, None, "nothing is not a duration; write `30s` or `5m`"),
        (f.Duration, {}, "a mapping is not a duration; write `30s` or `5m`"),
        (f.Size, "64", "'64' is not a size; write `64B` or `64KiB`"),
        (f.Percent, "50", "'50' is not a percentage; write `50%`"),
        (f.Percent, "101%", "'101%' is over 100%"),
        (f.Flag, "maybe", "'maybe' is neither yes nor no; write `true` or `false`"),
        (f.Count, "-1", "'-1' is negative; write 0 or more"),
        (f.Count, "9" * 5000, f"'{'9' * 79}…' is not a whole number"),
        (f.Number, "nan", "'nan' is not a number"),
        (f.HostPort, "web1", "'web1' has no port; write it as `host:port` or `[v6]:port`"),
        (f.HostPort, "::1:80", "'::1:80' has no port; write it as `host:port` or `[v6]:port`"),
        (f.HostPort, "web1:0", "'web1:0' has no port from 1 to 65535; write it as `host:port`"),
        (f.HostPort, "[web1]:80", "'[web1]:80' holds no IPv6 address"),
        (f.Url, "ftp://example.org", "'ftp://example.org' is not a web address; write it as `https://host/path`"),
        (f.Url, "http://a b/", "'http://a b/' holds a blank or control character"),
        (
            f.Mobile,
            "0639980002",
            "'0639980002' is not an international number; write +33 then the number without its 0",
        ),
        (f.MailAddress, "a@b@c", "'a@b@c' is not a mail address; write it as `name@example.org`"),
        (f.MailAddress, "a@b\r\nBcc: x@y", "'a@b\r\nBcc: x@y' is not a mail address; write it as `name@example.org`"),
        (f.Mailbox, "A <b>", "'A <b>' is not a mail address; write it as `Name <name@example.org>`"),
        (f.Regex, "(a", "'(a' is not a pattern: missing ): (a"),
        (f.Regex, "a" * 5000, "the pattern is longer than 4096 characters"),
        (f.Comparison, "~ 3", '\'~ 3\' is not a comparison; write it as `">= 1"` or `"< 90"`'),
        (f.Date, "24/12/2026", "'24/12/2026' is not a date; write it as `2026-12-24`"),
        (f.TimeZoneName, "../../etc/passwd", "'../../etc/passwd' is not a time zone; write it as `Europe/Paris`"),
        (f.CidrNetwork, "10.1.2.3/8", "'10.1.2.3/8' is a host inside a network; write `10.0.0.0/8`"),
    ],
)
def test_a_wrong_value_is_told(kind, value, message):
    assert said(kind, value) == message


def test_a_moment_without_an_offset_is_local_to_the_site():
    paris = ZoneInfo("Europe/Paris")
    assert read(f.Instant, "2026-12-24 09:00", timezone=paris) == datetime(2026, 12, 24, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "good", "bad"), [(">= 1", 1, 0), ("< 90", 89.9, 90), ("5", 5, 6), ("!= 0", 1, 0), (">.5", 0.6, 0.5)]
)
def test_a_comparison_holds_or_not(text, good, bad):
    comparison = read(f.Comparison, text)
    assert comparison.holds(good)
    assert not comparison.holds(bad)


def test_a_pattern_finds_in_text():
    assert read(f.Regex, "a(b+)").search("xabbx")[1] == "bb"
    assert f.Regex("a(b+)").search("ab")


def test_a_secret_shows_itself_to_nobody_but_reveal():
    secret = read(f.Secret, "hunter2")
    assert secret.reveal() == "hunter2"
    assert f"{secret} {secret!r} {[secret]}" == "**** **** [****]"
    assert secret == f.Secret("hunter2")
    assert len({secret, f.Secret("hunter2")}) == 1


def test_a_secret_web_address_is_not_quoted_when_it_is_wrong():
    assert "hunter2" not in said(f.SecretUrl, "hunter2")
    assert read(f.SecretUrl, "https://hook.example.org/x").reveal() == "https://hook.example.org/x"


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_what_is_written_as_a_duration_is_read_back(duration):
    whole = timedelta(milliseconds=round(duration.total_seconds() * 1000))
    assert read(f.Duration, f.write_duration(whole)) == whole


KINDS = [
    *(f.Duration, f.Size, f.Percent, f.Flag, f.Count, f.Number, f.HostPort, f.Host, f.Url, f.MailAddress, f.Mailbox),
    *(f.Mobile, f.Regex, f.Comparison, f.Instant, f.Date, f.TimeZoneName, f.CidrNetwork, f.OneOrMany[f.Host]),
]


@given(st.sampled_from(KINDS), st.text(max_size=30))
def test_any_text_is_read_or_refused(kind, text):
    kinds = set()
    try:
        read(kind, text)
    except ValidationError as error:
        kinds = {one["type"] for one in error.errors()}
    assert kinds <= {"mistake", "greater_than_equal", "less_than_equal"}
