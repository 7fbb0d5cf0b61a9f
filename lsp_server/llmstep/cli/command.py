"""Commands whose hints name the options that the reader has: `--device` in the terminal, a setting in the editor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand

from llmstep.cli.flags import FLAGS
from llmstep.errors import LlmstepError
from llmstep.settings import all_settings

_NAMED = re.compile(
    r"(?:\b([Ss])et )?(?<![\w.-])llmstep\.([A-Za-z]+(?:\.[A-Za-z]+)*)(?:( to) (true|false|\d+)\b|( to)\b)?"
)


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
    names = {each.name: [name for name in each.opts if name.startswith("--")] for each in parameters}
    return {flag.setting: names[name][0] for name, flag in FLAGS.items() if names.get(name)}


def in_terminal(hint: str, options: Mapping[str, str]) -> str:
    """A hint that names settings, with the options for them: "Set --device to cpu.".

    Args:
        options: By the setting; others are set with `--set`.
    """

    def named(match: re.Match[str]) -> str:
        verb, name, _, value, to = match.groups()
        setting, option = all_settings().get(name), options.get(name)
        if setting is None:
            return match.group()
        rest = match.group()[match.end(2) - match.start() :]
        if verb is None or to:
            return f"{f'{verb}et ' if verb else ''}{option or f'{name} (--set {name}=VALUE)'}{rest}"
        give = "Give" if verb == "S" else "give"
        if option is None:
            return f"{give} --set {name}={value or 'VALUE'}"
        is_switched_on = setting.type is bool and value == "true"
        return f"{give} {option}" if is_switched_on else f"{give} {option} {value or ''}".rstrip()

    return _NAMED.sub(named, hint)
