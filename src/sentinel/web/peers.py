"""Who is at the other end: a user of this machine on the control socket, or an address on the network."""

from __future__ import annotations

import pwd
import socket
import struct
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

PEERS_KEPT_MAX = 1_024
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group

# Whoever writes one of these is a proxy, and its client is somebody else, at an address that anybody can write.
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def on_control_socket(request: web.Request) -> bool:
    """Tell whether a request came over the unix socket."""
    found = _socket(request)
    return found is not None and found.family == socket.AF_UNIX


def address(request: web.Request) -> IPv4Address | IPv6Address | None:
    """Return the address of a TCP peer; nothing for the unix socket or a connection that is gone."""
    name = request.transport.get_extra_info("peername") if request.transport else None
    if not isinstance(name, tuple):
        return None
    return _read(str(name[0]))


@lru_cache(maxsize=PEERS_KEPT_MAX)
def _read(text: str) -> IPv4Address | IPv6Address:
    """Return the address that the system writes so; each request asks several times."""
    found = ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def forwarded(request: web.Request) -> bool:
    """Tell whether a proxy handed the request on."""
    return any(name in request.headers for name in FORWARDING_HEADERS)


def user(request: web.Request) -> str:
    """Return the name of the user at the other end of the unix socket; empty for TCP."""
    found = _socket(request)
    if found is None or found.family != socket.AF_UNIX:
        return ""
    _, uid, _ = _CREDENTIALS.unpack(found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def _socket(request: web.Request) -> socket.socket | None:
    """Return the connection; nothing once the peer has left."""
    return request.transport.get_extra_info("socket") if request.transport else None
