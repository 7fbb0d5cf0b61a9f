"""Writes the settings into vscode-extension/package.json: `python scripts/vscode_settings.py`, or `--check` to compare.

Types, defaults, bounds and texts are those of `settings.py`. What only VS Code has stands here: the sections of its
page of settings, the scopes, a text for each choice, and the settings of the extension itself.
"""

from __future__ import annotations

import json
import sys
import typing
from typing import TYPE_CHECKING, Any, Literal

from generated import ROOT, write_or_check

from llmstep.catalog.models import CATALOG
from llmstep.settings import all_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstep.setting_values import Setting

PACKAGE = ROOT / "vscode-extension" / "package.json"

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Model": ("model", "template", "device", "dtype", "trustRemoteCode", "threads", "idleUnloadMinutes", "shareModel"),
    "Suggestions": (),
    "Editor": ("inlayHints.", "inlineCompletion.", "panel.", "codeLens"),
    "Lean": ("check.", "lean.", "goalsFromLean4Extension"),
    "Remote models": ("engine", "remote."),
    "Endpoint of the tactic": ("http.",),
    "Premises": ("premises.",),
    "Installation": ("python", "install.", "trace."),
}
"""What each section begins with, settings by name and groups of them; what is named nowhere is in `Suggestions`."""

DECIDED_BY_THE_EXTENSION = {"goalProvider", "checkProvider"}
"""By whether the Lean 4 extension answers."""

MACHINE = ("remote.allowNonLoopback", "remote.apiKeyFile", "http.host")
"""Consent, secrets and what others reach: not synchronized, and not given by a workspace."""
MACHINE_OVERRIDABLE = (
    *("device", "dtype", "trustRemoteCode", "threads", "idleUnloadMinutes", "shareModel", "engine", "premises.index"),
    *("lean.command", "lean.environment", "remote.url", "remote.command", "http.enabled", "http.port"),
)
"""What belongs to a machine: not synchronized."""

CHOICES: Mapping[str, Mapping[str, str]] = {
    "device": {
        "auto": "A GPU where there is one, else the CPU.",
        "cpu": "The CPU.",
        "cuda": "An NVIDIA GPU.",
        "mps": "The GPU of an Apple computer.",
    },
    "dtype": {
        "auto": "16 bits on a GPU, fewer where its memory is short. On a CPU 32 bits for small models, and for others "
        "int8, or int4 where the memory is short.",
        "fast": "The same for models of any size. Answers in fewer bits may differ a little from those in 32 bits.",
        "float32": "32 bits.",
        "bfloat16": "16 bits, range of 32.",
        "float16": "16 bits.",
        "int8": "8 bits each, a quarter of the memory of 32; for a CPU.",
        "int4": "4 bits each; for a CPU.",
    },
    "engine": {
        "auto": "In llmstep's own process, or in llama.cpp where the model is a GGUF file or that is the better place.",
        "inProcess": "In llmstep's own process.",
        "openai": "At a server with OpenAI's API that runs already; see `#llmstep.remote.url#`.",
        "vllm": "In vLLM, which llmstep starts, or at the one of `#llmstep.remote.url#`.",
        "llama.cpp": "In llama.cpp's server, which llmstep starts, or at the one of `#llmstep.remote.url#`.",
        "ollama": "At Ollama.",
        "llmstep": "At another llmstep; see `#llmstep.remote.url#`.",
    },
    "thinkingEffort": {
        "auto": "What the model does by itself.",
        "low": "Little thought.",
        "medium": "Some thought.",
        "high": "Much thought.",
    },
    "automation": {"on": "Lean's own tactics and the model.", "off": "The model alone."},
    "repairNames": {
        "on": "Steps with unknown or deprecated names are tried again.",
        "off": "Steps stay as the model writes them.",
    },
    "proveStrategy": {
        "auto": "Written by models of whole proofs, searched for with models of steps.",
        "search": "A best-first search over steps.",
        "write": "The model writes the proof, Lean's errors go back to it, and goals that are left go to the search.",
        "sketch": "Facts on the way first, then a search for each of them and for the goal.",
    },
    "trigger": {"onDemand": "By command, key or lightbulb.", "onIdle": "When the cursor rests on a goal."},
    "lean.buildImports": {
        "never": "Never; llmstep says that they are out of date, and offers to build them.",
        "once": "Once, when a file is opened.",
    },
    "remote.api": {
        "auto": "Completions where the server has them, else chat.",
        "completions": "Raw completions.",
        "chat": "Chat.",
    },
    "premises.source": {
        "none": "No premises.",
        "lean": "What Lean's own searches (`apply?`, `rw?`) name at the goal.",
        "index": "The nearest ones of an index; see `#llmstep.premises.index#`.",
    },
    "install.torch": {
        "auto": "When a model needs it: for CUDA where `nvidia-smi` finds a GPU, else for the CPU.",
        "cpu": "For the CPU: much smaller.",
        "cuda": "For NVIDIA GPUs.",
    },
    "trace.server": {"off": "Nothing.", "messages": "The names of the messages.", "verbose": "The whole messages."},
}

MODEL = (
    "Name from the list below, Hugging Face id or folder of the model; `auto` picks one by device, memory and what is "
    "on this machine. Nothing is downloaded without your consent. [Choose a model](command:llmstep.selectModel)"
)

EXTENSION: Mapping[str, tuple[Any, str, str]] = {
    "panel.openOnRun": (True, "window", "Open the panel *llmstep* with all suggestions when a run begins."),
    "goalsFromLean4Extension": (
        True,
        "window",
        "Ask the Lean server of the Lean 4 extension, where that runs, for goals, and in files that import `LLMstep` "
        "for checks, before a Lean server of llmstep's own.",
    ),
    "python": (
        "",
        "machine-overridable",
        "Python 3.10 or newer. If `llmstep` is installed in it, it is used as it is; else it is the base of the "
        "environment that the extension makes. Empty means: the choice of the Python extension, `PATH`, or `uv`.",
    ),
    "install.torch": ("auto", "machine", "Build of PyTorch that is installed into the extension's environment."),
    "install.torchIndexUrl": (
        "",
        "machine",
        "Package index that PyTorch is installed from; empty means PyTorch's own for CPU builds on Linux and Windows, "
        "and the usual one otherwise.",
    ),
    "install.wheelhouse": (
        "",
        "machine",
        "Folder of wheels to install from, without a network. `pip download LLMSTEP_WHEEL`, with `torch` where a model "
        "needs it, fills it on a machine like this one.",
    ),
    "trace.server": (
        "off",
        "window",
        "Write the messages between VS Code and llmstep into the log, with the log level `Trace`.",
    ),
}
"""Settings of the extension itself: default, scope, text."""


def property_of(setting: Setting) -> dict[str, Any]:
    """A setting of the server as VS Code declares it."""
    name, kind, default = setting.name, setting.type, setting.default
    made: dict[str, Any] = {}
    if typing.get_origin(kind) is Literal:
        made |= choices(name, typing.get_args(kind))
    elif typing.get_origin(kind) is tuple:
        made |= {"type": "array", "items": {"type": "string"}}
    else:
        made["type"] = {str: "string", int: "integer", float: "number", bool: "boolean"}[kind]
    bounds = {bound: setting.metadata.get(bound) for bound in ("minimum", "maximum")}
    made |= {bound: value for bound, value in bounds.items() if value is not None}
    whole = isinstance(default, float) and default.is_integer()
    made["default"] = int(default) if whole else list(default) if isinstance(default, tuple) else default
    overridable = "machine-overridable" if name in MACHINE_OVERRIDABLE else "window"
    made["scope"] = "machine" if name in MACHINE else overridable
    made["markdownDescription"] = "\n".join([f"{MODEL}\n", *models()]) if name == "model" else setting.metadata["doc"]
    return made


def choices(name: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """A setting with choices; each needs a text."""
    texts = CHOICES.get(name, {})
    if tuple(texts) != allowed:
        raise SystemExit(f"scripts/vscode_settings.py: {name} has the choices {', '.join(allowed)}: correct CHOICES.")
    return {"type": "string", "enum": list(allowed), "markdownEnumDescriptions": list(texts.values())}


def models() -> list[str]:
    """The catalog, a line each."""
    sizes = [f" ({each.size_bytes / 1e9:.1f} GB)" if each.size_bytes else "" for each in CATALOG]
    return [f"- `{each.name}`: {each.summary}{size}" for each, size in zip(CATALOG, sizes, strict=True)]


def properties() -> dict[str, dict[str, Any]]:
    """All settings that VS Code declares, by their names without `llmstep.`."""
    made = {name: property_of(each) for name, each in all_settings().items() if name not in DECIDED_BY_THE_EXTENSION}
    for name, (default, scope, text) in EXTENSION.items():
        kind = choices(name, tuple(CHOICES[name])) if name in CHOICES else {}
        simple = {"type": "boolean" if isinstance(default, bool) else "string"}
        made[name] = {**(kind or simple), "default": default, "scope": scope, "markdownDescription": text}
    return made


def section_of(name: str) -> tuple[str, int]:
    """The section of a setting, and which of the section's parts it belongs to."""
    for title, begins in SECTIONS.items():
        for place, begin in enumerate(begins):
            if name == begin or (begin.endswith(".") and name.startswith(begin)):
                return title, place
    return "Suggestions", 0


def package() -> str:
    """package.json with all settings."""
    made: dict[str, Any] = json.loads(PACKAGE.read_text(encoding="utf-8"))
    found = properties()
    sections = []
    for order, title in enumerate(SECTIONS):
        names = sorted((name for name in found if section_of(name)[0] == title), key=lambda name: section_of(name)[1])
        own = {f"llmstep.{name}": {**found[name], "order": place} for place, name in enumerate(names)}
        sections.append({"title": title, "order": order, "properties": own})
    made["contributes"]["configuration"] = sections
    restricted = [name for name, each in all_settings().items() if each.users and name in found]
    restricted += [name for name, (_, scope, _) in EXTENSION.items() if scope.startswith("machine")]
    made["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = [f"llmstep.{each}" for each in restricted]
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check("vscode_settings.py", {PACKAGE: package()}))
