"""The options that say which engine answers, the same for every command that asks one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any, get_type_hints

import attrs
import typer

from llmstep.cli.complete import setting_names
from llmstep.cli.downloads import YesOption  # noqa: TC001 - typer reads the annotations
from llmstep.cli.options import SET

Command = Callable[..., None]


@attrs.frozen
class EngineFlags:
    """The options of the engine, each a field of its name, and the one for settings that have no option."""

    dtype: Annotated[
        str | None,
        typer.Option(
            help="Format of the weights in this process: auto, fast, float32, bfloat16, float16, int8 or int4."
        ),
    ] = None
    engine: Annotated[
        str | None,
        typer.Option(
            help="auto, inProcess, vllm or llama.cpp (started here), openai, ollama or llmstep (at an address)."
        ),
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
        bool, typer.Option("--allow-non-loopback", help="Agree that goals are sent to another machine.")
    ] = False
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting by its name, topP=0.9 for example; may be repeated. `llmstep settings` lists them.",
            autocompletion=setting_names,
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """The options as settings, by their dotted names; None for those that are not given."""
        return {
            "dtype": self.dtype,
            "engine": self.engine,
            "remote.url": self.remote_url,
            "remote.model": self.remote_model,
            "remote.api": self.remote_api,
            "remote.apiKeyFile": str(self.api_key_file) if self.api_key_file else None,
            "remote.allowNonLoopback": self.allow_non_loopback or None,
            SET: self.set_,
        }


@attrs.frozen
class ModelFlags(EngineFlags):
    """The same for commands that run the model, and so may have to download it."""

    yes: YesOption = False


def takes_engine(command: Command) -> Command:
    """Make the options of a command's keyword-only parameter `engine: EngineFlags` (or `ModelFlags`), in its place.

    Typer reads a command's options from its signature, so the command is wrapped in one with theirs.
    """
    given = inspect.signature(command, eval_str=True).parameters
    cls = given["engine"].annotation
    hints = get_type_hints(cls, include_extras=True)
    flags = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in attrs.fields(cls)
    ]

    @functools.wraps(command)
    def with_flags(**values: Any) -> None:
        engine = cls(**{flag.name: values.pop(flag.name) for flag in flags})
        command(**values, engine=engine)

    parameters: list[inspect.Parameter] = []
    for parameter in given.values():
        parameters += flags if parameter.name == "engine" else [parameter]
    wrapped: Any = with_flags
    wrapped.__signature__ = inspect.Signature(parameters)
    return with_flags
