"""What the architecture allows, as tables, and the reader of source that holds code to them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FUNCTION_MAX_LINES = 60
MODULE_MAX_LINES = 400
PARAMETERS_MAX = 5  # Those that a caller may pass by position, and so mix up.

# Who may import what of Sentinel: docs/architecture.md. `core` allows core and all below it, `=probes` that package's
# own table alone. A module with an entry of its own goes by that one. What is not named here does not exist yet:
# whoever adds a module at the top says what it may know.
MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core"},
    "rules": {"core", "rules"},
    "rulepacks": set(),  # Data: `config` reads it.
    "intake": {
        "core", "rules", "intake", "messages.clean", "engine.alerts", "engine.patterns", "store.base", "web.context",
        "store.plain_rows", "engine.alert_meaning",
        "web.bodies", "web.guard", "web.identity", "web.keys", "web.limits", "web.people", "web.problem",
        "channels.mail_message", "channels.sms_inbound", "engine.clock", "engine.desk", "engine.ledger",
        "messages.links",
        "messages.replies", "config.fields",
    },
    "messages": {"core", "messages", "channels.base"},
    "metrics": {"core"},
    "demo": {"demo"},
    "probes": {"core.model", "core.pings", "probes", "config.fields", "config.words"},
    "probes.blackbox": {"probes", "config.nodes", "config.errors"},  # A door with files of its own to read.
    "channels": {
        "core.model", "core.carried", "channels", "config.fields", "config.words", "probes.base", "probes.net",
    },
    "tickets": {
        "core.model", "tickets", "config.fields", "config.words", "config.door_keys", "channels.base", "channels.http",
        "channels.signature", "probes.net",
    },
    "tickets.webhook": {  # What it posts and reads is described as hooks are.
        "core.json_paths", "tickets", "config.fields", "config.hooks", "channels.base", "channels.http",
        "channels.signature", "probes.net",
    },
    "tickets.drafting": {"core", "tickets.base"},  # No back-end: what an incident looks like as a ticket.
    "store": {"core", "store", "tickets.base"},
    "engine": {
        "core", "rules", "engine", "metrics", "=probes", "probes.base", "probes.net", "probes.plan", "probes.help",
        "probes.numbers", "probes.resolver",
        "channels.base", "tickets.base", "store.base", "store.plain_rows",
    },
    "dispatch": {
        "core", "rules", "messages", "metrics", "engine.clock", "engine.desk", "engine.gathering", "engine.live",
        "engine.bursts", "engine.express", "engine.passage", "engine.receipts", "engine.sending",
        "engine.outbox", "engine.storm", "engine.ticketing", "engine.toll", "engine.tries",
        "engine.unrecorded", "probes.base", "channels.base", "tickets.base", "store.base",
    },
    "config": {
        "core", "rules", "config", "=probes", "probes.base", "probes.net", "probes.plan", "=channels", "channels.base",
        "=tickets", "tickets.base", "tickets.options",
    },
    "web": {
        "core", "rules", "web", "messages", "metrics", "engine.addresses", "engine.changes", "engine.desk",
        "engine.matrices",
        "engine.overload", "engine.portal", "engine.subscribers", "engine.rotas", "engine.problems", "engine.live",
        "engine.clock", "engine.evidence",
        "engine.news", "engine.phases", "engine.patterns", "engine.tested", "store.plain_rows",
        "channels.sms_inbound", "engine.accounts", "engine.alerts", "engine.answers", "engine.tokens",
        "engine.recurring_silences", "engine.wide_silences", "intake", "store.base",
        "tickets.base", "reporting", "openid",
    },
    "openid": {"core", "openid", "channels.base", "channels.http", "config.build", "probes.net"},
    "simulation": {
        "core", "rules", "simulation", "engine.desk", "engine.draft", "engine.judge", "engine.live", "=probes",
        "probes.plan", "store.base", "config.base", "config.errors", "config.explain", "config.fields",
        "config.files", "config.nodes", "config.references",
    },
    "logs": set(),
    "assembly": {"*"},
    "alone": {"store"},
    "newsroom": {"core", "engine", "rules", "store.base"},
    "pages": {"*"},
    "status_pages": {"*"},
    "quiet": {"*"},
    "gasping": {"*"},
    "lastgasp": {"logs"},  # It must work when nothing else does.
    "places": {"config.build"},
    "reports": {"*"},
    "change_reports": {"*"},
    "reporting": {"core", "reporting", "messages.clean"},
    "daemon": {"*"},
    "clerk": {"*"},
    "configured": {"*"},
    "inbound": {"*"},
    "listening": {"*"},
    "crediting": {"*"},
    "parts": {"*"},
    "watching": {"*"},
    "doors": {"*"},
    "service": {"*"},
    "settings": {"*"},
    "cli": {"*"},
}  # fmt: skip
# The composition root and the commands: they may know everything, and only they know each other.
ROOT = {
    "alone",
    "assembly",
    "clerk",
    "configured",
    "inbound",
    "crediting",
    "listening",
    "watching",
    "gasping",
    "lastgasp",
    "change_reports",
    "reports",
    "pages",
    "status_pages",
    "quiet",
    "parts",
    "daemon",
    "doors",
    "service",
    "settings",
    "cli",
    "logs",
    "places",
}

# One foreign system, one place.
HOME_OF: dict[str, set[str]] = {
    "aiodns": {"probes"},
    "aiosmtplib": {"channels"},
    "alembic": {"store"},
    "click": {"cli"},
    "joserfc": {"openid"},
    "pycurl": {"probes"},
    "rich": {"cli"},
    "sqlalchemy": {"store"},
    "tenacity": {"engine"},
    "textual": {"cli"},
}

# The modules that decide: told everything, they touch nothing.
PURE = {"core", "rules"}
PURE_THIRD_PARTY = {"msgspec"}
# Of the standard library, what can reach the world, the clock, chance or another thread.
IMPURE = {
    "asyncio", "concurrent", "ctypes", "email", "fcntl", "ftplib", "getpass", "glob", "http", "importlib", "io",
    "logging", "mmap", "multiprocessing", "os", "pathlib", "platform", "pty", "pwd", "queue", "random", "resource",
    "secrets", "select", "selectors", "shelve", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3",
    "ssl", "subprocess", "sys", "syslog", "tempfile", "termios", "threading", "time", "urllib", "uuid", "warnings",
    "webbrowser",
}  # fmt: skip
IMPURE_BUILTINS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}

CLOCK = "engine.clock"
# The calls that tell the time of day; how long something took (perf_counter, monotonic) is another matter.
READS_CLOCK = {
    "datetime.now", "datetime.today", "datetime.utcnow", "date.today", "time.time", "time.time_ns", "time.localtime",
    "time.gmtime", "time.ctime",
}  # fmt: skip

# Where the time of day is asked for all the same: "module:function", with the reason.
ASKS_ALL_THE_SAME: dict[str, str] = {
    "probes.pinger:Pinger._send": "the kernel stamps the answers with the time of day, so the packets need it too",
}

# Where a fault of our own is logged and counted, and only that task restarted: "module:function", with the reason.
EDGES: dict[str, str] = {
    "engine.desk:Desk._handle_apart": "a bug that one command brings out must not fail those beside it",
    "engine.alert_reports:AlertReports.say": "what one alert means must not keep the others unsaid",
    "engine.judge:Judge._insist": "what one target has to say must not be lost without a trace",
    "engine.timers:Timers._wake": "one incident with a bug must not keep the others asleep",
    "probes.browser_worker:Worker._in_context": "what somebody's script raises is its finding; ours is raised again",
    "engine.prober:Prober._attempt": "a bug in one kind of probe must not stop the others",
    "engine.receipts:Receipts._order": "a bug in what a receipt means must not leave a message as being sent",
    "dispatch:Dispatcher.burst": "a bug in one channel must not keep a page from another way",
    "engine.ticketing:Ticketing.tried": "a bug in one ticket back-end must not lose the ticket",
    "engine.supervision:keep": "a loop with a bug is logged, counted and started again",
    "engine.workers.inside:Inside._run_probe": "one result that cannot be told must not go unseen, nor stop the others",
    "engine.workers.arrivals:Arrivals._settle": "one result that cannot be digested must not go unseen",
    "parts:Parts._run_probe": "one result that cannot be digested must not go unseen, nor stop the others",
}


@dataclass(frozen=True)
class Source:
    """One module: its name below the package (`probes.tcp`, `rules`), and its text."""

    name: str
    text: str

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def sources(package: Path) -> list[Source]:
    """Read every module of the package."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found.append(Source(name, path.read_text()))
    return found


def imports(source: Source, known: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield every module that is imported, wherever in the code, with its line; `known` tells modules from names."""
    known = set(known)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                is_module = whole.removeprefix("sentinel.") in known or alias.name in MAY_IMPORT
                yield node.lineno, whole if is_module else module
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module") and node.args:
            yield from ((node.lineno, name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for such an expression, and what can be read of any other."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def allows(allowed: set[str], target: str) -> bool:
    """Say whether a layer's entry covers the module."""
    if "*" in allowed or f"={target}" in allowed:
        return True
    return any(target == entry or target.startswith(f"{entry}.") for entry in allowed)


def forbidden_imports(source: Source, known: Iterable[str]) -> Iterator[str]:
    """Name the imports that the architecture does not allow."""
    allowed = MAY_IMPORT.get(source.name, MAY_IMPORT.get(source.layer, {"cli"}))
    if source.layer not in MAY_IMPORT and source.name not in {"__init__", "__main__"}:
        yield f"{source.name}: nobody has said what {source.layer} may import: add it to MAY_IMPORT"
    for line, module in sorted(set(imports(source, known))):
        place = f"{source.name}:{line}"
        top = module.partition(".")[0]
        if top != "sentinel":
            if source.layer not in HOME_OF.get(top, {source.layer}):
                yield f"{place}: {top} belongs to {', '.join(sorted(HOME_OF[top]))}"
            continue
        target = module.removeprefix("sentinel").removeprefix(".")
        from_root = target.partition(".")[0] in ROOT and source.layer not in {*ROOT, "__main__"}
        if (target and not allows(allowed, target)) or from_root:
            yield f"{place}: {source.layer} may not import sentinel.{target}"


def kinds_that_know_each_other(source: Source, kinds: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Name the imports of one plug-in by another module of its package: what two share stands in a third."""
    plug_ins = set(kinds.values())
    for line, module in imports(source, known):
        if module in plug_ins and source.layer == module.split(".")[1]:
            yield f"{source.name}:{line}: {module} is a kind of its own; what is shared goes into a module beside it"


def impurities(source: Source, known: Iterable[str]) -> Iterator[str]:
    """Name what a deciding module does that reaches out of it."""
    if source.layer not in PURE:
        return
    for line, module in imports(source, known):
        top = module.partition(".")[0]
        pure = top == "sentinel" or top in PURE_THIRD_PARTY or (top in sys.stdlib_module_names and top not in IMPURE)
        if not pure:
            yield f"{source.name}:{line}: {source.layer} decides, and may not import {module}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
            yield f"{source.name}:{node.lineno}: {source.layer} decides, and may not call {node.func.id}()"
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global):
            yield f"{source.name}:{node.lineno}: {source.layer} decides, and neither waits nor keeps global state"


def clock_readings(source: Source) -> Iterator[str]:
    """Name the places that ask what time it is, other than the clock; passing the function on counts too."""
    if source.name == CLOCK:
        return
    renamed = dict(names_of_imports(source.tree))
    for function, node in within_functions(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and f"{source.name}:{function}" not in ASKS_ALL_THE_SAME:
            first, dot, rest = dotted(node).partition(".")
            whole = renamed.get(first, first) + dot + rest
            if any(whole == reading or whole.endswith(f".{reading}") for reading in READS_CLOCK):
                yield f"{source.name}:{node.lineno}: {whole} reads the clock; be told the time, or ask {CLOCK}"


def names_of_imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what each imported name stands for: `dt` for datetime, `time` for time.time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def broad_handlers(source: Source) -> Iterator[str]:
    """Name the handlers that would hide our own faults; one that cleans up and raises again hides nothing."""
    for function, node in within_functions(source.tree):
        if not isinstance(node, ast.ExceptHandler) or f"{source.name}:{function}" in EDGES:
            continue
        types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(kind is None or dotted(kind) in {"Exception", "BaseException"} for kind in types)
        last = node.body[-1]
        if broad and not (isinstance(last, ast.Raise) and last.exc is None):
            yield f"{source.name}:{node.lineno}: {function or 'the module'} catches everything; only EDGES may"


def within_functions(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield every node with the name of the function, or method, that it stands in."""
    for node in ast.iter_child_nodes(tree):
        yield function, node
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from within_functions(node, f"{function}.{node.name}".lstrip(".") if named else function)


def unbounded_reads(source: Source) -> Iterator[str]:
    """Name the places where a probe lets its target decide how much memory it takes."""
    if source.layer != "probes":
        return
    for node in ast.walk(source.tree):
        if not (isinstance(node, ast.Await) and isinstance(node.value, ast.Call)):
            continue
        call = node.value
        if not isinstance(call.func, ast.Attribute):
            continue
        endless = call.func.attr == "read" and (not call.args or minus_one(call.args[0]))
        if endless or call.func.attr in {"text", "json"}:
            yield f"{source.name}:{node.lineno}: .{call.func.attr}() has no limit; read in pieces, and count them"


def minus_one(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def outgrown(source: Source) -> Iterator[str]:
    """Name the module, and the functions in it, that are too long or take too much."""
    lines = len(source.text.splitlines())
    if lines > MODULE_MAX_LINES:
        yield f"{source.name}: {lines} lines; split it by what changes together ({MODULE_MAX_LINES} at most)"
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        place = f"{source.name}:{node.lineno}: {node.name}"
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_MAX_LINES:
            yield f"{place} has {length} lines ({FUNCTION_MAX_LINES} at most)"
        parameters = [p.arg for p in (*node.args.posonlyargs, *node.args.args) if p.arg not in {"self", "cls"}]
        if len(parameters) > PARAMETERS_MAX:
            yield f"{place} takes {len(parameters)} parameters by position ({PARAMETERS_MAX} at most)"
