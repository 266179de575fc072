"""The exec probe: run a Nagios plugin, or any program, and judge what it says. No shell is ever involved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sentinel.config.fields import Secret, wrong
from sentinel.probes.base import Failed, Options, ProbeKind, Sight
from sentinel.probes.program import (
    ARGUMENTS_MAX,
    BARE_ENVIRONMENT,
    Argument,
    Outcome,
    check_program,
    execute,
    first_line,
    signal_name,
)
from sentinel.probes.said import clean

ENVIRONMENT_MAX = 100
TARGETS_MAX = 1000
FACTS_MAX = 20
PLACEHOLDER = "{target}"

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
# A target becomes an argument: it must not be able to pass for an option.
TargetName = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x20\x7f-][^\x00-\x1f\x7f]*$")]


class ExecOptions(Options):
    """The options of the exec probe; ``{target}`` stands for the target where it is a whole argument."""

    run: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=ARGUMENTS_MAX)]
    many: Annotated[tuple[TargetName, ...], Field(alias="targets", max_length=TARGETS_MAX)] = ()
    format: Literal["nagios", "exit"] = "nagios"
    warning: Literal["fails", "passes"] = "fails"
    metric: Annotated[str, Field(max_length=255)] = ""
    env: Annotated[dict[Variable, Secret], Field(default_factory=dict, max_length=ENVIRONMENT_MAX)]

    @model_validator(mode="after")
    def _can_run(self) -> ExecOptions:
        if not self.run[0].startswith("/"):
            raise wrong(f"`run` begins with {self.run[0]!r}, which is not an absolute path", "write `/usr/lib/…`")
        for argument in self.run:
            if PLACEHOLDER in argument and (argument != PLACEHOLDER or argument == self.run[0]):
                raise wrong(f"`{PLACEHOLDER}` must be an argument by itself", f"write [-H, '{PLACEHOLDER}']")
        if PLACEHOLDER in self.run and not self.many:
            raise wrong(f"`run` uses `{PLACEHOLDER}`, and `targets` is missing")
        if len(set(self.many)) < len(self.many):
            raise wrong("`targets` names one twice")
        if self.metric and self.format != "nagios":
            raise wrong("`metric` needs `format: nagios`")
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each target, or the program itself when there is none."""
        return self.many or (Path(self.run[0]).name,)


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of a plugin's performance data, in the unit that it gave."""

    label: str
    value: float
    unit: str


async def run(options: ExecOptions, sight: Sight) -> None:
    """Run the program and judge its exit code. The caller sets the time limit.

    However the run ends, the program and everything in its process group is gone afterwards.

    Raises:
        Failed: see ``REASONS``.
    """
    arguments = [sight.target if argument == PLACEHOLDER else argument for argument in options.run]
    environment = BARE_ENVIRONMENT | {name: secret.reveal() for name, secret in options.env.items()}
    check_program(arguments[0])
    with sight.phase("run"):
        outcome = await execute(arguments, environment, sight.timeout_s)
    sight.fact(f"{arguments[0]} exits with {outcome.code}")
    for line in [*outcome.output.splitlines(), *outcome.errors.splitlines()][:FACTS_MAX]:
        sight.fact(clean(line, 500))
    _judge(options, sight, outcome)


def _judge(options: ExecOptions, sight: Sight, outcome: Outcome) -> None:
    text, data = parse(outcome.output) if options.format == "nagios" else (first_line(outcome.output), [])
    said = text or first_line(outcome.errors) or "no output"
    sight.value = next((datum.value for datum in data if options.metric in ("", datum.label)), None)
    if outcome.code < 0:
        raise Failed("crashed", f"{options.run[0]} was killed by {signal_name(-outcome.code)}: {said}")
    if options.format == "exit":
        if outcome.code:
            raise Failed("exit", f"exit code {outcome.code}: {said}")
        return
    reason = NAGIOS.get(outcome.code, "unknown")
    if outcome.code > max(NAGIOS):
        raise Failed(reason, f"exit code {outcome.code} is none of 0 to 3: {said}")
    if reason and not (reason == "warning" and options.warning == "passes"):
        raise Failed(reason, said)
    if options.metric and sight.value is None:
        raise Failed("metric", f"the performance data holds no {options.metric!r}: {said}")


# The exit codes of the plugin contract; nothing is wrong with the empty reason.
NAGIOS = {0: "", 1: "warning", 2: "critical", 3: "unknown"}


def parse(output: str) -> tuple[str, list[Datum]]:
    """Split a plugin's output into its first line of text and its performance data.

    The data stands behind the first ``|`` of the first line, and behind the first ``|`` of the lines after it.
    """
    lines = output.split("\n")
    text, _, data = lines[0].partition("|")
    _, _, more = "\n".join(lines[1:]).partition("|")
    return clean(text.strip(), 400), list(_data(f"{data} {more}"))


# 'label'=value[unit];warn;crit;min;max: a quoted label doubles the quotes in it, and its value ends at a blank.
_DATUM = re.compile(r"(?:'((?:[^']|'')*)'|([^\s='][^\s=]*))=([^\s;]*)[^\s]*", re.ASCII)
_VALUE = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?)([a-zA-Z%µ]{0,8})", re.ASCII)
DATA_MAX = 200


def _data(text: str) -> Iterator[Datum]:
    """Yield each value; ``U``, the plugin's own "not known", and what is no number is left out."""
    for count, found in enumerate(_DATUM.finditer(text)):
        if count >= DATA_MAX:
            return
        value = _VALUE.fullmatch(found[3])
        if value:
            number = float(value[1].replace(",", "."))
            label = found[1].replace("''", "'") if found[1] is not None else found[2]
            if abs(number) != float("inf"):
                yield Datum(label, number, value[2])


REASONS = frozenset(
    {"warning", "critical", "unknown", "exit", "crashed", "timeout", "output", "metric", "not_found", "not_executable"}
)

KIND = ProbeKind("exec", ExecOptions, run, REASONS, at_home=True)
