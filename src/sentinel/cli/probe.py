"""``sentinel probe``: one run now, in this process; also a Nagios plugin."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, daemon_options, pass_asked
from sentinel.cli.output import print_json, safe, safe_lines, say

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.engine.evidence import Evidence
    from sentinel.engine.prober import Outcome
    from sentinel.probes.plan import ProbePlan

URL = re.compile(r"[a-z]+://", re.IGNORECASE)
# How a URL says which kind of probe is meant, and under which option that kind wants its target.
SCHEMES = {
    "http": ("http", "url"),
    "https": ("http", "url"),
    "tcp": ("tcp", "target"),
    "tls": ("tls", "target"),
    "icmp": ("icmp", "target"),
    "ping": ("icmp", "target"),
    "grpc": ("grpc", "target"),
    "imap": ("imap", "target"),
    "ntp": ("ntp", "target"),
    "redis": ("redis", "target"),
    "smtp": ("smtp", "target"),
    "ssh": ("ssh", "target"),
    "unix": ("unix", "target"),
    "ws": ("websocket", "url"),
    "wss": ("websocket", "url"),
}
TIMEOUT_S = 10.0
NAGIOS = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}


@click.command()
@click.argument("name", metavar="NAME|URL", shell_complete=completing.probes)
@click.option("--debug", is_flag=True, help="Show what was sent and what came back, and every sample.")
@click.option("--nagios", is_flag=True, help="Be a Nagios plugin: one line, exit 0, 1, 2 or 3.")
@daemon_options
@pass_asked
@click.pass_context
def probe(context: click.Context, asked: Asked, name: str, debug: bool, nagios: bool) -> None:
    """Run a probe once, now and without confirmation, and show what each phase took.

    A URL needs no configuration: https://example.org, tcp://example.org:25, tls://example.org:443,
    ping://example.org, and the same with grpc, imap, ntp, redis, smtp, ssh, unix, ws
    and wss. Exit codes: 0 success, 1 failure.
    """
    try:
        plan, setup = _wanted(asked, name)
    except Ended as end:
        if not nagios:
            raise
        click.echo(f"UNKNOWN - {safe(end.message)}")
        context.exit(NAGIOS["UNKNOWN"])
    if _passive(plan):
        outcomes = [_last_heard(asked, plan)]
    else:
        from sentinel.engine.evidence import Evidence
        from sentinel.places import evidence_folder

        evidence = Evidence(evidence_folder(setup, asked.config_path())) if setup else None
        outcomes = [_seen(outcome) for outcome in asyncio.run(run_all(plan, setup, evidence))]
    if nagios:
        click.echo(nagios_line(plan, outcomes))
        context.exit(NAGIOS[nagios_state(outcomes)])
    if asked.json:
        print_json(outcomes)
    else:
        for outcome in outcomes:
            _print(plan, outcome, debug)
    context.exit(Exit.FINE if all(one["ok"] for one in outcomes) else Exit.BAD)


async def run_all(plan: ProbePlan, setup: Setup | None, evidence: Evidence | None = None) -> list[Outcome]:
    """Run a probe once against each of its targets, as the daemon would but without confirmation."""
    from sentinel import probes
    from sentinel.core.pings import NOTHING
    from sentinel.engine.clock import SystemClock
    from sentinel.engine.doubt import Host
    from sentinel.engine.prober import Prober, Surroundings
    from sentinel.probes.net import TargetPolicy
    from sentinel.probes.resolver import AioResolver

    clock = SystemClock()
    host = Host(clock.monotonic)
    resolver = AioResolver([str(server) for server in setup.resolvers] if setup else [])
    around = Surroundings(
        clock=clock,
        resolver=resolver,
        policy=setup.policy if setup else TargetPolicy(),
        since=lambda _name: clock.now(),
        heard=lambda _name: NOTHING,
        lagging=lambda _seconds: False,
        bug=lambda _where: None,
        host=host,
        keep=evidence.keep if evidence else None,
    )
    try:
        return [await Prober(around).run(plan, target, confirm=False) for target in plan.targets]
    finally:
        await probes.close()
        await resolver.close()
        host.means.close()


def plan_of_url(url: str) -> ProbePlan:
    """Return a probe of a URL, with the usual options of its kind.

    Raises:
        Ended: no kind of probe knows such a URL, or the kind refuses it.
    """
    from pydantic import ValidationError

    from sentinel.probes import kind
    from sentinel.probes.plan import ProbePlan

    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise Ended(f"No probe knows {scheme}://; known: {', '.join(SCHEMES)}.", Exit.USAGE)
    name, option = SCHEMES[scheme]
    target = url if option == "url" else url.partition("://")[2].rstrip("/")
    try:
        options = kind(name).options(**{option: target})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Ended(f"{safe(url)}: {safe(first['msg'])}", Exit.USAGE) from error
    return ProbePlan(
        name=url,
        type=name,
        options=options,
        targets=options.targets(),
        interval_s=TIMEOUT_S,
        timeout_s=TIMEOUT_S,
        fingerprint=url,
    )


def nagios_state(outcomes: list[dict[str, Any]]) -> str:
    """Return the state of the worst outcome: what warns ahead or tells of slowness is a warning."""
    from sentinel.rules import DEGRADED

    failed = [one for one in outcomes if not one["ok"]]
    if not failed:
        return "OK"
    if any(one["reason"] == "error" for one in failed):
        return "UNKNOWN"
    return "WARNING" if all(one["reason"] in DEGRADED for one in failed) else "CRITICAL"


def nagios_line(plan: ProbePlan, outcomes: list[dict[str, Any]]) -> str:
    """Return the one line of a Nagios plugin: state, what was seen, performance data."""
    failed = [one for one in outcomes if not one["ok"]]
    if failed:
        said = "; ".join(f"{one['target']}: {one['detail'] or one['reason']}" for one in failed)
    else:
        said = f"{len(outcomes)} of {len(outcomes)} targets are fine"
    figures = []
    for place, one in enumerate(outcomes):
        tail = f"_{place + 1}" if len(outcomes) > 1 else ""
        figures.append(f"time{tail}={one['duration_s']:.6f}s;;;0;{plan.timeout_s:g}")
        if one["value"] is not None:
            figures.append(f"value{tail}={number(one['value'])}")
    # A bar would begin the performance data early.
    return f"{plan.type.upper()} {nagios_state(outcomes)} - {safe(said).replace('|', '/')} | {' '.join(figures)}"


def number(value: float) -> str:
    """Write a sample in full: a moment or a hash must not be rounded."""
    return str(int(value)) if value == value // 1 and abs(value) < 2**53 else repr(value)


def _wanted(asked: Asked, name: str) -> tuple[ProbePlan, Setup | None]:
    from sentinel.cli.loading import load_or_end

    path: Path = asked.config_path()
    if URL.match(name):
        # The configuration's own rules about targets hold, when there is one.
        return plan_of_url(name), load_or_end(path).setup if path.exists() else None
    setup = load_or_end(path).setup
    plan = setup.probes.get(name)
    if plan is None:
        from sentinel.config.words import did_you_mean

        near = did_you_mean(name, setup.probes)
        raise Ended(f"There is no probe '{safe(name)}'" + (f"; {near}" if near else "."), Exit.BAD)
    return plan, setup


def _passive(plan: ProbePlan) -> bool:
    from sentinel.probes import kind

    return kind(plan.type).passive


def _last_heard(asked: Asked, plan: ProbePlan) -> dict[str, Any]:
    """Return what the daemon knows of a probe that waits for calls: it is not here that they arrive."""
    from sentinel.cli.client import Daemon

    found = Daemon(asked).get("probes", probe=plan.name)
    last = found[0]["last"] if found else None
    if last is None:
        raise Ended(f"The daemon has not judged {plan.name} yet: it waits for calls.", Exit.BAD)
    return {**last, "phases": {}, "samples": [], "facts": []}


def _seen(outcome: Outcome) -> dict[str, Any]:
    result, sight = outcome.result, outcome.sight
    return {
        "probe": result.probe,
        "target": result.target,
        "at": result.at.isoformat(),
        "ok": result.ok,
        "reason": result.reason,
        "detail": result.detail,
        "doubt": result.doubt,
        "duration_s": result.duration_s,
        "value": result.value,
        "phases": dict(sight.phases),
        "samples": [
            {"metric": metric, "labels": dict(labels), "value": value}
            for (metric, labels), value in sight.samples.items()
        ],
        "facts": list(sight.facts),
    }


def _print(plan: ProbePlan, one: dict[str, Any], debug: bool) -> None:
    phases = " · ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in one["phases"].items())
    click.echo(f"{safe(one['target'])}  {plan.type}")
    if phases:
        click.echo(f"  {safe(phases)}")
    if debug:
        for fact in one["facts"]:
            click.echo("  | " + safe_lines(fact).replace("\n", "\n  | "))
        for sample in one["samples"]:
            labels = ",".join(f'{name}="{value}"' for name, value in sample["labels"].items())
            click.echo(f"  {safe(sample['metric'] + (f'{{{labels}}}' if labels else ''))} {number(sample['value'])}")
    if one["ok"]:
        value = f", value {number(one['value'])}" if one["value"] is not None else ""
        say(f"  ✓ fine after {one['duration_s']:.3f} s{value}", "green")
    else:
        say(f"  ✗ failed after {one['duration_s']:.3f} s ({one['reason']}): {safe(one['detail'])}", "red")
        if one.get("doubt"):
            from sentinel.engine.doubt import SAID

            say(f"  ? doubtful: {SAID[one['doubt']]}; this may say nothing of the target", "yellow")
