"""Writes docs/settings.md from the typed settings: `python scripts/settings_page.py`, or `--check` to compare only."""

from __future__ import annotations

import inspect
import json
import sys
import typing
from typing import Any, Literal

import attrs
from generated import ROOT, write_or_check

from llmstep.setting_values import wire_name
from llmstep.settings import Settings

PAGE = ROOT / "docs" / "settings.md"
HEAD = """\
# Settings

All settings of the server, with their defaults. This page is made from `settings.py` by `scripts/settings_page.py`.

- VS Code: the names below, in its settings. The extension has a few of its own besides (`llmstep.python` for example).
- Other editors: the same names in the initialization options and in `workspace/didChangeConfiguration`, with or without
  `llmstep.` in front, nested or with dots.
- The terminal: options such as `--count 20` (each command's `--help` lists them), and `--set topP=0.9` for every
  setting.
- The environment: `LLMSTEP_` and the name in capitals, `LLMSTEP_COUNT=20`, `LLMSTEP_LEAN_COMMAND="lake serve --"`. A
  list is written as the words of a command, or as JSON. `LLMSTEP_PORT` is a second name of `LLMSTEP_HTTP_PORT`.
- Your settings file, for the terminal and for all editors: `config.toml` in the configuration folder
  (`~/.config/llmstep` on Linux; `llmstep settings --path` prints it, `LLMSTEP_CONFIG` names another one).
- A project's settings file: `llmstep.toml` in the nearest folder above a Lean file that has one.

```toml
count = 20
model = "bfs-prover-v2-7b"

[lean]
openFiles = 4
```

Later places win: defaults, your settings file, the project's, the editor, the environment, options of a command (in an
editor: what a command changed in this session). `llmstep settings` shows every value with where it comes from. A wrong
or unknown setting is reported with its place, and all others hold; a wrong option ends the command with status 2.

Settings marked † name a command, a place or a server, or give leave: a project's file cannot set them, as in VS Code a
workspace that is not trusted cannot.
"""


def rows(cls: type, prefix: str) -> list[str]:
    """The rows of a section's table."""
    hints = typing.get_type_hints(cls)
    found = []
    for field in attrs.fields(cls):
        if not attrs.has(hints[field.name]):
            values = _values(hints[field.name], field.metadata)
            default = json.dumps(field.default)
            mark = " †" if field.metadata["users"] else ""
            name = prefix + wire_name(field.name)
            found.append(f"| `{name}`{mark} | {values} | `{default}` | {field.metadata['doc']} |")
    return found


def _values(expected: Any, metadata: Any) -> str:
    if typing.get_origin(expected) is Literal:
        return ", ".join(f"`{each}`" for each in typing.get_args(expected))
    if typing.get_origin(expected) is tuple:
        return "list of texts"
    name = {bool: "true or false", int: "whole number", float: "number"}.get(expected, "text")
    least, most = metadata.get("minimum"), metadata.get("maximum")
    if least is None:
        return name
    return f"{name}, {least} to {most}" if most is not None else f"{name}, at least {least}"


def page() -> str:
    """The whole page."""
    table = "| setting | values | default | meaning |\n|---|---|---|---|\n"
    parts = [HEAD, "## General\n", table + "\n".join(rows(Settings, "llmstep."))]
    hints = typing.get_type_hints(Settings)
    for field in attrs.fields(Settings):
        section = hints[field.name]
        if attrs.has(section):
            name = wire_name(field.name)
            parts += [f"\n## `{name}`\n", inspect.cleandoc(section.__doc__ or "") + "\n"]
            parts.append(table + "\n".join(rows(section, f"llmstep.{name}.")))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check("settings_page.py", {PAGE: page()}))
