"""What the settings that `scripts/vscode_settings.py` writes into package.json mean to VS Code and to the server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmstep.errors import SettingsError
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


def declared() -> dict[str, dict[str, Any]]:
    """The properties of package.json by their names without `llmstep.`."""
    sections = PACKAGE["contributes"]["configuration"]
    return {
        name.removeprefix("llmstep."): schema for section in sections for name, schema in section["properties"].items()
    }


DECLARED = declared()
SHARED = sorted(set(DECLARED) & set(all_settings()))


def test_the_extension_asks_for_every_setting_of_the_server() -> None:
    assert set(DECLARED) - set(all_settings()) == CLIENT_ONLY
    assert set(all_settings()) - set(DECLARED) == SERVER_ONLY


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


def test_an_untrusted_workspace_sets_no_path_command_or_server() -> None:
    restricted = set(PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    begins = ("model", "template", "engine", "trustRemoteCode", "lean.command", "lean.environment", "lean.buildImports")
    begins += ("premises.index", "remote.", "http.", "install.", "python")
    assert restricted == {f"llmstep.{name}" for name in DECLARED if name.startswith(begins)}


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
