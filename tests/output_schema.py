"""The forms of docs/reference, for tests that have real output."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema

from llmstep.setting_values import wire_name
from llmstep.wire.commands import COMMANDS, MESSAGES

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))

from schemas import schema  # noqa: E402

SCHEMAS = ROOT / "docs" / "reference" / "schemas"


def checked(command: str, output: str) -> Any:
    """What `llmstep COMMAND --json` printed, read; it must have the form that docs/reference says."""
    found = json.loads(output)
    schema = json.loads((SCHEMAS / f"{command.replace(' ', '-')}.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    return found


def check_answer(command: str, answer: Any) -> None:
    """Whether the answer to a command, or to a request of llmstep's own, has the form of docs/reference/lsp.md."""
    validator = _validators().get(command)
    if validator is not None:
        validator.validate(answer)


@functools.cache
def _validators() -> dict[str, Any]:
    return {
        each.name: jsonschema.Draft202012Validator(schema(each.result, wire_name))
        for each in (*COMMANDS, *MESSAGES)
        if each.result is not None
    }
