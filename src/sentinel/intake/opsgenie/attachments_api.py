"""Opsgenie's attachments: files sent with an alert, given back as downloads and as nothing else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from aiohttp import BodyPartReader, MultipartReader, web

from sentinel.intake.opsgenie import alerts_api, bodies
from sentinel.intake.opsgenie.attachments import ATTACHMENT_MAX_BYTES, Attachment, NoRoom
from sentinel.intake.opsgenie.bodies import Wrong, field
from sentinel.intake.opsgenie.door import API, Caller, Reply
from sentinel.intake.opsgenie.records import Kept
from sentinel.messages.clean import one_line
from sentinel.web import people
from sentinel.web.context import CONTEXT
from sentinel.web.guard import charge_stranger
from sentinel.web.problem import Problem

NOT_FOUND: Final = "Attachment does not exist"
CONTENT: Final = "/alerts/{identifier}/attachments/{attachment}/content"
PARTS_MAX: Final = 10
FIELD_MAX_BYTES: Final = 4_096
CHUNK_BYTES: Final = 64 << 10
FILE_MAX_CHARS: Final = 150
UPLOAD_TIMEOUT_S: Final = 60.0
TEXTS: Final = ("user", "indexFile")


async def create(caller: Caller) -> Reply:
    """Take a file: the part ``file`` of a form, with ``user`` and ``indexFile`` beside it."""
    kept, attachments = alerts_api.named(caller), caller.watch.attachments
    try:
        attachments.see_room(kept.id, caller.request.content_length or 0)
        async with asyncio.timeout(UPLOAD_TIMEOUT_S):
            content, said = await _form(caller.request)
    except NoRoom as error:
        raise Wrong(422, str(error)) from error
    except TimeoutError as error:
        raise Wrong(408, f"The file did not arrive within {UPLOAD_TIMEOUT_S:.0f} s") from error
    user = bodies.line(said, "user", bodies.USER_MAX_CHARS)
    directory = caller.request.app[CONTEXT].settings().directory
    made = Attachment(
        id=str(uuid.uuid4()),
        alert=kept.id,
        integration=caller.integration.name,
        name=said["name"],
        size_bytes=len(content),
        at=caller.watch.book.clock.now(),
        by=people.known(user, directory) if user else caller.integration.name,
        index=bodies.line(said, "indexFile", FILE_MAX_CHARS),
    )
    try:
        await attachments.keep(made, content)
    except NoRoom as error:
        raise Wrong(422, str(error)) from error
    await _written(caller, kept, f"Attachment {made.name} added", made.by)
    return Reply({"result": "Attachment is added", "data": {"id": made.id, "name": made.name}}, 201)


async def list_all(caller: Caller) -> Reply:
    """List the files of an alert."""
    listed = caller.watch.attachments.of(alerts_api.named(caller).id)
    return Reply({"data": [{"id": one.id, "name": one.name} for one in listed]})


async def show(caller: Caller) -> Reply:
    """Say where a file can be fetched from: for a while also without a key."""
    _, found = _found(caller)
    path = API + CONTENT.format(identifier=found.alert, attachment=found.id)
    proof = caller.watch.attachments.signed(found, caller.watch.book.clock.now())
    url = caller.request.url.origin().with_path(path).with_query(proof)
    return Reply({"data": {"name": found.name, "url": str(url)}})


async def delete(caller: Caller) -> Reply:
    """Forget a file."""
    kept, found = _found(caller)
    await caller.watch.attachments.forget(found)
    await _written(caller, kept, f"Attachment {found.name} deleted", caller.integration.name)
    return Reply({"result": "Attachment is deleted"})


async def content(request: web.Request) -> web.StreamResponse:
    """Give a file to whoever has a link of ours: to keep, never to show."""
    watch, query = request.app[CONTEXT].opsgenie, request.query
    if watch is None:
        raise Problem(404, "There are no attachments here.")
    name, attachments = request.match_info["attachment"], watch.attachments
    if not attachments.admits(name, query.get("until", ""), query.get("proof", ""), watch.book.clock.now()):
        charge_stranger(request)
        raise Problem(403, "This link is none of ours, or holds no longer; ask for the attachment again.")
    found = attachments.find(request.match_info["identifier"], name)
    data = await attachments.read(found) if found is not None else None
    if found is None or data is None:
        raise Problem(404, "There is no such file any more.")
    return download(found.name, data)


def download(name: str, data: bytes) -> web.Response:
    """Return a file that no browser opens, whatever it holds and is called (threat T14)."""
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "_" for one in name)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return web.Response(body=data, content_type="application/octet-stream", headers=headers)


def _found(caller: Caller) -> tuple[Kept, Attachment]:
    kept = alerts_api.named(caller)
    found = caller.watch.attachments.find(kept.id, caller.request.match_info["attachment"])
    if found is None:
        raise Wrong(404, NOT_FOUND)
    return kept, found


async def _written(caller: Caller, kept: Kept, text: str, by: str) -> None:
    """Write into the log of the alert what was done with a file."""
    book = caller.watch.book
    async with book.lock(kept.integration, kept.alias):
        current = book.find(kept.integration, kept.id, "id")
        if current is not None:
            await book.keep(current.written(book.clock.now(), text, by))


async def _form(request: web.Request) -> tuple[bytes, Mapping[str, Any]]:
    """Read a form with one file.

    Raises:
        Wrong: 400 it is none, 413 the file is too large, 415 it is something else, 422 it holds no file.
    """
    if request.content_type != "multipart/form-data":
        raise Wrong(415, "Content-Type must be multipart/form-data")
    found: bytes | None = None
    said: dict[str, Any] = {}
    try:
        async for number, part in _parts(await request.multipart()):
            if number >= PARTS_MAX:
                raise Wrong(422, f"The form has more than {PARTS_MAX} parts")
            if part.name == "file" and found is None:
                found = await _read(part, ATTACHMENT_MAX_BYTES)
                said["name"] = _called(part.filename)
            elif part.name in TEXTS:
                said[part.name] = (await _read(part, FIELD_MAX_BYTES)).decode("utf-8", "replace")
    except (ValueError, AssertionError, LookupError) as error:  # What aiohttp says of a form that is none.
        raise Wrong(400, "Could not parse the form") from error
    if found is None:
        raise field("file", "File can not be empty.")
    return found, said


async def _parts(reader: MultipartReader) -> Any:
    number = 0
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise Wrong(400, "A form within a form is not read")
        yield number, part
        number += 1


async def _read(part: BodyPartReader, most_bytes: int) -> bytes:
    found = bytearray()
    while chunk := await part.read_chunk(CHUNK_BYTES):
        found += chunk
        if len(found) > most_bytes:
            raise Wrong(413, f"{part.name} is larger than {most_bytes} bytes")
    return bytes(found)


def _called(name: str | None) -> str:
    """Return what a file is called: its last part, cleaned, never a path."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return one_line(last, FILE_MAX_CHARS).strip(". ") or "attachment"
