"""One mail: a stable subject, a text that reads alone, and the same as accessible HTML."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from sentinel.messages.wording import CRISIS_OVER, Wording

COLOURS: Final = {"P1": ("#a4131d", "#ff8f8f"), "P2": ("#8a4b00", "#ffb86b"), "over": ("#17663a", "#7fd8a4")}
CALM: Final = ("#1f4e8c", "#9cc4ff")
DASH: Final = "- "
HEADING_MAX_CHARS: Final = 60


class Block(NamedTuple):
    """A piece of what somebody wrote: a ``heading``, a ``list`` with its items, or a ``paragraph``."""

    shape: str
    lines: tuple[str, ...]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("sentinel.messages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html.j2")


def render(**blanks: Any) -> str:
    """Fill in the page that every mail is: no image, no script, nothing fetched; readable in light and dark."""
    return _template().render(**blanks, blocks=blocks(blanks["paragraphs"]))


def blocks(lines: Iterable[str]) -> list[Block]:
    """Return lines as what they mean: those that begin with a dash are a list, and the one above them its heading."""
    found: list[Block] = []
    for line in lines:
        if not line.startswith(DASH):
            found.append(Block("paragraph", (line,)))
        elif found and found[-1].shape == "list":
            found[-1] = Block("list", (*found[-1].lines, line.removeprefix(DASH)))
        else:
            if found and found[-1].shape == "paragraph" and len(found[-1].lines[0]) <= HEADING_MAX_CHARS:
                found[-1] = Block("heading", found[-1].lines)
            found.append(Block("list", (line.removeprefix(DASH),)))
    return found


def subject(wording: Wording) -> str:
    """Return the subject: the same for every mail of an incident, but for a mark when it is over."""
    notice = wording.notice
    mark = wording.voice.kind(notice.kind, "subject_mark")
    head = " ".join(filter(None, (notice.priority, mark)))
    what = wording.joined(wording.voice.word("colon_sms"))
    return " ".join(filter(None, (head and f"[{head}]", what, notice.incident and f"- {notice.incident}")))


def headline(wording: Wording) -> str:
    """Return what is wrong and since when, as one phrase."""
    return " ".join(filter(None, (wording.notice.priority, wording.what, wording.when)))


def text(wording: Wording, site: str) -> str:
    """Return the text part; its first line is what a list of mails previews."""
    colon = wording.voice.word("colon")
    blocks = [wording.lead, headline(wording), wording.text]
    links = [fact for fact in (wording.action(), wording.call(), wording.page()) if fact]
    blocks.append("\n".join(f"{fact.label}{colon}{fact.value}" for fact in links))
    blocks.append("\n".join(f"{fact.label}{colon}{fact.value}" for fact in wording.facts()))
    latest = [f"- {when}{colon}{what}" for when, what in wording.timeline()]
    blocks.append("\n".join([wording.voice.word("latest"), *latest] if latest else []))
    blocks.append("-- \n" + _footer(wording, site))
    return "\n\n".join(filter(None, blocks)) + "\n"


def html(wording: Wording, site: str) -> str:
    """Return the HTML part: no image, no script, nothing fetched; readable in light and dark."""
    notice = wording.notice
    tone = "over" if notice.kind in {"recovered", "closed", *CRISIS_OVER} else notice.priority or ""
    light, dark = COLOURS.get(tone, CALM)
    action, page = wording.action() or wording.call(), wording.page()
    return render(
        language=wording.voice.language,
        subject=subject(wording),
        lead=wording.lead,
        headline=headline(wording),
        paragraphs=[line for line in wording.text.split("\n") if line],
        action=action or page,
        page=page if action else None,
        facts=wording.facts(),
        facts_title=wording.voice.word("facts"),
        latest=wording.timeline(),
        latest_title=wording.voice.word("latest"),
        footer=_footer(wording, site),
        light=light,
        dark=dark,
    )


def _footer(wording: Wording, site: str) -> str:
    return wording.voice.word("footer", site=site, zone=wording.voice.zone.key)
