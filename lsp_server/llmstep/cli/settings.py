"""`llmstep settings`: every setting, its value, and where that comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmstep.cli.flags import Given, takes_settings
from llmstep.cli.options import configured
from llmstep.cli.say import say, say_json, warn
from llmstep.configuration import PROJECT_FILE, Layer, project_file, user_file
from llmstep.errors import SettingsError
from llmstep.printable import printable
from llmstep.setting_values import value_text
from llmstep.settings import all_settings
from llmstep.wire.state import FaultRow, SettingRow, SettingsFiles, SettingsOutput

DEFAULT = "default"
"""The origin of what is set nowhere."""


@takes_settings("set_")
def settings(
    names: Annotated[list[str] | None, typer.Argument(help="Show these only; a section such as lean is fine.")] = None,
    place: Annotated[Path | None, typer.Option("--for", help="A Lean file or folder; default the current one.")] = None,
    *,
    given: Given,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are set somewhere.")] = False,
    path: Annotated[bool, typer.Option("--path", help="Print where your settings file is, and nothing else.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print {files, settings, faults} instead of a table.")
    ] = False,
) -> None:
    """Show the settings, and where each value comes from.

    Later places win: defaults, your settings file, the project's llmstep.toml,
    the environment (LLMSTEP_COUNT for count, LLMSTEP_LEAN_COMMAND for
    lean.command), the options of a command. The editor's settings lie between
    the files and the environment. What is wrong is shown, and not used;
    the exit status is 2 then.

    Example: llmstep settings lean --for Demo.lean
    """
    if path:
        say(str(user_file()))
        return
    found = configured(given.values, place, show=False)
    shown = [name for name in _chosen(names or ()) if not changed or name in found.values]
    output = _output(found, shown, place or Path())
    if as_json:
        say_json(output)
    else:
        _print(output)
        for fault in found.faults:
            warn(str(fault))
    raise typer.Exit(2 if found.faults else 0)


def _output(found: Layer, names: list[str], place: Path) -> SettingsOutput:
    own, project, values = user_file(), project_file(place), found.settings
    rows = [
        SettingRow(
            name=each.name,
            value=each.read(values),
            default=each.default,
            origin=found.origins.get(each.name, DEFAULT),
            variable=each.variable,
        )
        for each in map(all_settings().__getitem__, names)
    ]
    return SettingsOutput(
        files=SettingsFiles(user=str(own) if own.is_file() else None, project=str(project) if project else None),
        settings=tuple(rows),
        faults=tuple(FaultRow(message=fault.message, hint=fault.hint) for fault in found.faults),
    )


def _chosen(names: list[str] | tuple[str, ...]) -> list[str]:
    """
    Raises:
        SettingsError: There is no such setting or section.
    """
    known = all_settings()
    if not names:
        return list(known)
    wanted = [name.removeprefix("llmstep.") for name in names]
    for name in wanted:
        if name not in known and not any(each.startswith(f"{name}.") for each in known):
            raise SettingsError(f"There is no setting llmstep.{name[:60]}.", hint="`llmstep settings` lists all.")
    return [each for each in known if any(each == name or each.startswith(f"{name}.") for name in wanted)]


def _print(output: SettingsOutput) -> None:
    from rich.text import Text

    from llmstep.cli.tables import console_of, grid

    console, table = console_of(), grid("setting", "value", "from")
    for row in output.settings:
        value, style = printable(value_text(row.value)) or '""', "dim" if row.origin == DEFAULT else ""
        table.add_row(Text(row.name), Text(value), Text(printable(row.origin), style=style))
    console.print(table)
    console.print(Text(printable(f"Your settings file: {user_file()}; a project's: {PROJECT_FILE}"), style="dim"))
