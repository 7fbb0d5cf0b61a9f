"""Writes docs/reference, the types of the extension and what the servers say of themselves.

`python scripts/reference.py`, or with `--check` to compare only.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import typing
from typing import TYPE_CHECKING, Any

import forms
from generated import ROOT, write_or_check
from openapi import description
from outputs import OUTPUTS
from schemas import about, schema
from typer.main import get_command

from llmstep.cli import app
from llmstep.mcp.tools import TOOLS
from llmstep.wire import state, steps
from llmstep.wire.commands import COMMANDS, MESSAGES, CheckedSuggestions, CheckParams, Place, PlainGoal

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs" / "reference"
TYPES = ROOT / "vscode-extension" / "src" / "server" / "wire.ts"
PACKAGE = ROOT / "lsp_server" / "llmstep"
MADE = "This page is made by `scripts/reference.py`."
STATUSES = """\
| status | meaning |
|---|---|
| 0 | It worked; something was found. |
| 1 | Nothing was found: no step, no proof, no goal at the place; with `doctor`, llmstep is not usable. |
| 2 | Wrong use: an option, a place, a setting or the name of a model is wrong, or nobody can agree to a download. |
| 3 | Something failed: Lean, the model, a server, the network, the disk. |
| 130, 143 | It was ended by Ctrl-C or SIGTERM (`serve` ends with 0). |
"""


def lsp_page() -> str:
    """The commands of the language server."""
    lines = [
        "# Commands of the language server\n",
        "`llmstep lsp` takes these by `workspace/executeCommand`. Each has one argument, an object; types are those of",
        "TypeScript, and `Position`, `Range`, `TextEdit` and `Diagnostic` are the protocol's. Every command can be",
        "cancelled. An error has the code of JSON-RPC or LSP and in its `data` `{hint, code, retryable}`.",
        f"{MADE}\n",
    ]
    for each in (*COMMANDS, *MESSAGES):
        lines += [f"## `{each.name}`\n", f"{each.about}\n"]
        lines += ["Takes:\n", *forms.rows(each.params), ""] if each.params else ["Takes nothing.\n"]
        if each.result is None:
            lines.append("Answers `null`.\n")
            continue
        lines.append(f"Answers `{forms.type_text(each.result).replace('readonly ', '')}`.\n")
        for part in forms.parts(each.result):
            lines += [f"`{part.__name__}`: {about(part)}\n", *forms.rows(part), ""]
    return "\n".join(lines)


def json_page() -> str:
    """The outputs of `--json`."""
    lines = [
        "# Output for programs\n",
        "With `--json` these commands print one JSON value on stdout, and nothing else there. The JSON Schemas are in",
        f"[schemas](schemas/suggest.json); the tests validate real output against them. {MADE}\n",
    ]
    for name, kind in OUTPUTS.items():
        lines += [f"## `llmstep {name} --json`\n", f"[JSON Schema](schemas/{file_name(name)})\n"]
        if typing.get_origin(kind) is list:
            lines.append("A list of these:\n")
        for part in forms.parts(kind):
            lines += [f"`{part.__name__}`: {about(part)}\n", *forms.rows(part, str), ""]
    return "\n".join(lines)


def http_page() -> str:
    """The pages of the HTTP server."""
    lines = [
        "# HTTP API\n",
        "`llmstep serve` answers these pages, and describes them at `/openapi.json` (OpenAPI 3.1) with the forms of",
        f"all bodies. With a token, requests carry `Authorization: Bearer TOKEN`. {MADE}\n",
        "| page | what it answers | fields of the request |",
        "|---|---|---|",
    ]
    found = description()
    shapes = found["components"]["schemas"]
    for path, methods in found["paths"].items():
        for method, page in methods.items():
            body = page.get("requestBody")
            names: list[str] = []
            if body:
                shape = shapes[body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
                needed = shape.get("required", [])
                names = [f"**`{name}`**" if name in needed else f"`{name}`" for name in shape["properties"]]
            said = page["summary"].replace("|", "\\|")
            lines.append(f"| `{method.upper()} {path}` | {said} | {', '.join(names)} |")
    answers = ["\nFields in bold have to be there. Other answers:\n", "| status | meaning |", "|---|---|"]
    for status, each in next(iter(found["paths"].values()))["post"]["responses"].items():
        if status != "200":
            answers.append(f"| {status} | {each['description']} |")
    return "\n".join([*lines, *answers, "", found["info"]["description"], ""])


def cli_page() -> str:
    """The commands of the terminal."""
    lines = [
        "# Commands of the terminal\n",
        "Every command has `--help` with an example; `llmstep --install-completion` makes the shell complete commands,",
        f"options, models and settings. {MADE}\n",
        "## Exit status\n",
        STATUSES,
    ]

    def visit(command: Any, words: list[str]) -> None:
        if words:
            lines.extend([f"## `llmstep {' '.join(words)}`\n", *_command(command)])
        for name, each in getattr(command, "commands", {}).items():
            visit(each, [*words, name])

    visit(get_command(app), [])
    return "\n".join(lines)


def _command(command: Any) -> list[str]:
    told = inspect.cleandoc(command.help or "").replace("\n", " ").split("  ")
    lines = [re.sub(r"Example: (.*)", r"\n    \1\n", " ".join(told)), ""]
    shown = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
    if shown:
        lines += ["| option | meaning |", "|---|---|"]
    for each in shown:
        options = [name for name in (*each.opts, *each.secondary_opts) if name.startswith("-")]
        named = ", ".join(f"`{name}`" for name in options) or f"`{each.name.upper()}`"
        text = " ".join((getattr(each, "help", "") or "").split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {named} | {text} |")
    return [*lines, ""]


def types_file() -> str:
    """The types of the extension."""
    wanted = [Place, state.Status, state.ServerMessage, CheckParams, CheckedSuggestions]
    wanted += [PlainGoal, state.DoctorOutput]
    wanted += [steps.Known, steps.ShownSuggestion, steps.ProveAnswer, steps.FillAnswer]
    wanted += [each for message in COMMANDS for each in forms.parts(message.result)]
    classes = list(dict.fromkeys(part for each in wanted for part in forms.parts(each)))
    bases = [base for cls in classes for base in cls.__mro__[1:] if base.__module__ == cls.__module__]
    classes = list(dict.fromkeys([*bases, *classes]))
    aliases = {getattr(steps, name): name for name in ("ShownVerdict", "StepSource", "ProofOutcome", "ProofStrategy")}
    unions = [f"export type {name} = {forms.type_text(kind)};" for kind, name in aliases.items()]
    text = "\n\n".join([*unions, *(forms.interface(cls, aliases) for cls in classes)])
    known = ("Diagnostic", "Position", "Range", "TextDocumentIdentifier", "TextEdit")
    used = [name for name in known if re.search(rf": (readonly )?{name}\b", text)]
    return (
        "// Made by scripts/reference.py from the classes of lsp_server/llmstep/wire: change those.\n"
        f"import type {{ {', '.join(used)} }} from 'vscode-languageclient/node';\n\n{text}\n"
    )


def tools() -> list[dict[str, Any]]:
    """The tools of the MCP server as clients see them, by the texts and the types of what runs them."""
    made = []
    for name, tool in TOOLS.items():
        hints = typing.get_type_hints(tool)
        title, _, description = " ".join((tool.__doc__ or "").split()).partition(". ")
        shown = {
            "name": name,
            "title": title,
            "description": description,
            "inputSchema": schema(hints["wanted"], nullable=True),
            "outputSchema": schema(hints["return"]),
            "annotations": {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
        }
        made.append(shown)
    return made


def as_json(content: Any) -> str:
    """A value as a file has it."""
    return json.dumps(content, indent=2, ensure_ascii=False)


def file_name(output: str) -> str:
    """The file of an output's JSON Schema."""
    return output.replace(" ", "-") + ".json"


def files() -> dict[Path, str]:
    """All that is made."""
    made = {
        FOLDER / "lsp.md": lsp_page(),
        FOLDER / "json.md": json_page(),
        FOLDER / "http.md": http_page(),
        FOLDER / "cli.md": cli_page(),
        TYPES: types_file(),
        PACKAGE / "http" / "openapi.json": as_json(description()),
        PACKAGE / "mcp" / "tools.json": as_json(tools()),
    }
    for name, kind in OUTPUTS.items():
        title = f"llmstep {name} --json"
        shown = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema(kind)}
        made[FOLDER / "schemas" / file_name(name)] = as_json(shown)
    return {path: re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n" for path, text in made.items()}


if __name__ == "__main__":
    files_made = files()
    schemas = (FOLDER / "schemas").glob("*.json")
    sys.exit(write_or_check("reference.py", files_made, [path for path in schemas if path not in files_made]))
