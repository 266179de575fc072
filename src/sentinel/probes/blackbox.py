"""``/probe`` as blackbox_exporter has it: its module files, its answers, its metrics; free of any web server."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from sentinel.config.errors import ConfigError, Mistakes, Place
from sentinel.config.nodes import Node, Scalar, Sequence, parse
from sentinel.probes import kind as kind_of
from sentinel.probes import net
from sentinel.probes.base import Failed, Limit, ProbeKind, Sight
from sentinel.probes.blackbox_module import ModuleSection
from sentinel.probes.blackbox_modules import LATER, HttpSection
from sentinel.probes.blackbox_page import render
from sentinel.probes.blackbox_told import PLAIN, History, Reply, Run, filled, modules_page, refusal, shown
from sentinel.probes.http_message import Link
from sentinel.probes.http_message import link_of as web_link
from sentinel.probes.websocket_handshake import link_of

FILE_MAX_BYTES = 1 << 20
TARGET_MAX_CHARS = 2048
OPTIONS_KEPT_MAX = 4096  # A module.
DEFAULT_MODULE = "http_2xx"
DEFAULT_TIMEOUT_S = 120.0
TIMEOUT_OFFSET_S = 0.5  # What is kept of Prometheus' own time limit for the way back.
TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"
# Any target will do to see whether a module's options hold together.
EXAMPLES = {
    "http": "http://192.0.2.1/",
    "tcp": "192.0.2.1:80",
    "icmp": "192.0.2.1",
    "dns": "192.0.2.1",
    "grpc": "192.0.2.1:80",
    "unix": "/run/example.sock",
    "websocket": "ws://192.0.2.1/",
}


@dataclass(frozen=True, slots=True)
class Module:
    """One module of the file; ``written`` is its text for people, secrets hidden."""

    name: str
    kind: ProbeKind
    section: ModuleSection
    written: str
    made: dict[tuple[str, str], Any] = field(default_factory=dict, compare=False, repr=False)

    def options(self, target: str, hostname: str = "") -> Any:
        """Return our probe's options for one target; files of secrets are read anew each time.

        The same targets are asked for again and again, and to make options is a fifth of a probe: they are kept.

        Raises:
            ValueError: the target is none for this kind, or a file cannot be read; ``mistakes_of`` says it in words.
        """
        found = self.made.get((target, hostname))
        if found is None:
            found = self.kind.options.model_validate(self.section.section.options(target, hostname))
            if not self.section.section.reads_files:
                self.made[target, hostname] = found
                if len(self.made) > OPTIONS_KEPT_MAX:
                    del self.made[next(iter(self.made))]
        return found


Modules = Mapping[str, Module]


def load(path: Path) -> Modules:
    """Read a module file.

    Raises:
        ConfigError: all that is wrong with it, each with file, line, column and the path of the key.
    """
    mistakes, file = Mistakes(), str(path)
    try:
        raw = path.read_bytes()[: FILE_MAX_BYTES + 1]
        if len(raw) > FILE_MAX_BYTES:
            mistakes.add(Place(file, 1, 1), (), f"the file is larger than {FILE_MAX_BYTES} bytes")
        text = raw.decode("utf-8")
    except OSError as error:
        mistakes.add(Place(file, 1, 1), (), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        mistakes.add(Place(file, 1, 1), (), "this is not UTF-8")
    found = {} if mistakes else _read(text, file, mistakes)
    if mistakes:
        raise ConfigError(mistakes.finish([file], []))
    return found


def _read(text: str, file: str, mistakes: Mistakes) -> dict[str, Module]:
    root = parse(text, file, mistakes)
    if root is None:
        return {}
    tree = _plain(root)
    modules = tree.get("modules") if isinstance(tree, dict) else None
    if not isinstance(modules, dict) or set(tree) != {"modules"}:
        mistakes.add(root.place, (), "a module file holds one mapping, `modules`", "write `modules: {http_2xx: …}`")
        return {}
    found = {}
    for name, written in modules.items():
        try:
            section = ModuleSection.model_validate(written)
            found[name] = Module(name, kind_of(section.prober), section, shown(filled(written)))
            found[name].options(EXAMPLES[section.prober])
        except ValueError as error:
            for path, what, suggestion in mistakes_of(error):
                where = ("modules", name, *path)
                mistakes.add(_place(root, where), where, f"module '{name}': {what}", suggestion)
    return found


def mistakes_of(error: ValueError) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """Yield the path of each mistake, what is wrong, and what to write instead."""
    if isinstance(error, PydanticCustomError):
        yield (), error.message(), str((error.context or {}).get("suggestion", ""))
        return
    if not isinstance(error, ValidationError):
        yield (), str(error), ""
        return
    for each in error.errors():
        path, kind = each["loc"], each["type"]
        if kind == "extra_forbidden" and path[-1] in LATER:
            yield path, f"`{path[-1]}` is known to blackbox_exporter, but not supported here", "take it out"
            continue
        what = {"extra_forbidden": f"unknown key `{path[-1]}`", "missing": f"`{path[-1]}` is missing"} if path else {}
        yield path, what.get(kind, each["msg"]), str(each.get("ctx", {}).get("suggestion", ""))


def _plain(node: Node) -> Any:
    """Return a node as mappings, lists and texts."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return {key: _plain(value) for key, (_, value) in node.items.items()}


def _place(node: Node, path: tuple[Any, ...]) -> Place:
    """Return the place of what a path leads to, or of the last of it that is there."""
    place = node.place
    for part in path:
        if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = node.place
        elif not isinstance(node, Scalar | Sequence) and part in node.items:
            place, node = node.items[part]
        else:
            break
    return place


@dataclass(frozen=True, slots=True)
class Guarded(net.TargetPolicy):
    """The policy of a target that no configured probe has: only what ``/probe`` is allowed, at every hop."""

    only: tuple[net.IPNetwork, ...] = ()

    def check(self, address: net.IPAddress) -> None:
        """Let an address pass.

        Raises:
            Failed: ``denied`` it is none of those.
        """
        net.TargetPolicy.check(self, address)
        plain = next(net.wrapped(address), address)
        if not any(plain in network for network in self.only):
            raise Failed("denied", f"{address} is not among the addresses that /probe may speak to")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What ``/probe`` needs of the daemon. ``configured`` are the targets of the configured probes."""

    modules: Modules
    resolver: net.Resolver
    policy: net.TargetPolicy
    allow: tuple[net.IPNetwork, ...]
    configured: frozenset[str]
    now: Callable[[], datetime]
    history: History = field(default_factory=History)

    @cached_property
    def guarded(self) -> Guarded:
        """The policy of what is not configured."""
        return Guarded(self.policy.deny, self.policy.allow, self.allow)

    @cached_property
    def web_targets(self) -> frozenset[str]:
        """The web addresses among the configured targets, each in the one form it is sent in."""
        return frozenset(str(Link.parse(each)) for each in self.configured if each.startswith(("http://", "https://")))


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: a module and what to point it at."""

    module: Module
    target: str
    hostname: str
    timeout_s: float


async def answer(query: Mapping[str, str], headers: Mapping[str, str], around: Surroundings) -> Reply:
    """Answer ``/probe``: a failed probe is 200 too; 400, 403 and 500 as the query or the headers are at fault."""
    name = query.get("module") or DEFAULT_MODULE
    module = around.modules.get(name)
    if module is None:
        return refusal(400, f'Unknown module "{name[:200]}"')
    try:
        timeout_s = time_limit(headers, module)
    except ValueError as error:
        return refusal(500, f"Failed to parse timeout from Prometheus header: {error}")
    target, hostname = unquote(query.get("target", "")), query.get("hostname", "")
    if not target:
        return refusal(400, "Target parameter is missing")
    if len(target) > TARGET_MAX_CHARS or len(hostname) > TARGET_MAX_CHARS:
        return refusal(400, f"Target or hostname is longer than {TARGET_MAX_CHARS} characters")
    if conflict := _conflict(module, hostname):
        return refusal(400, conflict)
    policy = around.policy
    if not _is_configured(module, target, around):
        policy = around.guarded
        if refused := await _refused(module, target, around.resolver, policy):
            return refusal(403, refused)
    began = time.perf_counter()
    sight = Sight(target, timeout_s, around.resolver, policy, now=around.now())
    failure = await probe(Asked(module, target, hostname, timeout_s), sight)
    metrics = render(module.kind, sight, failure is None, time.perf_counter() - began)
    number = around.history.next()
    run = Run(number, module.name, module.kind.name, target, module.written, sight, failure, metrics)
    around.history.add(run)
    return Reply(200, run.debug(), PLAIN) if query.get("debug") == "true" else Reply(200, metrics)


def config_page(around: Surroundings) -> Reply:
    """Answer ``/config``: every module with its defaults, secrets hidden."""
    return modules_page({name: module.written for name, module in around.modules.items()})


def time_limit(headers: Mapping[str, str], module: Module) -> float:
    """Return the seconds a probe may take: Prometheus' limit less the way back, or the module's if that is less.

    Raises:
        ValueError: the header holds no number of seconds.
    """
    text = next((value for name, value in headers.items() if name.lower() == TIMEOUT_HEADER.lower()), "")
    wanted_s = float(text) if text else 0.0
    if not math.isfinite(wanted_s) or wanted_s < 0:
        raise ValueError(f"{text[:40]!r} is no number of seconds")
    limit_s = min(wanted_s or DEFAULT_TIMEOUT_S, DEFAULT_TIMEOUT_S) - TIMEOUT_OFFSET_S
    own_s = module.section.timeout.total_seconds() if module.section.timeout else 0.0
    if own_s and (own_s < limit_s or limit_s < 0):
        return own_s
    return limit_s if limit_s > 0 else wanted_s


def _conflict(module: Module, hostname: str) -> str:
    """Say why a hostname cannot be used with a module; nothing when it can."""
    section = module.section.section
    host = section.host() if isinstance(section, HttpSection) else ""
    if hostname and host and host != hostname:
        return (
            f"host header defined both in module configuration ({host}) and with URL-parameter 'hostname' ({hostname})"
        )
    if any(character < " " or character == "\x7f" for character in hostname):
        return "hostname holds a control character"
    return ""


def _is_configured(module: Module, target: str, around: Surroundings) -> bool:
    """Tell whether a configured probe looks at that very target."""
    if target in around.configured:
        return True
    if module.kind.name != "http":
        return False
    try:
        return str(web_link(target if "://" in target else f"http://{target}")) in around.web_targets
    except ValueError:
        return False


async def _refused(module: Module, target: str, resolver: net.Resolver, policy: net.TargetPolicy) -> str:
    """Say why a target may not be probed; nothing when it may, or when the probe itself will say what is wrong."""
    if module.kind.name == "unix":
        return f"{target} is a socket of this machine, which only a configured probe may name"
    try:
        options = module.options(target)
        host = _host(module, options)
        with Limit(DEFAULT_TIMEOUT_S):
            policy.check(await resolver.resolve(host, options.ip_protocol))
    except Failed as failure:
        return failure.detail if failure.reason == "denied" else ""
    except (ValueError, TimeoutError):
        return ""
    return ""


def _host(module: Module, options: Any) -> str:
    if module.kind.name == "http":
        return web_link(options.url).host
    if module.kind.name == "websocket":
        return link_of(options.url).host
    where = options.server if module.kind.name == "dns" else options.target
    return str(getattr(where, "host", where))


async def probe(asked: Asked, sight: Sight) -> Failed | None:
    """Carry out one probe within its time; return what is wrong with the target, or nothing."""
    try:
        options = asked.module.options(asked.target, asked.hostname)
    except ValueError as error:
        return Failed("target", "; ".join(what for _, what, _ in mistakes_of(error)))
    sight.target = options.targets()[0]
    try:
        with Limit(asked.timeout_s):
            await asked.module.kind.run(options, sight)
    except Failed as failure:
        return failure
    except TimeoutError:
        return Failed("timeout", f"no end within {asked.timeout_s:g} s")
    return None
