"""`llmstep doctor`: what is installed, what is missing, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.engine_flags import EngineFlags, takes_engine
from llmstep.cli.options import ModelOption, lean_command, settings_with
from llmstep.printable import json_text, printable

if TYPE_CHECKING:
    from llmstep.doctor.finding import Finding

_STYLES = {"ok": "green", "note": "yellow", "missing": "red"}


@takes_engine
def doctor(
    file: Annotated[Path | None, typer.Argument(help="A Lean file or folder; default the current folder.")] = None,
    model: ModelOption = None,
    lean: Annotated[str | None, typer.Option(help="Command of the Lean server to look at.")] = None,
    *,
    engine: EngineFlags,
    as_json: Annotated[bool, typer.Option("--json", help="Print {usable, findings} instead of text.")] = False,
) -> None:
    """Look at the installation, and say one line of advice for each thing missing.

    Looks at Python, torch, device, memory, Lean, the engine, models, the
    port of the tactic, and servers that run. The exit status is 1 when something is
    missing without which llmstep is not usable.
    """
    from llmstep.doctor.examine import examine, usable

    settings = settings_with(
        {
            "model": model,
            "lean.command": lean_command(lean),
            **engine.settings(),
        }
    )
    findings = []
    for finding in examine(settings, file or Path.cwd()):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        typer.echo(json_text(_as_record(findings, usable(findings))))
    elif usable(findings):
        typer.echo("llmstep is usable.")
    else:
        topics = ", ".join(finding.topic for finding in findings if finding.grade == "missing")
        typer.echo(f"llmstep is not usable: see {topics}.")
    raise typer.Exit(0 if usable(findings) else 1)


def _print(finding: Finding) -> None:
    typer.echo(
        typer.style(f"{finding.grade:8}", fg=_STYLES[finding.grade]) + printable(f"{finding.topic}: {finding.text}")
    )
    if finding.advice:
        typer.echo(printable(f"        -> {finding.advice}"))


def _as_record(findings: list[Finding], is_usable: bool) -> dict[str, object]:
    return {
        "usable": is_usable,
        "findings": [
            {
                "topic": finding.topic,
                "grade": finding.grade,
                "text": finding.text,
                "advice": finding.advice,
                "details": finding.details,
            }
            for finding in findings
        ],
    }
