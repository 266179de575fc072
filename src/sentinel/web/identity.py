"""Who asks: found once, before any handler, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from aiohttp import web

from sentinel.core.access import RIGHTS_OF, Right, Token
from sentinel.core.model import Role
from sentinel.engine.accounts import Session
from sentinel.web import keys, peers
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem

HOPS_MAX: Final = 20
CHALLENGE: Final = 'Bearer realm="Sentinel"'
# A browser asks for a password, and the token is one, whatever name stands before it.
PAGE_CHALLENGE: Final = 'Basic realm="Sentinel", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. ``key`` tells one from another; ``acts_as`` is empty for somebody who names who acts.

    ``trusted`` is the control socket, and this machine as long as nobody there needs to prove anything.
    """

    key: str
    role: Role
    acts_as: str = ""
    customer: str = ""
    token: Token | None = None
    session: Session | None = None
    trusted: bool = False

    def has(self, right: Right) -> bool:
        """Tell whether the role has a right."""
        return right in RIGHTS_OF[self.role]


IDENTITY: Final = web.RequestKey("IDENTITY", Identity)


def shown(request: web.Request) -> Identity | None:
    """Return who a token says that it is; nothing when none is shown. A token in the address would be in every log.

    Raises:
        Problem: 401 what is shown is no token, or one that is not taken any more.
    """
    if "Authorization" not in request.headers:
        return None
    context = request.app[CONTEXT]
    text = keys.in_header(request)
    token = context.tokens.find(text) if context.tokens is not None and text else None
    if token is None:
        raise unknown(request, "This is no token, or one that is not taken any more.")
    return Identity(f"token:{token.id}", token.role, token.acts_as, token.customer, token)


def unknown(request: web.Request, why: str) -> Problem:
    """Return the answer to somebody who must show a token, or another one."""
    page = "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")
    return Problem(401, why, WWW_Authenticate=PAGE_CHALLENGE if page else CHALLENGE)


def of(request: web.Request) -> Identity | None:
    """Return who asks; nothing on a route that is open to anyone."""
    found: Identity | None = request.get(IDENTITY)
    return found


def services(request: web.Request) -> tuple[str, ...] | None:
    """Return the services that whoever asks may see: nothing for all of them, an empty tuple for none."""
    identity = of(request)
    if identity is None or identity.role != "customer":
        return None
    return services_of(request.app[CONTEXT], identity.customer)


def services_of(context: Context, customer: str) -> tuple[str, ...]:
    """Return the services of a customer, as they are configured now."""
    return tuple(name for name, owner in context.settings().owners.items() if customer and owner == customer)


def client(request: web.Request) -> str:
    """Return the address that asks: the peer's, or what a proxy in ``auth.trusted_proxies`` says of its client."""
    peer = peers.address(request)
    trusted = request.app[CONTEXT].settings().trusted_proxies
    found: IPv4Address | IPv6Address | None = peer
    hops = [hop for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
    for hop in reversed(hops[-HOPS_MAX:]):
        if found is None or not any(found in network for network in trusted):
            break
        try:
            found = ip_address(hop.strip())
        except ValueError:
            break
    return str(found or "")
