"""A status page as files that any web server can hand out: written one by one, each whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from sentinel.core.public import Page
from sentinel.reporting import status_page
from sentinel.reporting.status_page import Place

STYLE: Final = "style.css"
MODE: Final = 0o644


def files_of(page: Page, url: str, *, stale: bool = False) -> dict[str, bytes]:
    """Return the files of a page: for each language HTML, JSON and Atom, the first one's also as ``index.html``.

    ``url`` is where the page is at home; what subscribes is there.
    """
    languages = page.wanted.languages
    found = {STYLE: status_page.style()}
    for language in languages:
        place = Place(
            style=STYLE,
            languages={other: f"{other}.html" for other in languages},
            atom=f"{language}.atom",
            json=f"{language}.json",
            home=url or f"{language}.html",
        )
        found[f"{language}.json"] = status_page.json(page, language, stale=stale)
        found[f"{language}.atom"] = status_page.atom(page, language, place)
        found[f"{language}.html"] = status_page.html(page, language, place, stale=stale)
    found["index.html"] = found[f"{languages[0]}.html"]
    return found


def write(folder: Path, files: dict[str, bytes]) -> int:
    """Put files in a folder, which is made; return how many were not like that already.

    Who reads meanwhile sees each file as it was or as it is: a page never refers to what is not there yet.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = 0
    for name, body in files.items():
        path = folder / name
        if path.is_file() and path.read_bytes() == body:
            continue
        _replace(path, body)
        changed += 1
    return changed


def _replace(path: Path, body: bytes) -> None:
    number, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())  # Else a power cut could leave an empty page under the new name.
        Path(temporary).chmod(MODE)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
