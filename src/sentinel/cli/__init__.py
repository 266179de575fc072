"""The commands. Only the one that is called is imported, so that help, completion and ``check`` answer at once."""

from __future__ import annotations

import importlib
import os

import click

from sentinel.cli.asked import Asked, daemon_options

# Each command: where it is, and its line in the help.
COMMANDS = {
    "run": ("sentinel.cli.run:run", "Run the daemon."),
    "init": ("sentinel.cli.init:init", "Look at a URL and write a first probes.yaml."),
    "check": ("sentinel.cli.check:check", "Check the configuration, all of it."),
    "probe": ("sentinel.cli.probe:probe", "Run one probe now and show what it saw."),
    "explain": ("sentinel.cli.explain:explain", "Say which rule decides, why, and who would be told when."),
    "due": ("sentinel.cli.due:due", "Say when a target falls due, and how that was counted."),
    "simulate": ("sentinel.cli.simulate:simulate", "Show what would happen, on virtual time; nothing is sent."),
    "pings": ("sentinel.cli.pings:pings", "Show the last calls of a job."),
    "incidents": ("sentinel.cli.incidents:incidents", "List incidents, newest first."),
    "top": ("sentinel.cli.top:top", "Show on a terminal what is open, and work on it."),
    "show": ("sentinel.cli.incidents:show", "Show one incident with its timeline and messages."),
    "raise": ("sentinel.cli.raising:raise_", "Open an incident."),
    "mail-in": ("sentinel.cli.mail_in:mail_in", "Hand a mail from a mail server's pipe to the daemon."),
    "request": ("sentinel.cli.request:request", "Log a service request; list, plan, do and refuse them."),
    "ack": ("sentinel.cli.acting:ack", "Take an incident."),
    "unack": ("sentinel.cli.handling:unack", "Take an acknowledgement back."),
    "assign": ("sentinel.cli.handling:assign", "Give an incident to somebody."),
    "note": ("sentinel.cli.acting:note", "Add a note to an incident."),
    "resolve": ("sentinel.cli.acting:resolve", "Say that service is back."),
    "reopen": ("sentinel.cli.acting:reopen", "Say that it was not over."),
    "close": ("sentinel.cli.acting:close", "Confirm that it is over."),
    "pend": ("sentinel.cli.handling:pend", "Wait for the customer or a third party."),
    "resume": ("sentinel.cli.handling:resume", "Go on with a pending incident."),
    "workaround": ("sentinel.cli.handling:workaround", "Propose a workaround to the customer."),
    "publish": ("sentinel.cli.publishing:publish", "Write to customers of an incident."),
    "recategorise": ("sentinel.cli.handling:recategorise", "Say that an incident is something else."),
    "cascade": ("sentinel.cli.handling:cascade", "Take an incident to level 3."),
    "escalate": ("sentinel.cli.handling:escalate", "Call the next level of the escalation."),
    "crisis": ("sentinel.cli.crisis:crisis", "Run a crisis, from its declaration to its end."),
    "problem": ("sentinel.cli.problems:problem", "Judge proposed problems; keep the records of accepted ones."),
    "review": ("sentinel.cli.review:review", "Hold the review of an incident, write its report, plan actions."),
    "actions": ("sentinel.cli.review:actions", "List actions, the next one due first."),
    "merge": ("sentinel.cli.acting:merge", "Make an incident a part of another."),
    "change": ("sentinel.cli.changing:change", "Plan, check and run changes; keep the fixes that wait."),
    "silence": ("sentinel.cli.silences:silence", "Add, list and end silences."),
    "oncall": ("sentinel.cli.oncall:oncall", "Show who is on call; fill and swap."),
    "matrix": ("sentinel.cli.matrix:matrix", "Show and keep the escalation matrices."),
    "overload": ("sentinel.cli.overload:overload", "Show overload; switch it on and off."),
    "notify": ("sentinel.cli.notify:notify", "Try the ways to reach people."),
    "report": ("sentinel.cli.report:report", "Write service reports: availability, outages, targets."),
    "verify": ("sentinel.cli.verify:verify", "Refold the log and check its chain."),
    "export": ("sentinel.cli.export:export", "Write what other programs need, to standard output."),
    "token": ("sentinel.cli.token:token", "Make, list and revoke tokens."),
    "account": ("sentinel.cli.account:account", "Say who may sign in to the pages with a password."),
    "openapi": ("sentinel.cli.openapi:openapi", "Write the description of the API."),
    "reload": ("sentinel.cli.reload:reload", "Make the daemon read its configuration again."),
    "last-gasp": ("sentinel.cli.last_gasp:last_gasp", "Tell who is left that Sentinel is no more."),
    "completion": ("sentinel.cli.completion:completion", "Print the completion script of a shell."),
}


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own interface
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  as above
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  as above
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"There is no command '{name}'." + (f" Did you mean '{near[0]}'?" if near else ""))
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@daemon_options
@click.version_option(package_name="sentinel-ops", prog_name="sentinel", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Watch services, open incidents, and reach the people who must know.

    Exit codes: 0 fine, 1 the thing asked about is bad, 2 usage, 3 configuration, 4 partial or warnings,
    5 daemon unreachable.
    """
    context.ensure_object(Asked)
    # No package that happens to be installed gets to see what the configuration holds; nor are all of them searched.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
