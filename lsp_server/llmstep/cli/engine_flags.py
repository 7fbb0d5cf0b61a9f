"""The options that say which engine answers, the same for every command that asks one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any, get_type_hints

import attrs
import typer

from llmstep.errors import SettingsError

Command = Callable[..., None]


@attrs.frozen
class EngineFlags:
    """The seven options, each a field of its name."""

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

    def settings(self) -> dict[str, Any]:
        """The options as settings, by their dotted names; None for those that are not given.

        Raises:
            SettingsError: There is a server, but an engine that asks none; or a format for weights that a server has.
        """
        if self.remote_url is not None and self.engine in (None, "auto", "inProcess"):
            raise SettingsError(
                "There is a --remote-url, but the model runs in this process.",
                hint="Give --engine openai or --engine llmstep too.",
            )
        if self.dtype is not None and self.engine not in (None, "auto", "inProcess"):
            raise SettingsError(
                "There is a --dtype, but the model runs at a server.",
                hint="Leave it out, and choose the format where that server is started.",
            )
        return {
            "dtype": self.dtype,
            "engine": self.engine,
            "remote.url": self.remote_url,
            "remote.model": self.remote_model,
            "remote.api": self.remote_api,
            "remote.apiKeyFile": str(self.api_key_file) if self.api_key_file else None,
            "remote.allowNonLoopback": self.allow_non_loopback or None,
        }


def takes_engine(command: Command) -> Command:
    """Make the seven options of a command's keyword-only parameter `engine: EngineFlags`, in its place.

    Typer reads a command's options from its signature, so the command is wrapped in one with theirs.
    """
    hints = get_type_hints(EngineFlags, include_extras=True)
    flags = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in attrs.fields(EngineFlags)
    ]

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        engine = EngineFlags(**{flag.name: given.pop(flag.name) for flag in flags})
        command(**given, engine=engine)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        parameters += flags if parameter.name == "engine" else [parameter]
    wrapped: Any = with_flags
    wrapped.__signature__ = inspect.Signature(parameters)
    return with_flags
