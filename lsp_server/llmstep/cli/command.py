"""Commands whose hints name the options that the reader has: `--device` in the terminal, a setting in the editor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from llmstep.errors import LlmstepError
from llmstep.settings import all_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTING_OF = {
    "allow_non_loopback": "remote.allowNonLoopback",
    "api_key_file": "remote.apiKeyFile",
    "automation": "automation",
    "check": "check.enabled",
    "count": "count",
    "device": "device",
    "dtype": "dtype",
    "engine": "engine",
    "host": "http.host",
    "lean": "lean.command",
    "model": "model",
    "port": "http.port",
    "premise_index": "premises.index",
    "premises": "premises.source",
    "remote_api": "remote.api",
    "remote_model": "remote.model",
    "remote_url": "remote.url",
    "temperature": "temperature",
    "template": "template",
    "trust_remote_code": "trustRemoteCode",
}
"""The settings that have an option of their own, by the name of the option's parameter."""
_GIVEN = re.compile(r"\b([Ss])et llmstep\.([A-Za-z]+(?:\.[A-Za-z]+)*) to (true|false|\d+)\b")
_UNVALUED = re.compile(r"\b([Ss])et llmstep\.([A-Za-z]+(?:\.[A-Za-z]+)*)(?! to\b)")
_NAMED = re.compile(r"(?<![\w.-])llmstep\.([A-Za-z]+(?:\.[A-Za-z]+)*)")


class Command(TyperCommand):
    """A command of llmstep."""

    def invoke(self, ctx: Any) -> Any:
        """Run it; the hint of an error names this command's options."""
        try:
            return super().invoke(ctx)
        except LlmstepError as error:
            error.hint = in_terminal(error.hint, options_of(self.params))
            raise


def options_of(parameters: Sequence[Any]) -> dict[str, str]:
    """The options that stand for settings, by the setting: `{"remote.url": "--remote-url"}`."""
    return {
        SETTING_OF[each.name]: next(name for name in each.opts if name.startswith("--"))
        for each in parameters
        if each.name in SETTING_OF and any(name.startswith("--") for name in each.opts)
    }


def in_terminal(hint: str, options: Mapping[str, str]) -> str:
    """A hint that names settings, with the options for them: "Set --device to cpu.".

    Args:
        options: By the setting; others are set with `--set`.
    """

    def given(match: re.Match[str]) -> str:
        name, value = match.group(2), match.group(3)
        if name not in all_settings():
            return match.group()
        verb = "Give" if match.group(1) == "S" else "give"
        option = options.get(name)
        if option is None:
            return f"{verb} --set {name}={value}"
        flag = all_settings()[name].type is bool and value == "true"
        return f"{verb} {option}" if flag else f"{verb} {option} {value}"

    def to_give(match: re.Match[str]) -> str:
        name = match.group(2)
        if name not in all_settings():
            return match.group()
        return f"{'Give' if match.group(1) == 'S' else 'give'} {options.get(name) or f'--set {name}=VALUE'}"

    def named(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in all_settings():
            return match.group()
        return options.get(name) or f"{name} (--set {name}=VALUE)"

    return _NAMED.sub(named, _UNVALUED.sub(to_give, _GIVEN.sub(given, hint)))
