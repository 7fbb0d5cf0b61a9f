"""What is made from the classes of wire and settings is up to date, and the classes describe what programs get."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = ROOT / "docs" / "reference" / "schemas"


@pytest.mark.parametrize("script", ["reference.py", "settings_page.py", "vscode_settings.py"])
def test_pages_and_types_are_up_to_date(script: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file", sorted(SCHEMAS.iterdir()), ids=lambda file: file.stem)
def test_schemas_are_valid_and_strict(file: Path) -> None:
    schema = json.loads(file.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("type") != "object":
            continue
        assert part["additionalProperties"] is False
        assert set(part["required"]) <= set(part["properties"])
    wrong = {"no": "such output"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([wrong] if "array" in schema.get("type", "") else wrong, schema)
