"""`llmstep doctor`: what is installed, what is missing, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from llmstep.cli.command import in_terminal, options_of
from llmstep.cli.flags import ENGINE, Given, takes_settings
from llmstep.cli.options import configured
from llmstep.cli.say import say_json
from llmstep.printable import printable
from llmstep.wire.state import DoctorOutput, Finding

_STYLES = {"ok": "green", "note": "yellow", "missing": "red"}


@takes_settings(*ENGINE, "lean")
def doctor(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A Lean file or folder; default the current folder.")] = None,
    *,
    given: Given,
    as_json: Annotated[bool, typer.Option("--json", help="Print {usable, findings} instead of text.")] = False,
) -> None:
    """Look at the installation, and say one line of advice for each thing missing.

    Looks at Python, torch, the settings, device, memory, Lean, the project,
    the engine, models, the cache, the port of the tactic, and servers that run. The exit status is 1 when something is
    missing without which llmstep is not usable.

    Example: llmstep doctor Demo.lean
    """
    from llmstep.doctor.examine import examine, usable

    configuration = configured(given.values, file, show=False)
    findings = []
    options = options_of(context.command.params)
    for finding in examine(configuration, file or Path.cwd()):
        findings.append(finding)
        if not as_json:
            _print(finding, options)
    if as_json:
        say_json(DoctorOutput(usable=usable(findings), findings=tuple(findings)))
    elif usable(findings):
        typer.echo("llmstep is usable.")
    else:
        topics = [finding.topic for finding in findings if finding.grade == "missing"]
        but = "; `llmstep serve` works without it" if topics == ["Lean"] else ""
        typer.echo(f"llmstep is not usable: see {', '.join(topics)}{but}.")
    raise typer.Exit(0 if usable(findings) else 1)


def _print(finding: Finding, options: Mapping[str, str]) -> None:
    typer.echo(
        typer.style(f"{finding.grade:8}", fg=_STYLES[finding.grade]) + printable(f"{finding.topic}: {finding.text}")
    )
    if finding.advice:
        typer.echo(printable(f"        -> {in_terminal(finding.advice, options)}"))
