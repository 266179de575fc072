"""``sentinel check``: the whole configuration, and how long an outage could go unseen."""

from __future__ import annotations

import gc
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentinel.cli.asked import Asked, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.output import print_json, say, table

if TYPE_CHECKING:
    from sentinel.config.errors import Mistake
    from sentinel.config.load import Loaded
    from sentinel.probes.plan import ProbePlan

HEARTBEAT = "heartbeat"


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--online", is_flag=True, help="Also resolve every target and sign in to every channel.")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def check(context: click.Context, asked: Asked, file: Path | None, online: bool) -> None:
    """Check the configuration, all of it: references, extras, secrets, and the longest time to see an outage.

    Exit codes: 0 good, 3 mistakes, 4 good but with warnings.
    """
    gc.disable()  # It is over before there is anything to collect.
    from sentinel.config.errors import ConfigError

    path = file or asked.config_path()
    try:
        loaded = _loaded(path)
    except ConfigError as error:
        if asked.json:
            print_json({"mistakes": list(map(_listed, error.mistakes)), "warnings": [], "probes": []})
        else:
            for mistake in error.mistakes:
                click.echo(str(mistake))
        context.exit(Exit.CONFIGURATION)
    loaded.warnings.extend([*_gaps(loaded, path), *_second_factors(loaded, path)])
    faults = _online(loaded) if online else []
    if asked.json:
        print_json(_answer(loaded, online, faults))
    else:
        _print(path, loaded, faults)
    context.exit(Exit.PARTIAL if loaded.warnings or faults else Exit.FINE)


def detected_within_s(plan: ProbePlan) -> float:
    """Return the longest time from the start of an outage to its being believed, in seconds.

    What waits for calls misses one only when it is overdue.
    """
    late = timedelta()
    if plan.type == HEARTBEAT:
        from sentinel.probes.heartbeat import HeartbeatOptions

        assert isinstance(plan.options, HeartbeatOptions), "a kind has its own options"
        late = plan.options.overdue_after_max()
    return late.total_seconds() + plan.worst_case_s()


def counted(number: int, one: str, many: str) -> str:
    """Write how many there are of something."""
    return f"{number} {one if number == 1 else many}"


def _loaded(path: Path) -> Loaded:
    """Read the configuration, and the module file of ``/probe`` that it names.

    Raises:
        ConfigError: one of them cannot be used.
    """
    from sentinel.config.load import load

    loaded = load(path)
    if loaded.setup.modules:
        from sentinel.probes import blackbox

        blackbox.load(loaded.setup.modules)
    return loaded


def _gaps(loaded: Loaded, path: Path) -> list[Mistake]:
    if not loaded.setup.directory.rotas:
        return []
    from sentinel.cli.gaps import gaps_of
    from sentinel.engine.clock import SystemClock

    return gaps_of(loaded, path, SystemClock().now())


def _second_factors(loaded: Loaded, path: Path) -> list[Mistake]:
    from sentinel.cli.second_factors import faults_of

    return faults_of(loaded, path)


def _online(loaded: Loaded) -> list[dict[str, str]]:
    import asyncio

    from sentinel.cli.online import faults_of

    return asyncio.run(faults_of(loaded.setup))


def _listed(mistake: Any) -> dict[str, Any]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "path": mistake.path,
        "text": mistake.text,
        "suggestion": mistake.suggestion,
    }


def _answer(loaded: Loaded, online: bool, faults: list[dict[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "mistakes": [],
        "warnings": list(map(_listed, loaded.warnings)),
        "files": [str(file) for file in loaded.files],
        "secrets": [reference.name for reference in loaded.secrets_used],
        "probes": [
            {
                "name": plan.name,
                "type": plan.type,
                "targets": len(plan.targets),
                "interval_s": plan.interval_s,
                "detected_within_s": detected_within_s(plan),
            }
            for plan in loaded.setup.probes.values()
        ],
    }
    return found | ({"online": faults} if online else {})


def _print(path: Path, loaded: Loaded, faults: list[dict[str, str]]) -> None:
    from sentinel.config.quantities import write_duration

    def written(seconds: float) -> str:
        return write_duration(timedelta(seconds=seconds))

    for warning in loaded.warnings:
        say(f"warning: {warning}", "yellow")
    for fault in faults:
        say(f"online: {fault['what']}: {fault['why']}", "yellow")
    plans = loaded.setup.probes.values()
    if plans:
        rows = [
            (plan.name, plan.type, len(plan.targets), written(plan.interval_s), written(detected_within_s(plan)))
            for plan in plans
        ]
        table(("Probe", "Type", "Targets", "Every", "Outage seen within"), rows)
    counts = (
        counted(len(plans), "probe", "probes"),
        counted(sum("/" not in person for person in loaded.setup.directory.people), "person", "people"),
        counted(len(loaded.setup.channels), "channel", "channels"),
    )
    verdict = "is good, with warnings" if loaded.warnings or faults else "is good"
    say(f"{path} {verdict}: {', '.join(counts)}.")
