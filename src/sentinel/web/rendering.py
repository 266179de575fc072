"""How a page is made: templates, words, the stylesheet and the script, and what is remembered in a browser."""

from __future__ import annotations

import threading
from functools import cache, partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal, get_args
from urllib.parse import urlencode, urlsplit

import structlog
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sentinel.core.change import Change
from sentinel.core.model import Language
from sentinel.core.requests import shown
from sentinel.messages.clean import clean
from sentinel.web import changes, identity, naming, people, tenancy
from sentinel.web.context import CONTEXT
from sentinel.web.navigation import entries
from sentinel.web.problem import Problem
from sentinel.web.wording import LANGUAGE_COOKIE, LANGUAGES, catalogue, wording

log = structlog.get_logger(__name__)

Theme = Literal["auto", "light", "dark"]
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)

SHOWN_MAX_CHARS: Final = 2000
THEME_COOKIE: Final = "sentinel_theme"
CHOICES: Final = frozenset({"lang", "theme"})
COOKIE_MAX_AGE_S: Final = 365 * 86_400
STATIC_MAX_AGE_S: Final = 86_400
WARM_PAUSE_S: Final = 0.02

# Files of a folder are served as one: a page costs one request for its looks and one for its script.
BUNDLES: Final = {"style.css": ("css", "text/css"), "script.js": ("js", "text/javascript")}
FILES: Final = {"icon.svg": "image/svg+xml"}


def render(request: web.Request, template: str, *, language: Language | None = None, **values: Any) -> web.Response:
    """Answer with a page made from a template, in a language or in the one that the browser asks for."""
    context = request.app[CONTEXT]
    settings = context.settings()
    words = wording(request, settings, context.now(), language)
    who, path = identity.of(request), _place(request)
    # Whoever follows a link of a message is one of us; a stranger at a form is told nothing of what goes on.
    link = who is None and request.path.startswith("/a/") and "problem" not in values
    text = (
        _templates()
        .get_template(template)
        .render(
            words=words,
            say=words.say,
            languages=LANGUAGES,
            settings=settings,
            person=lambda name: people.shown(name, settings.directory),
            service=lambda name: settings.services.get(name, name),
            shown=shown,
            table_of=lambda one: "request" if one.kind == "request" else "phase",
            overload=context.overload.now,
            health=context.health(),
            maintenance=_maintenance(request, who) if who is not None or link else [],
            inside=link if who is None else who.role != "customer",
            my_name=naming.offered(request, who),
            for_all=request.get(naming.FOR_ALL, False),
            path=path,
            choice=partial(_choice, request, path),
            theme=_theme(request),
            themes=THEMES,
            asks=who,
            entries=entries(request.path, who),
            **values,
        )
    )
    response = web.Response(text=text, content_type="text/html", charset="utf-8")
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query.get("lang") in LANGUAGES:
        _remember(response, LANGUAGE_COOKIE, words.language)
    if request.query.get("theme") in THEMES:
        _remember(response, THEME_COOKIE, _theme(request))
    return response


def went_back(request: web.Request, where: str, by: str) -> web.Response:
    """Answer a form that was done: back to a page, which remembers who did it."""
    context = request.app[CONTEXT]
    response = web.Response(status=303, headers={"Location": where})
    name = people.shown(by, context.settings().directory)
    _remember(response, naming.NAME_COOKIE, name.encode().hex())
    return response


def error_page(request: web.Request, problem: Problem) -> web.Response:
    """Say on a page why something was not done."""
    response = render(request, "error.html", problem=problem, asked=request.method != "GET")
    response.set_status(problem.status)
    response.headers.update(problem.headers)
    return response


async def static(request: web.Request) -> web.Response:
    """Serve the stylesheet, the script and the icon."""
    name = request.match_info["name"]
    if name in BUNDLES:
        folder, content_type = BUNDLES[name]
        body = _bundle(folder)
    elif name in FILES:
        content_type, body = FILES[name], _folder().joinpath(name).read_bytes()
    else:
        raise web.HTTPNotFound(reason="There is no such file")
    headers = {"Cache-Control": f"public, max-age={STATIC_MAX_AGE_S}"}
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


def warm(ended: threading.Event) -> None:
    """Read all templates and words, unless it has ``ended``. It blocks for a second: else the first who looks waits.

    And so would everything else meanwhile: a template is compiled on the loop that asks for it. What cannot be read now
    is read when it is looked at.
    """
    try:
        for language in LANGUAGES:
            catalogue(language)
        templates = _templates()
        for name in templates.list_templates(["html"]):
            templates.get_template(name)
            if ended.wait(WARM_PAUSE_S):  # Others have their turns in between.
                return
    except OSError as error:
        log.warning("pages not read ahead", why=str(error))


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("sentinel.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )


def _maintenance(request: web.Request, who: identity.Identity | None) -> list[Change]:
    """Return the windows that whoever looks may know of: a customer those of their services."""
    found = changes.banner(request.app[CONTEXT])
    if who is not None and who.role == "customer":
        return [one for one in found if one.services and tenancy.sees(request, one.services)]
    return found


def _harmless(value: Any) -> Any:
    """Make whatever a page shows harmless, not only what somebody thought of: titles and details come from outside."""
    if type(value) is str:  # By far the most; what a template made itself is Markup.
        return clean(value, SHOWN_MAX_CHARS)
    return clean(value, SHOWN_MAX_CHARS) if isinstance(value, str) and not isinstance(value, Markup) else value


def _folder() -> Traversable:
    return resources.files("sentinel.web").joinpath("static")


@cache
def _bundle(folder: str) -> bytes:
    files = sorted(_folder().joinpath(folder).iterdir(), key=lambda file: file.name)
    return b"\n".join(file.read_bytes() for file in files)


def _remember(response: web.Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=COOKIE_MAX_AGE_S, httponly=True, samesite="Strict")


def _place(request: web.Request) -> str:
    """Return what can be looked at again: the page itself, or the one whose form was sent where no page is."""
    resource = request.match_info.route.resource
    if request.method in {"GET", "HEAD"} or (resource is not None and any(one.method == "GET" for one in resource)):
        return request.path
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return "/"
    ours = parts.netloc == request.host and parts.path.startswith("/") and not parts.path.startswith("//")
    return parts.path if ours else "/"


def _choice(request: web.Request, path: str, **chosen: str) -> str:
    """Return the address of the page with another language or theme, and all else that it was asked for."""
    asked = [pair for pair in request.query.items() if pair[0] not in CHOICES] if path == request.path else []
    return f"{path}?{urlencode([*asked, *chosen.items()])}"


def _theme(request: web.Request) -> Theme:
    """Return the looks that are asked for, or were before; by themselves they are the browser's."""
    for asked in (request.query.get("theme"), request.cookies.get(THEME_COOKIE)):
        for theme in THEMES:
            if asked == theme:
                return theme
    return "auto"
