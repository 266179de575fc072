"""What Alertmanager 0.25 and Opsgenie's own library for Python sent, byte for byte as to their bodies."""

from __future__ import annotations

from tests.intake.opsgenie.conftest import Client

ALIAS = "bb8f754bf7b30558505b3564d9e530b4928bc583859abb6cd3733737f6bfd14a"
FIRED = (
    '{"alias":"' + ALIAS + '","message":"disque plein é","description":"desc DiskFull","details":'
    '{"alertname":"DiskFull","extra":"critical","instance":"db1","severity":"critical","site":"paris"},'
    '"source":"http://127.0.0.1:19093","responders":[{"name":"N2","type":"team"},{"username":"a@b.c","type":"user"},'
    '{"id":"4513b7ea-3b91-438f-b7e4-e3e54af9147c","type":"schedule"}],"tags":["a","b","paris"],"note":"note firing",'
    '"priority":"P1","entity":"ent","actions":["Restart","Exploit"]}'
)
CREATED = (
    '{"user": "u", "note": "n", "source": "src", "message": "An example", "alias": "event_573", "description": "d", '
    '"responders": [{"name": "N2", "type": "team"}, {"username": "u@x", "type": "user"}], "visibleTo": [{"name": '
    '"Sample", "type": "team"}], "actions": ["Restart"], "tags": ["OverwriteQuietHours"], "details": {"key1": "v1"}, '
    '"entity": "e", "priority": "P1"}'
)
# What the library sent after that, with whether it is possible: method, path, body.
EVENT = "/alerts/event_573"
SENT = (
    ("POST", f"{EVENT}/acknowledge?identifierType=alias", '{"user": "u", "note": "n", "source": "s"}', True),
    ("POST", f"{EVENT}/unacknowledge?identifierType=alias", '{"user": "u"}', True),
    ("POST", f"{EVENT}/notes?identifierType=alias", '{"user": "u", "note": "n", "source": "s"}', True),
    ("POST", f"{EVENT}/snooze?identifierType=alias", '{"user": "u", "endTime": "2026-12-01T00:00:00Z"}', True),
    ("POST", f"{EVENT}/escalate?identifierType=alias", '{"escalation": {"name": "e"}}', False),
    ("POST", f"{EVENT}/assign?identifierType=alias", '{"owner": {"username": "x@y"}}', False),  # Nobody is called that.
    ("POST", f"{EVENT}/teams?identifierType=alias", '{"team": {"name": "t"}}', True),
    ("POST", f"{EVENT}/responders?identifierType=alias", '{"responder": {"type": "user", "username": "x@y"}}', True),
    ("POST", f"{EVENT}/tags?identifierType=alias", '{"tags": ["a", "b"]}', True),
    ("DELETE", f"{EVENT}/tags?identifierType=alias&tags=a%2Cb", "", True),
    ("POST", f"{EVENT}/details?identifierType=alias", '{"details": {"k": "v"}}', True),
    ("DELETE", f"{EVENT}/details?identifierType=alias&keys=k%2Cl", "", True),
    ("PUT", f"{EVENT}/priority?identifierType=alias", '{"priority": "P2"}', True),
    ("PUT", f"{EVENT}/message?identifierType=alias", '{"message": "m2"}', True),
    ("PUT", f"{EVENT}/description?identifierType=alias", '{"description": "m2"}', True),
    ("POST", f"{EVENT}/actions/Restart?identifierType=alias", '{"user": "u"}', True),
    # The Go library leaks what it looked the alert up by.
    ("POST", f"{EVENT}/notes?identifierType=alias", '{"IdentifierType":1,"IdentifierValue":"x","note":"go"}', True),
    ("POST", f"{EVENT}/close?identifierType=alias", "", True),
    ("DELETE", f"{EVENT}?identifierType=alias&user=u&source=s", "", False),  # An alias is of what is open.
)


async def sent(og: Client, method: str, path: str, body: str) -> dict[str, object]:
    """Send the bytes of a recording; return the answer, which must be a 202."""
    headers = {"Authorization": f"GenieKey {og.key}", "Content-Type": "application/json"}
    async with og.door.http.request(method, f"/opsgenie/v2{path}", data=body.encode(), headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        return dict(await answer.json())


async def test_an_alertmanager_fires_says_it_again_with_another_text_and_resolves(og: Client):
    await sent(og, "POST", "/alerts", FIRED)
    await sent(og, "PUT", f"/alerts/{ALIAS}/message?identifierType=alias", '{"message":"disque plein é"}')
    await sent(og, "PUT", f"/alerts/{ALIAS}/description?identifierType=alias", '{"description":"desc DiskFull"}')
    await sent(og, "POST", "/alerts", FIRED)
    shown = await og.alert(ALIAS, identifierType="alias")
    assert (shown["count"], shown["details"]["site"], shown["tags"]) == (2, "paris", ["a", "b", "paris"])
    assert [one["type"] for one in shown["responders"]] == ["team", "user", "schedule"]
    assert await og.states() == [("disque plein é", "P1", "open")]
    (state,) = og.door.whole.daemon.desk.open()
    (standing,) = state.signals.values()
    assert standing.signal.reason == "DiskFull"
    assert standing.signal.labels["integration"] == "watcher"
    await sent(og, "POST", f"/alerts/{ALIAS}/close?identifierType=alias", '{"source":"http://127.0.0.1:19093"}')
    assert await og.states() == [("disque plein é", "P1", "resolved")]


async def test_everything_that_opsgenies_library_sent_is_taken_and_what_came_of_it_can_be_asked(og: Client):
    await sent(og, "POST", "/alerts", CREATED)
    for method, path, body, possible in SENT:
        said = await sent(og, method, path, body)
        _, found = await og.ask("GET", f"/alerts/requests/{said['requestId']}")
        assert found["data"]["success"] is possible, (path, found["data"])
    assert [one[2] for one in await og.states()] == ["resolved"]
