"""Status pages for customers, and who wants their news by mail. Whatever happens to the database, they are served.

A page is written out elsewhere, once for all who ask; here it is only handed out. ``public`` pages are for anyone, the
others for who may look at everything, and for customers of all that is on them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from sentinel.core.model import Language
from sentinel.core.public import Page
from sentinel.core.public_wanted import Wanted
from sentinel.engine.portal import FORMS, Form, Portal, Rendered
from sentinel.engine.subscribers import ADDRESS_MAX_CHARS, Purpose, fits
from sentinel.reporting import status_page
from sentinel.reporting.status_page import Place, Said
from sentinel.web import bodies, identity, sessions
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route, admit, is_of_our_page
from sentinel.web.limits import Limits
from sentinel.web.packing import takes_gzip
from sentinel.web.problem import Problem
from sentinel.web.wording import wording

# Apart from what operators may ask, so that a crowd of customers leaves the team its share, and the other way round.
PAGES_LIMIT: Final = (250.0, 1_000.0)  # of one address: a second in the long run, and at once
ASKING_LIMIT: Final = (1 / 120, 5.0)
MAX_AGE_S: Final = 10
STYLE_MAX_AGE_S: Final = 3_600
CODE_MAX_CHARS: Final = 100
RETRY_AFTER_S: Final = 5
CONTENT_TYPES: Final[dict[Form, str]] = {
    "html": "text/html",
    "json": "application/json",
    "atom": "application/atom+xml",
}
STYLE: Final = "/static/status.css"

LOOKING: Final = web.AppKey("LOOKING", Limits)
ASKING: Final = web.AppKey("ASKING", Limits)


def routes() -> list[Route]:
    """Return the pages, their forms, and what subscribes."""
    return [
        Route("GET", "/static/status.css", style, access="anyone"),
        Route("GET", "/status/{page}", show, access="anyone"),
        Route("GET", "/status/{page}/subscribe", asked, access="anyone"),
        Route("POST", "/status/{page}/subscribe", ask, access="anyone"),
        Route("GET", "/status/{page}/confirm/{code}", confirming, access="anyone"),
        Route("POST", "/status/{page}/confirm/{code}", confirm, access="anyone"),
        Route("GET", "/status/{page}/unsubscribe/{code}", leaving, access="anyone"),
        Route("POST", "/status/{page}/unsubscribe/{code}", leave, access="anyone"),
    ]


def keep(app: web.Application) -> None:
    """Give an application what counts the requests."""
    app[LOOKING], app[ASKING] = Limits(), Limits()


async def style(_request: web.Request) -> web.Response:
    """Serve the stylesheet."""
    headers = {"Cache-Control": f"public, max-age={STYLE_MAX_AGE_S}"}
    return web.Response(body=status_page.style(), content_type="text/css", charset="utf-8", headers=headers)


async def show(request: web.Request) -> web.Response:
    """Hand a page out in the form and the language that are asked for."""
    _charge(request)
    portal, wanted, form = _found(request)
    await _let_in(request, wanted)
    language = _language(request, wanted)
    rendered = portal.rendered(wanted.name, language, form)
    if rendered is None:
        raise Problem(503, "The page is being made; ask again.", Retry_After=str(RETRY_AFTER_S))
    return _handed_out(request, wanted, form, rendered)


async def asked(request: web.Request) -> web.Response:
    """Say that a mail has been sent, whoever it was for."""
    _charge(request)
    portal, wanted, _ = _found(request)
    return _said(request, portal, wanted, "asked")


async def ask(request: web.Request) -> web.Response:
    """Send the mail that asks for a confirmation. What is answered tells nothing of who has subscribed."""
    _charge(request)
    portal, wanted, _ = _found(request)
    await _let_in(request, wanted)
    if not is_of_our_page(request):
        raise Problem(403, "The request comes from another site.")
    if not (wanted.subscribe and portal.carries_mail()):
        raise Problem(404, "Nobody can subscribe to this page.")
    form = await bodies.form(request)
    address = bodies.line(str(form.get("address", "")), ADDRESS_MAX_CHARS + 1)
    if not fits(address):
        response = _said(request, portal, wanted, "bad_address")
        response.set_status(400)
        return response
    _charge(request, asking=True)
    language = next((one for one in wanted.languages if one == form.get("lang")), _language(request, wanted))
    await portal.ask(wanted.name, address, language)
    raise web.HTTPSeeOther(f"{wanted.path}/subscribe?lang={language}")


async def confirming(request: web.Request) -> web.Response:
    """Show the button that confirms: looking at a link does nothing, mail programs do so by themselves."""
    portal, wanted, name = _whose(request, "confirm")
    return _said(request, portal, wanted, "confirm", name)


async def confirm(request: web.Request) -> web.Response:
    """Take somebody as a subscriber."""
    portal, wanted, name = _whose(request, "confirm")
    if await portal.subscribers.confirm(name) is None:
        raise Problem(404, "This link leads nowhere: it serves for a day. Subscribe again.")
    return _said(request, portal, wanted, "confirmed", name)


async def leaving(request: web.Request) -> web.Response:
    """Show the button that ends a subscription."""
    portal, wanted, name = _whose(request, "unsubscribe")
    return _said(request, portal, wanted, "unsubscribe", name)


async def leave(request: web.Request) -> web.Response:
    """End a subscription: the button, or the one click of a mail program (RFC 8058), which is of no page of ours."""
    portal, wanted, name = _whose(request, "unsubscribe")
    answer = _said(request, portal, wanted, "unsubscribed", name)
    await portal.subscribers.leave(name)
    return answer


def _portal(request: web.Request) -> Portal:
    portal = request.app[CONTEXT].portal
    if portal is None:
        raise Problem(404, "There is no such page.")
    return portal


def _found(request: web.Request) -> tuple[Portal, Wanted, Form]:
    """Return the page of a path, and the form that its ending asks for.

    Raises:
        Problem: 404 there is none.
    """
    portal, written = _portal(request), request.match_info["page"]
    path, dot, ending = f"/status/{written}".rpartition(".")
    if dot and ending in FORMS[1:] and (page := portal.find(path)) is not None:
        return portal, page, ending
    page = portal.find(f"/status/{written}")
    if page is None:
        raise Problem(404, "There is no such page.")
    return portal, page, "html"


def _whose(request: web.Request, purpose: Purpose) -> tuple[Portal, Wanted, str]:
    """Return the page and the subscriber of a link.

    Raises:
        Problem: 404 we have not made it.
    """
    _charge(request)
    portal, wanted, _ = _found(request)
    name = portal.subscribers.read(request.match_info["code"][:CODE_MAX_CHARS], purpose)
    subscriber = portal.subscribers.get(name) if name else None
    # Whoever has left may press again: the proof is good, and nothing is left to be done.
    if not name or (subscriber is None and purpose == "confirm") or (subscriber and subscriber.page != wanted.name):
        raise Problem(404, "This link leads nowhere.")
    return portal, wanted, name


async def _let_in(request: web.Request, wanted: Wanted) -> None:
    """Refuse a page that is not public to who may not see all that is on it.

    Raises:
        Problem: 401 nobody has signed in, 403 this machine is not spoken for; 404 it is somebody else's.
    """
    if wanted.public:
        return
    who = admit(request, "local", await sessions.look(request))
    assert who is not None, "a route that is not open to anyone says who asks"
    if who.role == "customer":
        theirs = identity.services_of(request.app[CONTEXT], who.customer)
        if not set(wanted.services) <= set(theirs):
            raise Problem(404, "There is no such page.")
    elif not (who.trusted or who.has("look")):
        raise Problem(403, f"The role `{who.role}` may not look.")


def _language(request: web.Request, wanted: Wanted) -> Language:
    """Return the language that is asked for, or the browser's, if the page has it; else the page's first."""
    context = request.app[CONTEXT]
    liked = wording(request, context.settings(), context.now()).language
    return liked if liked in wanted.languages else wanted.languages[0]


def _handed_out(request: web.Request, wanted: Wanted, form: Form, rendered: Rendered) -> web.Response:
    packed = takes_gzip(request.headers.get("Accept-Encoding", ""))
    etag = f'"{rendered.etag}{"-gzip" if packed else ""}"'
    headers = {
        "ETag": etag,
        "Cache-Control": f"public, max-age={MAX_AGE_S}" if wanted.public else "private, no-cache",
        "Vary": "Accept-Encoding, Accept-Language, Cookie",
    }
    if etag in {one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")}:
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = f"{CONTENT_TYPES[form]}; charset=utf-8"
    if packed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=rendered.packed if packed else rendered.body, headers=headers)


def _said(request: web.Request, portal: Portal, wanted: Wanted, what: Said, whose: str = "") -> web.Response:
    """Answer with a page about a subscription; it names the page, and nothing that is on it."""
    page: Page | None = portal.page(wanted.name)
    if page is None:
        raise Problem(503, "The page is being made; ask again.", Retry_After=str(RETRY_AFTER_S))
    subscriber = portal.subscribers.get(whose)
    language = subscriber.language if subscriber is not None else _language(request, wanted)
    place = Place(style=STYLE, languages={}, atom="", json="", home=f"{wanted.path}?lang={language}")
    body = status_page.said(page, language, place, what)
    response = web.Response(body=body, content_type="text/html", charset="utf-8")
    response.headers["Referrer-Policy"] = "no-referrer"  # The code must not travel on.
    return response


def _charge(request: web.Request, *, asking: bool = False) -> None:
    """Count a request of an address.

    Raises:
        Problem: 429, with when to ask again.
    """
    now_s, client = asyncio.get_running_loop().time(), identity.client(request)
    limits, limit = (ASKING, ASKING_LIMIT) if asking else (LOOKING, PAGES_LIMIT)
    wait_s = request.app[limits].take(client, "vital", limit, now_s)
    if wait_s:
        raise Problem(429, f"Too many requests; ask again in {wait_s} s.", Retry_After=str(wait_s))
