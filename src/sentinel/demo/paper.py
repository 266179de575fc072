"""Pages of the practice platform: plain accessible HTML in French or English, without scripts."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
from aiohttp import web

LANGUAGES: Final = ("en", "fr")  # The first is for who does not say.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def page(request: web.Request, template: str, *, status: int = 200, **facts: Any) -> web.Response:
    """Fill a template with facts, in the visitor's language."""
    language = language_of(request.headers.get("Accept-Language", ""))
    text = _templates().get_template(template).render(t=_words()[language], language=language, status=status, **facts)
    headers = {**HEADERS, "Content-Language": language, "Vary": "Accept-Language"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def language_of(accepted: str) -> str:
    """Return the language that a visitor likes best of those there are."""
    best, best_weight = LANGUAGES[0], 0.0
    for choice in accepted[:200].split(","):
        tag, _, weight = choice.strip().partition(";q=")
        name = tag.partition("-")[0].strip().lower()
        try:
            liked = float(weight or 1)
        except ValueError:
            continue
        if name in LANGUAGES and liked > best_weight:
            best, best_weight = name, liked
    return best


def style() -> str:
    """Return the style sheet."""
    return (files("sentinel.demo") / "templates" / "style.css").read_text("utf-8")


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("sentinel.demo"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


@cache
def _words() -> dict[str, dict[str, Any]]:
    folder = files("sentinel.demo") / "templates"
    return {name: tomllib.loads((folder / f"{name}.toml").read_text("utf-8")) for name in LANGUAGES}
