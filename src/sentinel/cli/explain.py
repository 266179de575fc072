"""``sentinel explain``: which rule decides, why not the earlier ones, who would be told and when."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import print_json, safe, say, table

if TYPE_CHECKING:
    from sentinel.cli.notified import Case
    from sentinel.config.build import Setup
    from sentinel.core.model import Verdict
    from sentinel.rules import Facts, Rule

CLOCK_NAMES = {"ack": "acknowledgement", "workaround": "workaround", "resolve": "resolution"}


@click.command()
@click.option(
    "--probe",
    "name",
    default="",
    shell_complete=completing.probes,
    help="Take the facts of this probe; the words may change them.",
)
@click.option("--hook", default="", metavar="NAME", help="Read a body as this entry of intake.hooks does.")
@click.option("--body", "body", metavar="FILE", help="The body that --hook reads; - for standard input.")
@click.argument("facts", nargs=-1, metavar="LABEL=VALUE...")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def explain(
    context: click.Context, asked: Asked, *, name: str, hook: str, body: str | None, facts: tuple[str, ...]
) -> None:
    """Say which rule decides, why the earlier ones do not, and who would be told when.

    Of a probe's failure LABEL is one of type, service, target, reason, title, source, failing, total, functional,
    for: `reason=timeout failing=2 for=10m`. Of a person's report: kind, asset, scope, symptom, category, impact,
    urgency, priority, workaround, cannot_work, urgent, wanted, cause: `asset=printer symptom=down`. Labels of your
    own rules and probes are known too. With alertname=… all words are labels of an alert. With --hook and --body it
    says what a body means, and what would follow.
    """
    from sentinel.core.model import Refused

    if hook or body is not None:
        _of_hook(context, asked, hook, body, alone=not name and not facts)
        return
    if not name and not facts:
        raise click.UsageError("Nothing to explain: give --probe NAME, --hook NAME or LABEL=VALUE.")
    setup = load_or_end(asked.config_path()).setup
    try:
        known, at = _read(setup, name, facts)
        found, opened = judged(setup, known, at)
    except (LookupError, Refused) as refusal:
        if asked.json:
            print_json({"refused": str(refusal)})
        raise Ended(safe(refusal), Exit.BAD) from refusal
    if asked.json:
        print_json(found)
    else:
        if known.source == "alert":
            click.echo(f"  service: {safe(known.service) or 'none that is configured'}")
        show(found, opened)
    context.exit(Exit.FINE)


def judged(setup: Setup, known: Facts, at: datetime) -> tuple[dict[str, Any], Case | None]:
    """Return what ``--json`` prints of facts, and what would be opened, if anything.

    Raises:
        Refused: it is a request without the date it needs.
    """
    from sentinel import rules

    verdict, rejected = rules.explain(known, _rules_for(setup, known), setup.group_by)
    found = answer(setup, known, verdict, rejected, at)
    found["targets"] = targets(setup, known, verdict, at) if verdict else []
    return found, case(setup, known, verdict, at) if verdict else None


def show(found: dict[str, Any], opened: Case | None) -> None:
    """Print which rule decides, and who would be told."""
    _print(found)
    _print_told(found, opened)


def _of_hook(context: click.Context, asked: Asked, hook: str, body: str | None, *, alone: bool) -> None:
    from sentinel.cli import hooks

    if not hook or body is None or not alone:
        raise click.UsageError("--hook NAME and --body FILE go together, and without --probe and LABEL=VALUE.")
    parts = hooks.explained(load_or_end(asked.config_path()).setup, hook, body)
    if asked.json:
        print_json({"hook": hook, "parts": [part.shown() for part in parts]})
    else:
        for part in parts:
            part.show()
    context.exit(Exit.BAD if any(part.error for part in parts) else Exit.FINE)


def _rules_for(setup: Setup, known: Facts) -> tuple[Rule, ...]:
    """Return the rules in the order in which they are asked: for an alert what `intake.map` says stands first."""
    from sentinel.config.meanings import meanings_of, rules_for_alerts

    return (*rules_for_alerts(meanings_of(setup.intake)), *setup.rules) if known.source == "alert" else setup.rules


def _read(setup: Setup, name: str, words: tuple[str, ...]) -> tuple[Facts, datetime]:
    from sentinel.cli import alert_words
    from sentinel.cli.facts import read_facts
    from sentinel.engine.clock import SystemClock

    now = SystemClock().now()
    try:
        if not name and alert_words.are_of_an_alert(words):
            return alert_words.read_alert(setup, words, now), now
        return read_facts(setup, name, words, now)
    except ValueError as error:
        raise click.UsageError(safe(error)) from error


def answer(
    setup: Setup, facts: Facts, verdict: Verdict | None, rejected: list[Any], opened_at: datetime
) -> dict[str, Any]:
    """Return what ``--json`` prints. Without a verdict the last rule rejected still waits for its time."""
    from sentinel.cli.notified import told
    from sentinel.rules import kind_of

    refused = [{"rule": one.rule, "because": one.because} for one in rejected]
    if verdict is None:
        return {
            "kind": kind_of(facts),
            "level": None,
            "severity": None,
            "priority": None,
            "rule": rejected[-1].rule,
            "waits": rejected[-1].because,
            "rejected": refused[:-1],
            "service": facts.service,
            "cause_class": None,
            "attributed_to": None,
            "notify": [],
            "targets": [],
        }
    return {
        "kind": verdict.kind,
        "level": verdict.level if verdict.kind == "incident" else None,
        "severity": verdict.severity,
        "priority": verdict.priority,
        "rule": verdict.rule,
        "rejected": refused,
        "service": facts.service,
        "cause_class": verdict.cause_class,
        "attributed_to": verdict.attributed_to or None,
        "notify": told(case(setup, facts, verdict, opened_at)),
        "targets": [],
    }


def case(setup: Setup, facts: Facts, verdict: Verdict, opened_at: datetime) -> Case:
    """Return what would be opened."""
    from sentinel.cli.notified import Case

    return Case(setup, facts.service, verdict, setup.plan_for(facts.service, verdict), opened_at)


def targets(setup: Setup, facts: Facts, verdict: Verdict, opened_at: datetime) -> list[dict[str, str]]:
    """Return when the contract's clocks fall due for what opens at a moment; none without a contract (rule SLA-9)."""
    from zoneinfo import ZoneInfo

    from sentinel.core.asked_for import asked_of, contract_for
    from sentinel.core.sla import CLOCKS, due

    service = setup.services.get(facts.service)
    if service is None or not service.sla:
        return []
    contract, zone = setup.contracts[service.sla], ZoneInfo(setup.site.timezone)
    asked = asked_of(verdict)
    contract = contract_for(contract, asked) if asked else contract
    falls = {clock: due(contract, verdict.priority, clock, opened_at) for clock in CLOCKS}
    found = {clock: fall.at.astimezone(zone).isoformat(timespec="seconds") for clock, fall in falls.items() if fall}
    if verdict.kind == "request" and verdict.priority == "P4" and facts.wanted:
        found["resolve"] = facts.wanted.isoformat()  # Rule SLA-10: its agreed date.
    return [{"clock": clock, "due": found[clock]} for clock in CLOCKS if clock in found]


def _print(found: dict[str, Any]) -> None:
    for because, ones in groupby(found["rejected"], key=lambda one: str(one["because"])):
        click.echo(f"  not {', '.join(repr(safe(one['rule'])) for one in ones)}: {safe(because)}")
    if "waits" in found:
        say(f"The rule {safe(found['rule'])!r} would decide, but waits: {safe(found['waits'])}.")
        return
    sort = "a request" if found["kind"] == "request" else f"level {found['level']}"
    cause = f", {found['cause_class']} cause" if found["cause_class"] else ""
    whose = f" of the {found['attributed_to']}'s" if found["attributed_to"] else ""
    say(f"The rule {safe(found['rule'])!r} decides: {sort}, {found['priority']}, {found['severity']}{cause}{whose}.")
    for target in found["targets"]:
        click.echo(f"Due for {CLOCK_NAMES[target['clock']]}: {_shown(target['due'])}")


def _shown(due: str) -> str:
    """Write a moment as the other commands do, in the time zone of the site; an agreed date is a day."""
    return f"{datetime.fromisoformat(due):%a %Y-%m-%d %H:%M}" if "T" in due else due


def _print_told(found: dict[str, Any], opened: Case | None) -> None:
    from sentinel.cli.notified import waits_until

    if opened is None:
        return
    opening = waits_until(opened)
    if opening:
        from zoneinfo import ZoneInfo

        local = opening.astimezone(ZoneInfo(opened.setup.site.timezone))
        priority = opened.verdict.priority
        click.echo(f"Out of hours no {priority} pages anybody: it waits for the opening at {local:%Y-%m-%d %H:%M}.")
    if not found["notify"]:
        click.echo("Nobody would be told.")
        return
    click.echo("Told, as long as nobody acts:")
    table(
        ("After", "Who", "By"),
        [(after(one["after_s"]), one["who"], ", ".join(one["channels"])) for one in found["notify"]],
    )


def after(seconds: int) -> str:
    """Write a delay as the configuration does."""
    from datetime import timedelta

    from sentinel.config.quantities import write_duration

    return write_duration(timedelta(seconds=seconds)) if seconds else "at once"
