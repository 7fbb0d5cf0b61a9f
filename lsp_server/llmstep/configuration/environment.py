"""Settings from environment variables: `LLMSTEP_COUNT=20`, `LLMSTEP_LEAN_COMMAND="lake serve --"`."""

from __future__ import annotations

import difflib
import os

from llmstep.configuration.files import VARIABLE
from llmstep.configuration.layers import Layer, layer
from llmstep.errors import SettingsError
from llmstep.setting_values import Setting
from llmstep.settings import all_settings

PREFIX = "LLMSTEP_"
OLD_VARIABLES = {"LLMSTEP_PORT": "http.port"}
"""Other variables for settings: the Lean tactic reads this one as well."""
OTHERS = frozenset(
    {
        VARIABLE,
        "LLMSTEP_API_KEY",
        "LLMSTEP_COPIES",
        "LLMSTEP_HOST",
        "LLMSTEP_LEAN_SERVER",
        "LLMSTEP_SERVER",
        "LLMSTEP_SITE",
        "LLMSTEP_TOKEN",
        "LLMSTEP_TOKEN_FILE",
        "LLMSTEP_TRACEBACK",
    }
)
"""Variables that are no settings: secrets, those of the Lean tactic and of `deploy/`, marks of our own."""
OTHER_PREFIXES = ("LLMSTEP_DECODER_", "LLMSTEP_TEST_", "LLMSTEP_SOAK_")


def variables() -> dict[str, Setting]:
    """The environment variables, each with its setting; the later one wins."""
    found = {variable: all_settings()[name] for variable, name in OLD_VARIABLES.items()}
    return found | {each.variable: each for each in all_settings().values()}


def environment_layer() -> Layer:
    """What the environment sets; an empty variable sets nothing."""
    known = variables()
    raw = {each.name: each.value(text) for name, each in known.items() if (text := os.environ.get(name))}
    places = {each.name: name for name, each in known.items() if os.environ.get(name)}
    found = layer(raw, places)
    unknown = [
        name
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known and name not in OTHERS and not name.startswith(OTHER_PREFIXES)
    ]
    return Layer(found.values, (*found.faults, *map(_unknown, unknown)), found.origins)


def _unknown(name: str) -> SettingsError:
    near = difflib.get_close_matches(name[:60], [*variables(), *OTHERS], n=1)
    hint = f"Did you mean {near[0]}?" if near else "`llmstep settings` lists all settings."
    return SettingsError(f"The environment variable {name[:60]} is no setting of llmstep.", hint=hint)
