"""``sentinel explain``: which rule decides, why not the earlier ones, who would be told and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import print_json, safe, say, table

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.core.model import Plan, Verdict
    from sentinel.rules import Facts

TEXTS = frozenset({"type", "service", "target", "reason", "title", "probe"})
SOURCES = ("probe", "person", "alert")
TRUTHS = {"yes": True, "true": True, "no": False, "false": False}


@click.command()
@click.option(
    "--probe",
    "name",
    default="",
    shell_complete=completing.probes,
    help="Take the facts of this probe; the words may change them.",
)
@click.argument("facts", nargs=-1, metavar="LABEL=VALUE...")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def explain(context: click.Context, asked: Asked, name: str, facts: tuple[str, ...]) -> None:
    """Say which rule decides about a failure, why the earlier ones do not, and who would be told when.

    Besides labels of your own, LABEL is one of type, service, target, reason, title, source, failing, total,
    functional, for: `reason=timeout failing=2 for=10m`.
    """
    from sentinel import rules

    if not name and not facts:
        raise click.UsageError("Nothing to explain: give --probe NAME or LABEL=VALUE.")
    setup = load_or_end(asked.config_path()).setup
    try:
        known = facts_of(setup, name, facts)
    except ValueError as refusal:
        if asked.json:
            print_json({"refused": str(refusal)})
        raise Ended(safe(refusal), Exit.BAD) from refusal
    verdict, rejected = rules.explain(known, setup.rules, setup.group_by)
    found = answer(setup, known, verdict, rejected)
    if asked.json:
        print_json(found)
    else:
        _print(found)
    context.exit(Exit.FINE)


def facts_of(setup: Setup, name: str, words: tuple[str, ...]) -> Facts:
    """Return the facts of a probe, as words change and add to them.

    Raises:
        ValueError: there is no such probe, or a word is no fact; the text says which.
    """
    from sentinel.rules import Facts

    fields: dict[str, Any] = _of_probe(setup, name) if name else {"source": "alert"}
    labels = dict(fields.pop("labels", {}))
    for word in words:
        label, sign, value = word.partition("=")
        if not sign or not label:
            raise ValueError(f"'{word}' is not LABEL=VALUE")
        field = _field(label, value)
        if field is None:
            labels[label] = value
        else:
            fields |= field
    if "probe" in fields:
        fields.setdefault("title", fields["probe"])
    fields.setdefault("title", fields.get("service") or "an incident")
    fields["total"] = max(fields.get("total", 1), fields.get("failing", 1))
    return Facts(labels=labels, **fields)


def _of_probe(setup: Setup, name: str) -> dict[str, Any]:
    plan = setup.probes.get(name)
    if plan is None:
        from sentinel.config.words import did_you_mean

        near = did_you_mean(name, setup.probes)
        raise ValueError(f"there is no probe '{name}'" + (f"; {near}" if near else ""))
    return {
        "source": "probe",
        "probe": name,
        "type": plan.type,
        "service": plan.service,
        "target": plan.targets[0] if plan.targets else "",
        "title": plan.title or name,
        "functional": plan.functional,
        "total": len(plan.targets),
        "labels": plan.labels,
    }


def _field(label: str, value: str) -> dict[str, Any] | None:
    """Return the fact that a word names; nothing when it is a label like any other."""
    if label in TEXTS:
        return {label: value}
    if label == "source":
        if value not in SOURCES:
            raise ValueError(f"source is one of {', '.join(SOURCES)}, not '{value}'")
        return {"source": value}
    if label in {"failing", "total"}:
        if not (value.isascii() and value.isdecimal() and len(value) < 7 and int(value) >= 1):
            raise ValueError(f"{label} is a whole number from 1 on, not '{value}'")
        return {label: int(value)}
    if label == "functional":
        if value not in TRUTHS:
            raise ValueError(f"functional is yes or no, not '{value}'")
        return {"functional": TRUTHS[value]}
    if label == "for":
        from sentinel.cli.silences import duration

        return {"for_s": duration(value).total_seconds()}
    return None


def answer(setup: Setup, facts: Facts, verdict: Verdict | None, rejected: list[Any]) -> dict[str, Any]:
    """Return what ``--json`` prints. Without a verdict the last rule rejected still waits for its time."""
    refused = [{"rule": one.rule, "because": one.because} for one in rejected]
    if verdict is None:
        return {
            "kind": "incident",
            "level": None,
            "severity": None,
            "priority": None,
            "rule": rejected[-1].rule,
            "waits": rejected[-1].because,
            "rejected": refused[:-1],
            "service": facts.service,
            "cause_class": None,
            "notify": [],
            "targets": [],
        }
    return {
        "kind": verdict.kind,
        "level": verdict.level,
        "severity": verdict.severity,
        "priority": verdict.priority,
        "rule": verdict.rule,
        "rejected": refused,
        "service": facts.service,
        "cause_class": verdict.cause_class,
        "notify": told(setup, setup.plan_for(facts.service, verdict), verdict),
        "targets": [],
    }


def told(setup: Setup, plan: Plan, verdict: Verdict) -> list[dict[str, Any]]:
    """Return who would be told, when and how, as long as nobody acts; a place is named by its channel."""
    from sentinel.core import audience

    moments: list[tuple[float, Any]] = []
    for step in plan.ladder:
        if verdict.level >= step.min_level:
            pages = audience.pages(step.to, step.by, setup.directory)
            times = (step.after + repeat * step.every for repeat in range(step.repeats + 1))
            moments.extend((time.total_seconds(), pages) for time in times)
    moments.extend(
        (0.0, audience.pages((listener.who,), listener.by, setup.directory))
        for listener in plan.listeners
        if "opened" in listener.on and verdict.level >= listener.min_level
    )
    found: dict[tuple[float, str], list[str]] = {}
    for after_s, pages in sorted(moments, key=lambda moment: moment[0]):
        for page in pages:
            channels = found.setdefault((after_s, page.person or page.channel), [])
            if page.channel not in channels:
                channels.append(page.channel)
    return [{"after_s": int(after_s), "who": who, "channels": ways} for (after_s, who), ways in found.items()]


def _print(found: dict[str, Any]) -> None:
    for one in found["rejected"]:
        click.echo(f"  not {safe(one['rule'])!r}: {safe(one['because'])}")
    if found["level"] is None:
        say(f"The rule {safe(found['rule'])!r} would decide, but waits: {safe(found['waits'])}.")
        return
    cause = f", {found['cause_class']} cause" if found["cause_class"] else ""
    say(
        f"The rule {safe(found['rule'])!r} decides: level {found['level']}, {found['priority']}, "
        f"{found['severity']}{cause}."
    )
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
