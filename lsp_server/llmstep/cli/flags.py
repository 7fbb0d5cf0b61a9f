"""The options that stand for settings: each is declared once, with the type and the words of its setting."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, get_origin

import attrs
import typer

from llmstep.cli.complete import model_names, setting_names, template_names
from llmstep.cli.options import SET, configured, lean_command
from llmstep.settings import Settings, all_settings

Command = Callable[..., None]

YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Download a model that is not on this machine without a question.")
]


_PANEL = "Settings"
"""Where `--help` shows them."""


@attrs.frozen
class Flag:
    """An option that stands for a setting."""

    setting: str
    names: tuple[str, ...] = ()
    """How it is written; empty for the name of the parameter, with `--no-` for a switch."""
    kind: Any = None
    """Its type in Python; None for that of the setting."""
    value: Callable[[Any], Any] = lambda given: given
    """What the setting becomes."""
    complete: Callable[[str], list[str]] | None = None
    """What a shell offers; None for the words that the setting takes."""

    @property
    def annotation(self) -> Any:
        """What typer reads."""
        setting = all_settings()[self.setting]
        text = setting.metadata["doc"]
        if setting.choices and self.kind is None and not all(f"`{each}`" in text for each in setting.choices):
            text = f"{text} One of: {', '.join(setting.choices)}."

        def words(incomplete: str) -> list[str]:
            return [each for each in setting.choices if each.startswith(incomplete)]

        kind = self.kind or (str if setting.choices or get_origin(setting.type) is tuple else setting.type)
        option = typer.Option(
            *self.names, help=text, autocompletion=self.complete or words, show_default=False, rich_help_panel=_PANEL
        )
        return Annotated[kind | None, option]


FLAGS: Final[Mapping[str, Flag]] = {
    "model": Flag("model", ("--model", "-m"), complete=model_names),
    "template": Flag("template", complete=template_names),
    "device": Flag("device"),
    "dtype": Flag("dtype"),
    "engine": Flag("engine"),
    "remote_url": Flag("remote.url"),
    "remote_model": Flag("remote.model"),
    "remote_api": Flag("remote.api"),
    "api_key_file": Flag("remote.apiKeyFile", kind=Path, value=str),
    "allow_non_loopback": Flag("remote.allowNonLoopback", ("--allow-non-loopback",)),
    "trust_remote_code": Flag("trustRemoteCode", ("--trust-remote-code",)),
    "temperature": Flag("temperature"),
    "count": Flag("count", ("--count", "-n")),
    "lean": Flag("lean.command", value=lean_command),
    "premises": Flag("premises.source"),
    "premise_index": Flag("premises.index", kind=Path, value=str),
    "check": Flag("check.enabled"),
    "automation": Flag("automation", kind=bool, value=lambda on: "on" if on else "off"),
    "strategy": Flag("proveStrategy"),
    "rounds": Flag("proveRounds"),
    "tokens": Flag("proveTokens"),
    "timeout": Flag("proveSeconds"),
    "host": Flag("http.host"),
    "port": Flag("http.port"),
}
"""By the name of the parameter."""

_OTHERS: Final[Mapping[str, tuple[Any, Any]]] = {
    "set_": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="NAME=VALUE",
                help="Any other setting by its name, topP=0.9 for example; may be repeated."
                " `llmstep settings` lists them.",
                autocompletion=setting_names,
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "yes": (YesOption, False),
}
"""Options that stand for no setting: annotation and default."""

ENGINE: Final = (
    *("model", "template", "device", "dtype", "engine", "remote_url", "remote_model", "remote_api", "api_key_file"),
    *("allow_non_loopback", "set_"),
)
"""The model, and what runs it."""
MODEL: Final = (*ENGINE, "temperature", "count", "yes")
"""The same for commands that draw from the model, and so may have to download it."""
LEAN: Final = (*MODEL, "lean")
"""The same for commands that have Lean check what the model writes."""
PREMISES: Final = (*LEAN, "premises", "premise_index")
"""The same for commands that look for premises as well."""
PROOFS: Final = (*PREMISES, "strategy", "rounds", "tokens", "timeout")
"""The same for commands that look for whole proofs."""


@attrs.frozen
class Given:
    """The options of a command that stand for settings."""

    values: Mapping[str, Any]
    """Those that are given, as `configured` takes them."""
    yes: bool = False

    @classmethod
    def of(cls, *, yes: bool = False, set_: Sequence[str] | None = None, **options: Any) -> Given:
        """From the values of the options, by the names of their parameters; None is not given."""
        given = {name: value for name, value in options.items() if value is not None}
        values = {FLAGS[name].setting: FLAGS[name].value(value) for name, value in given.items()}
        if "premises.index" in values:
            values.setdefault("premises.source", "index")
        return cls({**values, SET: set_}, yes)

    def settings(self, place: Path | None = None, **more: Any) -> Settings:
        """See `configured`.

        Args:
            more: Values that hold unless an option says otherwise, whatever files and environment set.
        """
        return configured(self.values, place, defaults=more).settings


def takes_settings(*names: str) -> Callable[[Command], Command]:
    """Puts options of `FLAGS` in the place of a command's parameter `given`, which is a `Given` then."""
    known = {name: (FLAGS[name].annotation, None) if name in FLAGS else _OTHERS[name] for name in names}
    return takes("given", [(name, kind, default) for name, (kind, default) in known.items()], Given.of)


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
