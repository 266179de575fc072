"""Jobs call as they called healthchecks.io, Uptime Kuma and Gatus."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.core.pings import BODY_MAX_CHARS, Heard, Said, hear
from sentinel.intake import ping_limits
from sentinel.probes.heartbeat import Keywords
from sentinel.web.problem import Problem
from tests.fakes.room import KEY

RID = "5cc5b1ae-7ac1-4bd5-9a5f-1e1b0f7e9d02"
NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
PING_KEY = "aVeryLongPingKeyOf22Ch"


@pytest.fixture
def heard(served):
    """What the daemon was told of `nightly`."""
    return served.room.heard


def job(served, **changes: object) -> None:
    """Configure the job of the room otherwise."""
    settings = served.room.settings
    (known,) = settings.jobs
    served.room.settings = replace(settings, jobs=(replace(known, **changes),), ping_key=PING_KEY)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_a_call_is_on_disk_before_it_is_answered(served, heard, method):
    async with served.http.request(method, f"/ping/{KEY}") as answer:
        assert answer.status == 200
        assert await answer.text() == ("" if method == "HEAD" else "OK")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Ping-Body-Limit"] == "10000"
    assert heard == [("nightly", Said())]
    assert served.room.store.heartbeats()["nightly"].failure == ""


@pytest.mark.parametrize(
    ("end", "body", "said"),
    [
        ("/fail", b"", Said(kind="fail")),
        ("/fail", b"disk\x1b full\n", Said(kind="fail", body="disk\ufffd full")),
        ("/0", b"", Said(status=0)),
        ("/1", b"why", Said(kind="fail", status=1, body="why")),
        ("/255", b"", Said(kind="fail", status=255)),
        ("/start", b"", Said(kind="start")),
        ("/log", b"working", Said(kind="log", body="working")),
        (f"?rid={RID}", b"", Said(rid=RID)),
        (f"/start?rid={RID.upper()}", b"", Said(kind="start", rid=RID)),
    ],
)
async def test_a_call_says_how_it_went(served, heard, end, body, said):
    async with served.http.post(f"/ping/{KEY}{end}", data=body) as answer:
        assert (answer.status, await answer.text()) == (200, "OK")
    assert heard == [("nightly", said)]


async def test_what_is_sent_with_a_call_is_kept_as_far_as_it_goes(served, heard):
    async with served.http.post(f"/ping/{KEY}", data=b"\xff" * 900_000) as answer:
        assert answer.status == 200
    assert 0 < len(heard[0][1].body) <= BODY_MAX_CHARS


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/ping/unknown", 404, "not found"),
        (f"/ping/{KEY[:-1]}", 404, "not found"),
        (f"/ping/{KEY}x", 404, "not found"),
        (f"/ping/{KEY}/256", 400, "invalid url format"),
        (f"/ping/{KEY}/-1", 404, "not found"),
        (f"/ping/{KEY}/²", 404, "not found"),
        (f"/ping/{KEY}/stop", 404, "not found"),
        (f"/ping/{KEY}/nightly/start", 404, "not found"),
        ("/ping/%FF%FE", 404, "not found"),
        ("/ping/nightly", 404, "not found"),
        (f"/ping/{KEY}?rid=no", 400, "invalid uuid format"),
        (f"/ping/{PING_KEY}/other", 404, "not found"),
        (f"/ping/{PING_KEY}/Nightly", 400, "invalid url format"),
        (f"/ping/{PING_KEY}", 400, "invalid url format"),
        (f"/ping/{PING_KEY}x/nightly", 404, "not found"),
    ],
)
async def test_a_call_that_means_nothing_is_refused_as_elsewhere(served, heard, path, status, text):
    job(served)
    async with served.http.get(path) as answer:
        assert (answer.status, await answer.text()) == (status, text)
    assert heard == []


@pytest.mark.parametrize(("end", "said"), [("", Said()), ("/fail", Said(kind="fail")), ("/start", Said(kind="start"))])
async def test_one_key_serves_all_jobs_by_their_slugs(served, heard, end, said):
    job(served, key="")
    async with served.http.get(f"/ping/{PING_KEY}/nightly{end}") as answer:
        assert (answer.status, await answer.text()) == (200, "OK")
    assert heard == [("nightly", said)]


async def test_without_a_key_of_all_no_slug_is_found(served, heard):
    async with served.http.get("/ping//nightly") as answer:
        assert answer.status == 404
    assert heard == []


async def test_a_job_may_count_posts_only(served, heard):
    job(served, post_only=True)
    async with served.http.get(f"/ping/{KEY}") as answer:
        assert (answer.status, await answer.text()) == (200, "OK")
    assert heard == []
    async with served.http.post(f"/ping/{KEY}") as answer:
        assert answer.status == 200
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("body", "kind"), [("all done", "success"), ("done, 1 error", "fail"), ("hello", "log"), ("", "success")]
)
async def test_words_in_the_body_may_say_how_it_went(served, heard, body, kind):
    job(served, meaning=Keywords(success=("done",), fail=("error",)).meaning)
    async with served.http.post(f"/ping/{KEY}", data=body.encode()) as answer:
        assert answer.status == 200
    assert heard[0][1].kind == kind


async def test_a_call_that_cannot_be_kept_is_not_confirmed(served, heard):
    with served.room.broken_store():
        async with served.http.get(f"/ping/{KEY}") as answer:
            assert answer.status == 503
    assert heard == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", Said()),
        ("?status=up&msg=OK&ping=120", Said(body="OK", ran_s=0.12)),
        ("?status=down&msg=too%20slow&ping=", Said(kind="fail", body="too slow")),
        ("?status=up&ping=nan", Said()),
    ],
)
async def test_the_push_address_of_uptime_kuma(served, heard, query, said):
    async with served.http.get(f"/api/push/{KEY}{query}") as answer:
        assert (answer.status, await answer.json()) == (200, {"ok": True})
    assert heard == [("nightly", said)]
    async with served.http.get("/api/push/other") as answer:
        assert answer.status == 404
        assert (await answer.json())["ok"] is False


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("success=true&duration=10s", Said(ran_s=10)),
        ("success=false&error=no+route", Said(kind="fail", body="no route")),
    ],
)
async def test_the_external_endpoint_of_gatus(served, heard, query, said):
    bearer = {"Authorization": f"Bearer {KEY}"}
    async with served.http.post(f"/api/v1/endpoints/nightly/external?{query}", headers=bearer) as answer:
        assert answer.status == 200
    assert heard == [("nightly", said)]


@pytest.mark.parametrize(
    ("path", "bearer", "status"),
    [
        ("nightly/external?success=true", "", 401),
        ("nightly/external?success=true", "Bearer other", 401),
        ("other/external?success=true", f"Bearer {KEY}", 401),
        ("nightly/external?success=perhaps", f"Bearer {KEY}", 400),
        ("nightly/external?success=true&duration=long", f"Bearer {KEY}", 400),
    ],
)
async def test_a_gatus_call_that_means_nothing_is_refused(served, heard, path, bearer, status):
    headers = {"Authorization": bearer} if bearer else {}
    async with served.http.post(f"/api/v1/endpoints/{path}", headers=headers) as answer:
        assert answer.status == status
    assert heard == []


async def call(served, end: str = "") -> tuple[int, str]:
    async with served.http.post(f"/ping/{KEY}{end}") as answer:
        return answer.status, answer.headers.get("Retry-After", "")


async def test_calls_that_say_nothing_new_are_refused_when_there_are_too_many_and_what_is_new_is_heard(served, heard):
    answers = [await call(served) for _ in range(ping_limits.BURST + 5)]
    assert answers[0] == (200, "")
    status, after = answers[-1]
    assert (status, 1 <= int(after) <= 60) == (429, True)
    kept = len(heard)
    for end, kind in (("/fail", "fail"), ("/start", "start"), ("", "success"), ("/1", "fail")):
        assert (await call(served, end))[0] == 200, f"{end} says something new"
        assert heard[-1][1].kind == kind
    assert len(heard) == kept + 4
    assert served.room.known["nightly"].failure == "the job ended with status 1"


def refusal(limits: ping_limits.PingLimits, said: Said, known: Heard, now_s: float) -> Problem | None:
    """Return how a call is refused; nothing when it is taken."""
    try:
        limits.see("job", said, known, now_s)
    except Problem as problem:
        return problem
    return None


def test_a_job_that_says_something_new_each_time_is_refused_in_the_end_and_may_come_again():
    limits, known = ping_limits.PingLimits(), Heard()

    def taken(count: int, now_s: float) -> int:
        nonlocal known
        heard = 0
        for number in range(count):
            said = Said(kind="fail" if number % 2 else "success")
            if (refused := refusal(limits, said, known, now_s)) is None:
                known = hear(known, said, NOW, timedelta(minutes=1))
                heard += 1
            else:
                assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        return heard

    assert taken(2_000, 0.0) == ping_limits.BURST + ping_limits.NEWS_BURST
    assert taken(1, 0.0) == 0
    assert taken(1, 1.0) == 1
    limits.see("another", Said(), Heard(), 0.0)


def test_a_job_that_calls_once_a_second_is_never_refused():
    limits = ping_limits.PingLimits()
    for second in range(3_600):
        limits.see("job", Said(), Heard(), float(second))


async def test_keys_that_nobody_has_are_slowed_down_and_those_who_call_with_theirs_are_not(served):
    served.room.settings = replace(served.room.settings, limit=(0.1, 20.0))
    guessed = [(await served.http.get(f"/ping/guess-{number}")).status for number in range(30)]
    assert set(guessed) == {404, 429}
    assert (await call(served))[0] == 200


async def test_the_last_calls_of_a_job_are_shown_with_what_they_said_newest_first(served):
    for end, body in (("/start", b""), ("/1", b"disk full"), ("/log", b"a\nb")):
        async with served.http.post(f"/ping/{KEY}{end}?rid={RID}", data=body) as answer:
            assert answer.status == 200
    async with served.http.get("/api/v1/heartbeats/nightly/pings") as answer:
        listed = await answer.json()
    assert [(one["kind"], one["status"], one["body"], one["rid"]) for one in listed] == [
        ("log", None, "a\nb", RID), ("fail", 1, "disk full", RID), ("start", None, "", RID),
    ]  # fmt: skip
    async with served.http.get("/api/v1/heartbeats/nightly/pings?limit=2") as answer:
        assert len(await answer.json()) == 2
        rest = answer.links["next"]["url"]
    async with served.http.get(rest) as answer:
        assert [one["kind"] for one in await answer.json()] == ["start"]
    async with served.http.get("/api/v1/heartbeats/web-ping/pings") as answer:
        assert answer.status == 404
