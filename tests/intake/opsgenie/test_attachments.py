"""Files attached to alerts: taken within limits, given back as downloads only."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sentinel.intake.opsgenie import attachments
from tests.intake.opsgenie.conftest import OTHER_KEY, Client, client_of

PAGE = b"<script>alert(1)</script>"


async def upload(
    og: Client, content: bytes = PAGE, name: str = "page.html", **query: str
) -> tuple[int, dict[str, Any]]:
    """Attach a file to the alert ``a``."""
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", io.BytesIO(content), filename=name, content_type="text/html")
    form.add_field("user", "amina")
    form.add_field("indexFile", "index.html")
    headers = {"Authorization": f"GenieKey {og.key}"}
    query = query or {"alertIdentifierType": "alias"}
    address = "/opsgenie/v2/alerts/a/attachments"
    async with og.door.http.post(address, data=form, headers=headers, params=query) as answer:
        return answer.status, await answer.json()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


async def test_a_file_is_attached_listed_fetched_as_a_download_and_deleted(og: Client):
    await og.create(alias="a")
    status, said = await upload(og, name="../../étage <1>.html")
    assert (status, said["data"]["name"]) == (201, "étage <1>.html")
    path = f"/alerts/a/attachments/{said['data']['id']}"
    _, listed = await og.ask("GET", "/alerts/a/attachments", identifierType="alias")
    assert listed["data"] == [said["data"]]
    _, shown = await og.ask("GET", path, alertIdentifierType="alias")
    async with og.door.http.get(shown["data"]["url"]) as answer:
        assert (answer.status, await answer.read()) == (200, PAGE)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="_tage__1_.html"; filename*=')
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    _, logs = await og.ask("GET", "/alerts/a/logs", identifierType="alias")
    assert logs["data"][0]["log"] == "Attachment étage <1>.html added"
    assert (await og.ask("DELETE", path, identifierType="alias"))[0] == 200
    assert (await og.ask("GET", path, identifierType="alias"))[0] == 404
    async with og.door.http.get(shown["data"]["url"]) as answer:
        assert answer.status == 404


async def test_nobody_else_comes_to_a_file(og: Client):
    await og.create(alias="a")
    _, said = await upload(og)
    path = f"/alerts/a/attachments/{said['data']['id']}"
    _, shown = await og.ask("GET", path, identifierType="alias")
    other = Client(og.door, OTHER_KEY)
    await other.create(alias="a")
    assert (await other.ask("GET", path, identifierType="alias"))[0] == 404
    url = shown["data"]["url"]
    for wrong in (
        url[:-1] + "g",
        url.replace("until=1", "until=9"),
        url.split("?")[0],
        url.split("?")[0] + "?until=x&proof=é",
    ):
        async with og.door.http.get(wrong) as answer:
            assert answer.status == 403, wrong


async def test_a_file_that_is_too_large_or_one_too_many_is_refused(og: Client, monkeypatch):
    await og.create(alias="a")
    assert (await upload(og, b"x" * (attachments.ATTACHMENT_MAX_BYTES + 1)))[0] == 413
    assert (await upload(og, b"x" * (2 << 20)))[0] == 201, "more than other bodies may hold"
    for _ in range(attachments.OF_ALERT_MAX - 1):
        assert (await upload(og))[0] == 201
    status, said = await upload(og)
    assert (status, said["message"]) == (422, "The alert has 10 attachments already")
    await og.create(alias="b")
    monkeypatch.setattr(attachments, "TOTAL_MAX_BYTES", 10)
    form = {"file": b"12345678901"}
    headers = {"Authorization": f"GenieKey {og.key}"}
    address = "/opsgenie/v2/alerts/b/attachments?identifierType=alias"
    with aiohttp.MultipartWriter("form-data") as writer:
        writer.append(form["file"]).set_content_disposition("form-data", name="file", filename="f")
    async with og.door.http.post(address, data=writer, headers=headers) as answer:
        assert answer.status == 422


BOUNDED = "multipart/form-data; boundary=x"
NO_FILE = b'--x\r\nContent-Disposition: form-data; name="user"\r\n\r\nu\r\n--x--\r\n'
HALF = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf a fi'


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"nothing", "multipart/form-data", 400),
        (b"nothing", BOUNDED, 400),
        (NO_FILE, BOUNDED, 422),
        (HALF, BOUNDED, 400),
    ],
)
async def test_a_form_that_is_none_is_refused(og: Client, content, kind, status):
    await og.create(alias="a")
    headers = {"Authorization": f"GenieKey {og.key}", "Content-Type": kind}
    address = "/opsgenie/v2/alerts/a/attachments?identifierType=alias"
    async with og.door.http.post(address, data=content, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        assert (await answer.json())["message"]


async def test_files_outlive_a_restart_go_with_their_alert_and_leave_nothing_behind(tmp_path: Path):
    folder = tmp_path / "attachments"
    async with client_of(tmp_path) as og:
        made = await og.create(alias="a")
        _, said = await upload(og)
        assert names(folder) == [said["data"]["id"]]
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / said["data"]["id"]).stat().st_mode & 0o777 == 0o600
    orphan = folder / "11111111-2222-3333-4444-555555555555"
    orphan.write_bytes(b"a crash left it")
    (folder / "not-ours").write_bytes(b"somebody else's")
    async with client_of(tmp_path) as og:
        assert names(folder) == sorted([said["data"]["id"], "not-ours"])
        _, listed = await og.ask("GET", f"/alerts/{made['id']}/attachments")
        assert listed["data"] == [said["data"]]
        await og.done("DELETE", f"/alerts/{made['id']}")
        watch = og.door.whole.daemon.inbound.opsgenie
        await watch.attachments.tidy(watch.book)
        assert names(folder) == ["not-ours"]


async def test_a_disk_that_takes_nothing_is_said_and_keeps_nothing(tmp_path: Path):
    (tmp_path / "attachments").write_text("a file where the folder should be")
    async with client_of(tmp_path) as og:
        await og.create(alias="a")
        status, said = await upload(og)
        assert (status, said["message"]) == (422, "The disk takes no attachments now")
        _, listed = await og.ask("GET", "/alerts/a/attachments", identifierType="alias")
        assert listed["data"] == []
