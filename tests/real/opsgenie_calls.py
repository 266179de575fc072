"""Every call of Opsgenie's own library for Python, as its users write them; run by the library's own interpreter.

Usage: python opsgenie_calls.py ADDRESS KEY. Prints a line of JSON: what each call came to.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import opsgenie_sdk as sdk

ALIAS = {"identifier": "event_573", "identifier_type": "alias"}


def calls(alerts: Any, beats: Any) -> Any:
    """Yield each call with its name."""
    created = sdk.CreateAlertPayload(
        message="An example",
        alias="event_573",
        description="d",
        responders=[{"name": "N2", "type": "team"}, {"username": "u@example.org", "type": "user"}],
        visible_to=[{"name": "Sample", "type": "team"}],
        actions=["Restart"],
        tags=["OverwriteQuietHours"],
        details={"key1": "v1"},
        entity="e",
        priority="P1",
        source="src",
        user="u",
        note="n",
    )
    yield "create", lambda: alerts.create_alert(create_alert_payload=created)
    yield "get", lambda: alerts.get_alert(**ALIAS)
    yield (
        "list",
        lambda: alerts.list_alerts(query='status=open AND tag:"OverwriteQuietHours"', limit=20, sort="createdAt"),
    )
    yield "count", lambda: alerts.count_alerts(query="status:open")
    payload = sdk.AcknowledgeAlertPayload(user="u", note="n", source="s")
    yield "acknowledge", lambda: alerts.acknowledge_alert(**ALIAS, acknowledge_alert_payload=payload)
    note = sdk.AddNoteToAlertPayload(user="u", note="n")
    yield "note", lambda: alerts.add_note(**ALIAS, add_note_to_alert_payload=note)
    yield "notes", lambda: alerts.list_notes(**ALIAS, order="asc")
    yield "logs", lambda: alerts.list_logs(**ALIAS)
    yield "recipients", lambda: alerts.list_recipients(**ALIAS)
    team = sdk.AddTeamToAlertPayload(team={"name": "t"})
    yield "team", lambda: alerts.add_team(**ALIAS, add_team_to_alert_payload=team)
    tags = sdk.AddTagsToAlertPayload(tags=["a", "b"])
    yield "tags", lambda: alerts.add_tags(**ALIAS, add_tags_to_alert_payload=tags)
    yield "untag", lambda: alerts.remove_tags(**ALIAS, tags=["a", "b"])
    details = sdk.AddDetailsToAlertPayload(details={"k": "v"})
    yield "details", lambda: alerts.add_details(**ALIAS, add_details_to_alert_payload=details)
    yield "undetail", lambda: alerts.remove_details(**ALIAS, keys=["k", "l"])
    message = sdk.UpdateAlertMessagePayload(message="m2")
    yield "message", lambda: alerts.update_alert_message(**ALIAS, update_alert_message_payload=message)
    priority = sdk.UpdateAlertPriorityPayload(priority="P2")
    yield "priority", lambda: alerts.update_alert_priority(**ALIAS, update_alert_priority_payload=priority)
    snooze = sdk.SnoozeAlertPayload(end_time="2090-01-01T00:00:00", user="u")
    yield "snooze", lambda: alerts.snooze_alert(**ALIAS, snooze_alert_payload=snooze)
    yield "close", lambda: alerts.close_alert(**ALIAS)
    yield from kept(alerts)
    beat = sdk.CreateHeartbeatPayload(name="h b", description="d", interval=10, interval_unit="minutes", enabled=True)
    yield "make", lambda: beats.create_heartbeat(create_heartbeat_payload=beat)
    yield "ping", lambda: beats.ping(name="h b")
    yield "beat", lambda: beats.get_heartbeat(name="h b")
    yield "beats", beats.list_heart_beats
    change = sdk.UpdateHeartbeatPayload(interval=5)
    yield "change", lambda: beats.update_heartbeat(name="h b", update_heartbeat_payload=change)
    yield "disable", lambda: beats.disable_heartbeat(name="h b")
    yield "enable", lambda: beats.enable_heartbeat(name="h b")
    yield "forget", lambda: beats.delete_heartbeat(name="h b")


def kept(alerts: Any) -> Any:
    """Yield what is kept beside alerts: searches, attachments."""
    owner = {"username": "u@example.org"}
    search = sdk.CreateSavedSearchPayload(name="urgent", query="status:open", owner=owner, description="d")
    yield "search", lambda: alerts.create_saved_searches(create_saved_search_payload=search)
    yield "searches", alerts.list_saved_searches
    named = {"identifier": "urgent", "identifier_type": "name"}
    yield "searched", lambda: alerts.get_saved_search(**named)
    change = sdk.UpdateSavedSearchPayload(name="urgent", query="priority:P1", owner=owner)
    yield "change search", lambda: alerts.update_saved_search(**named, update_saved_search_payload=change)
    asked = {"search_identifier": "urgent", "search_identifier_type": "name"}
    yield "list by search", lambda: alerts.list_alerts(**asked)
    yield "forget search", lambda: alerts.delete_saved_search(**named)
    alias = {"identifier": "with file", "alert_identifier_type": "alias"}
    made = sdk.CreateAlertPayload(message="with a file", alias="with file")
    yield "create with file", lambda: alerts.create_alert(create_alert_payload=made)
    yield "attach", lambda: alerts.add_attachment(**alias, file=__file__, user="u")
    yield "attachments", lambda: alerts.list_attachments(**alias)

    def one() -> str:
        return str(alerts.list_attachments(**alias).data[0].id)

    yield "attachment", lambda: alerts.get_attachment(**alias, attachment_id=one())
    yield "detach", lambda: alerts.remove_attachment(**alias, attachment_id=one())


def main() -> None:
    """Make every call, and ask what came of those that are done later."""
    address, key = sys.argv[1:]
    configuration = sdk.Configuration()
    configuration.host = f"http://{address}/opsgenie"
    configuration.api_key["Authorization"] = key
    client = sdk.ApiClient(configuration=configuration)
    alerts, beats = sdk.AlertApi(api_client=client), sdk.HeartbeatApi(api_client=client)
    came: dict[str, str] = {}
    for name, call in calls(alerts, beats):
        try:
            said = call()
            came[name] = "ok"
            if getattr(said, "result", None) == "Request will be processed":
                data = alerts.get_request_status(request_id=said.request_id).data
                came[name] = data.status if data.is_success else f"failed: {data.status}"
        except sdk.ApiException as error:
            came[name] = f"error {error.status}: {error.body}"
    sys.stdout.write(json.dumps(came))


if __name__ == "__main__":
    main()
