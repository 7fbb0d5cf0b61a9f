"""The settings that the VS Code extension declares against those of the server, both ways; model list; scopes."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from llmstep.catalog.models import CATALOG
from llmstep.errors import SettingsError
from llmstep.setting_values import wire_name
from llmstep.settings import Settings, all_settings

EXTENSION = Path(__file__).parents[1] / "vscode-extension"
PACKAGE = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))

CLIENT_ONLY = {
    "python",
    "install.torch",
    "install.torchIndexUrl",
    "install.wheelhouse",
    "goalsFromLean4Extension",
    "panel.openOnRun",
    "trace.server",
}
"""Settings of the extension itself."""
SERVER_ONLY = {"goalProvider", "checkProvider"}
"""What the extension decides by itself, by whether the Lean 4 extension answers."""
NAMING = {
    "model",
    "template",
    "engine",
    "trustRemoteCode",
    "lean.command",
    "lean.environment",
    "lean.buildImports",
    "premises.index",
}
"""Settings that name a path, a command or a server, or that allow code to run, beside whole sections."""
SECTIONS_OF_PATHS = ("remote.", "http.", "install.", "python")

JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def declared() -> dict[str, dict[str, Any]]:
    """The properties of package.json by their names without `llmstep.`."""
    sections = PACKAGE["contributes"]["configuration"]
    return {
        name.removeprefix("llmstep."): schema for section in sections for name, schema in section["properties"].items()
    }


def typed(cls: type = Settings, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The server's settings: (type, attrs field) by wire name."""
    hints = typing.get_type_hints(cls)
    found: dict[str, tuple[Any, Any]] = {}
    for field in attrs.fields(cls):
        name = prefix + wire_name(field.name)
        if attrs.has(hints[field.name]):
            found |= typed(hints[field.name], name + ".")
        else:
            found[name] = (hints[field.name], field)
    return found


DECLARED, TYPED = declared(), typed()
SHARED = sorted(set(DECLARED) & set(TYPED))


def test_both_have_the_same_settings() -> None:
    assert set(DECLARED) - set(TYPED) == CLIENT_ONLY
    assert set(TYPED) - set(DECLARED) == SERVER_ONLY


@pytest.mark.parametrize("name", SHARED)
def test_type_default_choices_and_bounds(name: str) -> None:
    schema, (expected, field) = DECLARED[name], TYPED[name]
    if typing.get_origin(expected) is Literal:
        assert schema["type"] == "string"
        assert schema["enum"] == list(typing.get_args(expected))
        assert len(schema["markdownEnumDescriptions"]) == len(schema["enum"])
        assert all(schema["markdownEnumDescriptions"])
    elif typing.get_origin(expected) is tuple:
        assert (schema["type"], schema["items"]) == ("array", {"type": "string"})
    else:
        assert schema["type"] == JSON_TYPES[expected]
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    assert schema["default"] == default
    assert type(schema["default"]) is type(default) or {type(schema["default"]), type(default)} == {int, float}
    assert schema.get("minimum") == field.metadata.get("minimum")
    assert schema.get("maximum") == field.metadata.get("maximum")


@pytest.mark.parametrize("name", SHARED)
def test_every_default_is_accepted_and_everything_out_of_bounds_refused(name: str) -> None:
    schema = DECLARED[name]
    assert Settings.decode({name: schema["default"]}) == Settings()
    wrong: list[Any] = []
    if "minimum" in schema:
        wrong.append(schema["minimum"] - 1)
    if "maximum" in schema:
        wrong.append(schema["maximum"] + 1)
    if "enum" in schema:
        wrong.append("no such choice")
        for choice in schema["enum"]:
            Settings.decode({name: choice})
    for value in wrong:
        with pytest.raises(SettingsError, match=re.escape(f"llmstep.{name}")):
            Settings.decode({name: value})


def test_the_extension_and_this_test_agree_on_what_is_not_for_the_server() -> None:
    source = (EXTENSION / "src" / "settings.ts").read_text(encoding="utf-8")
    listed = re.search(r"CLIENT_ONLY[^\[]*\[([^\]]*)\]", source)
    assert listed is not None
    assert set(re.findall(r"'([^']+)'", listed[1])) == CLIENT_ONLY


def test_the_catalog_is_described_at_the_setting_of_the_model() -> None:
    text = DECLARED["model"]["markdownDescription"]
    described = dict(re.findall(r"^- `([^`]+)`: (.+)$", text, re.MULTILINE))
    assert list(described) == [record.name for record in CATALOG]
    for record in CATALOG:
        assert described[record.name].startswith(record.summary)
        if record.size_bytes:
            assert described[record.name].endswith(f"({record.size_bytes / 1e9:.1f} GB)")
    assert "enum" not in DECLARED["model"]  # any hub id or folder is allowed


def test_an_untrusted_workspace_sets_no_path_command_or_server() -> None:
    restricted = {
        name.removeprefix("llmstep.")
        for name in PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    }
    assert restricted <= set(DECLARED)
    wanted = {name for name in DECLARED if name.startswith(SECTIONS_OF_PATHS)} | NAMING
    assert wanted - restricted <= {"remote.timeoutSeconds"}
    of_the_user = {name for name, each in all_settings().items() if each.users}
    assert of_the_user - restricted == {"remote.timeoutSeconds"}
    assert (restricted & set(TYPED)) - of_the_user == set(), "a project's llmstep.toml is trusted no more"


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_scopes(name: str) -> None:
    """What belongs to a machine is not synchronized, and consent is not given by a workspace."""
    scope = DECLARED[name]["scope"]
    assert scope in {"window", "machine", "machine-overridable"}
    if name in {"remote.allowNonLoopback", "remote.apiKeyFile", "http.host"} or name.startswith("install."):
        assert scope == "machine"
    if name in {"python", "device", "dtype", "threads", "lean.command", "lean.environment", "premises.index"}:
        assert scope == "machine-overridable"


def test_the_extension_has_the_version_of_the_package() -> None:
    from llmstep import __version__

    assert PACKAGE["version"] == __version__
