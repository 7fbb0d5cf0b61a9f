"""The options that say which model answers and where it runs, the same for every command that asks one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any, get_args, get_type_hints

import attrs
import typer

from llmstep.cli.command import SETTING_OF
from llmstep.cli.complete import setting_names
from llmstep.cli.downloads import YesOption  # noqa: TC001 - typer reads the annotations
from llmstep.cli.options import (
    SET,
    DeviceOption,
    LeanOption,
    ModelOption,
    PremiseIndexOption,
    PremisesOption,
    TemperatureOption,
    TemplateOption,
    lean_command,
)
from llmstep.settings import EngineKind

Command = Callable[..., None]
_READ: dict[str, Callable[[Any], Any]] = {
    "api_key_file": str,
    "automation": lambda on: "on" if on else "off",
    "lean": lean_command,
    "premise_index": str,
}
"""How an option becomes the value of its setting, where it is not that value."""


@attrs.frozen
class EngineFlags:
    """The model and the engine, each option a field of its name, and the one for settings that have no option."""

    model: ModelOption = None
    template: TemplateOption = None
    device: DeviceOption = None
    dtype: Annotated[
        str | None,
        typer.Option(
            help="Format of the weights in this process: auto, fast, float32, bfloat16, float16, int8 or int4."
        ),
    ] = None
    engine: Annotated[
        str | None,
        typer.Option(help=f"Where the model runs: {', '.join(get_args(EngineKind))}."),
    ] = None
    remote_url: Annotated[str | None, typer.Option(help="Address of that server: http://127.0.0.1:8000/v1.")] = None
    remote_model: Annotated[
        str | None, typer.Option(help="Name of the model at that server; default the first that it lists.")
    ] = None
    remote_api: Annotated[str | None, typer.Option(help="With openai: auto, completions or chat.")] = None
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", help="File with that server's key; LLMSTEP_API_KEY takes precedence."),
    ] = None
    allow_non_loopback: Annotated[
        bool | None, typer.Option("--allow-non-loopback", help="Agree that goals are sent to another machine.")
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting by its name, topP=0.9 for example; may be repeated. `llmstep settings` lists them.",
            autocompletion=setting_names,
        ),
    ] = None

    def settings(self, **more: Any) -> dict[str, Any]:
        """The options as settings, by their dotted names; None for those that are not given.

        Args:
            more: Further options of the command, by the names in `SETTING_OF`.
        """
        own = {name: value for name, value in attrs.asdict(self, recurse=False).items() if name in SETTING_OF}
        given = {**own, **more}
        read = {name: value if value is None else _READ.get(name, _same)(value) for name, value in given.items()}
        return {**{SETTING_OF[name]: value for name, value in read.items()}, SET: self.set_}


@attrs.frozen
class ModelFlags(EngineFlags):
    """The same for commands that run the model, and so may have to download it."""

    temperature: TemperatureOption = None
    yes: YesOption = False


@attrs.frozen
class LeanFlags(ModelFlags):
    """The same for commands that have Lean check what the model writes."""

    lean: LeanOption = None


@attrs.frozen
class PremiseFlags(LeanFlags):
    """The same for commands that look for premises as well."""

    premises: PremisesOption = None
    premise_index: PremiseIndexOption = None

    def settings(self, **more: Any) -> dict[str, Any]:
        """See `EngineFlags.settings`; an index alone says that premises come from it."""
        source = self.premises or ("index" if self.premise_index else None)
        return super().settings(**{"premises": source, **more})


def takes_engine(command: Command) -> Command:
    """Puts the options of `EngineFlags`, or of a class below it, in the place of the command's parameter `engine`."""
    cls = inspect.signature(command, eval_str=True).parameters["engine"].annotation
    hints = get_type_hints(cls, include_extras=True)
    flags = [(field.name, hints[field.name], field.default) for field in attrs.fields(cls)]
    return takes("engine", flags, cls)(command)


def takes(name: str, flags: Sequence[tuple[str, Any, Any]], made: Callable[..., Any]) -> Callable[[Command], Command]:
    """Puts options in the place of a command's keyword-only parameter, which gets what `made` makes of their values.

    Typer reads a command's options from its signature, so the command is wrapped in one with theirs.

    Args:
        name: Of that parameter.
        flags: Name, annotation and default of each option.
    """
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(flag, keyword, default=default, annotation=kind) for flag, kind, default in flags]

    def wrapper(command: Command) -> Command:
        @functools.wraps(command)
        def with_flags(**values: Any) -> None:
            record = made(**{option.name: values.pop(option.name) for option in options})
            command(**values, **{name: record})

        given = inspect.signature(command, eval_str=True).parameters.values()
        wrapped: Any = with_flags
        wrapped.__signature__ = inspect.Signature(
            [each for one in given for each in (options if one.name == name else [one])]
        )
        return with_flags

    return wrapper


def _same(value: Any) -> Any:
    return value
