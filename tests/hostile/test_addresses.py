"""Redirects and names that lead to where nobody may look: no spelling of an address gets a packet there (T1 to T3)."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator

import pytest

from sentinel.probes import http, scenario, smtp, tcp, tls
from sentinel.probes.base import ProbeKind
from sentinel.probes.net import TargetPolicy
from sentinel.probes.resolver import AioResolver
from tests.fakes.dns_server import DnsServer, records
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, silent
from tests.fakes.web import WebServer, page, redirect
from tests.hostile.bounds import SHORT_S, Bounded

# 127.0.0.2, where a decoy listens, in the spellings that one reader or another takes for it. PORT is the decoy's,
# HERE the server that redirects.
DECOYS = [
    "http://127.0.0.2:PORT/", "//127.0.0.2:PORT/", "http://127.2:PORT/", "http://127.0.2:PORT/",
    "http://2130706434:PORT/", "http://0x7f000002:PORT/", "http://0X7F.0.0.2:PORT/", "http://0177.0.0.02:PORT/",
    "http://017700000002:PORT/", "http://0x7f.0x0.0x0.0x2:PORT/", "http://127.0.0.2.:PORT/",
    "http://[::ffff:127.0.0.2]:PORT/", "http://[::ffff:7f00:2]:PORT/", "http://[0:0:0:0:0:ffff:7f00:2]:PORT/",
    "http://[::7f00:2]:PORT/", "http://[64:ff9b::7f00:2]:PORT/", "http://[64:ff9b:1::7f00:2]:PORT/",
    "http://[2002:7f00:2::]:PORT/", "http://[::ffff:0:7f00:2]:PORT/", "http://[fe80::5efe:127.0.0.2]:PORT/",
    "http://[::ffff:127.0.0.2%25lo]:PORT/", "http://１２７.0.0.2:PORT/", "http://127。0。0。2:PORT/",
    "http://①②⑦.⓪.⓪.②:PORT/", "http://%31%32%37.0.0.2:PORT/", "http://127.0.0.2%00.example.org:PORT/",
    "http://www.example.org@127.0.0.2:PORT/", "http://HERE@127.0.0.2:PORT/", "http://127.0.0.2:PORT\\@HERE/",
    "http:\\\\127.0.0.2:PORT\\", "http:/127.0.0.2:PORT/", "http:///127.0.0.2:PORT/", "http:127.0.0.2:PORT",
    "http://HERE#@127.0.0.2:PORT/", "http://HERE/#http://127.0.0.2:PORT/", "http://HERE\\@127.0.0.2:PORT/",
    " http://127.0.0.2:PORT/", "http://127.0.0.2:PORT", "HTTP://127.0.0.2:PORT/",
    "http://decoy.example.org:PORT/", "http://DECOY.example.org.:PORT/", "http://localtest.example.org:PORT/",
    "https://127.0.0.2:PORT/", "ftp://127.0.0.2:PORT/", "gopher://127.0.0.2:PORT/_GET", "file:///etc/passwd",
    "dict://127.0.0.2:PORT/", "ws://127.0.0.2:PORT/", "jar:http://127.0.0.2:PORT/!/", "javascript:alert(1)", "data:,x",
]  # fmt: skip
# What no configuration can allow.
NEVER = [
    "169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "[::ffff:a9fe:a9fe]",
    "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[::a9fe:a9fe]", "[fd00:ec2::254]",
    "100.100.100.200", "0.0.0.0", "0", "[::]", "[fe80::1]", "169.254.169.254.", "１６９.254.169.254",
    "metadata.google.internal", "224.0.0.1", "255.255.255.255",
]  # fmt: skip


@pytest.fixture
async def resolver() -> AsyncIterator[AioResolver]:
    """Any name at all is at the metadata address, as seen from a resolver that means harm."""

    def lies(question, udp):  # type: ignore[no-untyped-def]
        name = question.question[0].name.to_text()
        where = "127.0.0.2" if "decoy" in name.lower() or "localtest" in name else "169.254.169.254"
        return records(f"{name} 0 IN A {where}")(question, udp)

    async with DnsServer(lies) as server:
        made = AioResolver([server.address])
        yield made
        await made.close()


async def test_no_spelling_of_a_denied_address_gets_a_packet_there(resolver: AioResolver) -> None:
    policy = TargetPolicy(deny=(ipaddress.ip_network("127.0.0.0/8"),), allow=(ipaddress.ip_network("127.0.0.1/32"),))
    async with WebServer() as web, WebServer({"/": page("secret")}, host="127.0.0.2") as decoy:
        here = f"127.0.0.1:{web.port}"
        for number, spelling in enumerate(DECOYS):
            to = spelling.replace("PORT", str(decoy.port)).replace("HERE", here)
            web.routes[f"/{number}"] = redirect(to)
            bounds = Bounded(2.0, resolver, policy)
            seen = await bounds.at(http.KIND, {"url": f"http://{here}/{number}", "ip_protocol_fallback": "no"})
            assert seen.reason in {"denied", "dns", "redirect", "status"}, f"{spelling}: {seen.reason} {seen.detail}"
            assert not decoy.gone.is_set(), spelling
    assert decoy.received == []


@pytest.mark.parametrize("kind", ["redirect", "captured link", "target"])
async def test_no_spelling_of_what_is_always_denied_is_spoken_to(kind: str, resolver: AioResolver) -> None:
    everything = TargetPolicy(allow=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
    bounds = Bounded(2.0, resolver, everything)
    async with WebServer() as web:
        for number, spelling in enumerate(NEVER):
            to = f"http://{spelling}/latest/meta-data/"
            web.routes[f"/{number}"] = redirect(to)
            web.routes[f"/page{number}"] = page(
                f"<a href='{to}'>x</a>", "200 OK", "Content-Type: text/html; charset=utf-8"
            )
            here = f"http://127.0.0.1:{web.port}"
            if kind == "redirect":
                seen = await bounds.at(http.KIND, {"url": f"{here}/{number}"})
            elif kind == "captured link":
                steps = [{"get": f"{here}/page{number}", "capture": {"to": "css:a@href"}}, {"get": "{to}"}]
                seen = await bounds.at(scenario.KIND, {"steps": steps})
            else:
                seen = await bounds.at(http.KIND, {"url": f"{here}/"}, to)
            assert seen.reason in {"denied", "dns", "redirect", "capture"}, f"{spelling}: {seen.reason} {seen.detail}"


@pytest.mark.parametrize("kind", [tcp.KIND, tls.KIND, smtp.KIND], ids=lambda kind: kind.name)
async def test_a_name_is_looked_up_once_a_run_and_its_address_pinned(kind: ProbeKind) -> None:
    """The second answer leads to ourselves: whoever asks again, for a second handshake say, has lost."""
    names = Names({"rebind.example.org": ["127.0.0.1", "127.0.0.3"]})
    async with TcpPeer(silent) as peer:
        options = {"target": f"rebind.example.org:{peer.port}"} | ({"tls": "yes"} if kind is not tls.KIND else {})
        seen = await Bounded(SHORT_S, names).at(kind, options)
        await peer.emptied()
    assert (seen.reason, names.asked, peer.connections) == ("timeout", ["rebind.example.org"], 1)
