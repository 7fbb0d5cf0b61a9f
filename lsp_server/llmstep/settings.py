"""Typed settings, decoded once from what an editor, a file or the command line sends.

On the wire the keys are camelCase (`idleUnloadMinutes`), as editors write them; nested sections are objects
(`{"http": {"port": 6000}}`) or dotted keys (`"http.port"`). A wrong name, type or value raises `SettingsError`, which
names the setting, so that nothing is dropped silently.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from llmstep.setting_values import Setting, settings_of, sound_values

Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["auto", "fast", "float32", "bfloat16", "float16", "int8", "int4"]
Trigger = Literal["onDemand", "onIdle"]
GoalProvider = Literal["server", "client"]
EngineKind = Literal["auto", "inProcess", "openai", "vllm", "llama.cpp", "ollama", "llmstep"]
PremiseKind = Literal["none", "lean", "index"]
ProveStrategy = Literal["auto", "search", "write", "sketch"]
Switch = Literal["on", "off"]
Effort = Literal["auto", "low", "medium", "high"]
RemoteApi = Literal["auto", "completions", "chat"]
BuildImports = Literal["never", "once"]


def _setting(
    default: Any, doc: str, bounds: tuple[float | None, float | None] = (None, None), *, users: bool = False
) -> Any:
    """A field with its documentation and the least and the greatest number that it takes."""
    minimum, maximum = bounds
    return attrs.field(default=default, metadata={"doc": doc, "minimum": minimum, "maximum": maximum, "users": users})


_user_setting = functools.partial(_setting, users=True)
"""One that only the user may set, and no project: it names a command, a place or a server, or gives leave."""


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The HTTP endpoint that the `llmstep` tactic talks to."""

    enabled: bool = _user_setting(True, "Answer the `llmstep` tactic while the editor runs.")
    host: str = _user_setting("127.0.0.1", "Address to listen at.")
    port: int = _user_setting(6000, "Port to listen at; 0 takes any free port.", (0, 65535))


@attrs.frozen(kw_only=True)
class LeanSettings:
    """The Lean server that llmstep runs for goals and checks."""

    command: tuple[str, ...] = _user_setting(
        (), "Command that starts the Lean server; empty means `lake serve --` in a Lake project, else `lean --server`."
    )
    timeout_seconds: float = _setting(60.0, "Longest wait for Lean to elaborate what stands above a goal.", (1, None))
    idle_minutes: float = _setting(10.0, "Stop the Lean server after this long without use; 0 never.", (0, None))
    start_minutes: float = _setting(
        30.0, "Longest wait for Lean to start; the first start in a project may download a toolchain.", (0.01, None)
    )
    build_imports: BuildImports = _user_setting(
        "never",
        "Whether Lean builds imports that are out of date when llmstep opens a file; no other build may run then.",
    )
    open_files: int = _setting(2, "Most files kept elaborated; with Mathlib each costs gigabytes.", (1, 64))
    environment: tuple[str, ...] = _user_setting((), "Further environment variables that Lean is given; never secrets.")


@attrs.frozen(kw_only=True)
class CheckSettings:
    """Running every candidate in Lean before it is shown."""

    enabled: bool = _setting(True, "Run every candidate in Lean and rank by what Lean says.")
    timeout_seconds: float = _setting(5.0, "Longest time for one candidate.", (0.1, None))
    max_heartbeats: int = _setting(200_000, "Lean's limit on the work of one declaration; 0 is no limit.", (0, None))
    memory_mb: int = _setting(0, "Most private MB of one of Lean's processes; 0 is half of the machine's.", (0, None))
    allow_native_decide: bool = _setting(
        False, "Accept proofs by compiled code (`native_decide`), which rest on an axiom that trusts the compiler."
    )


@attrs.frozen(kw_only=True)
class InlayHintSettings:
    """The best known step, shown at its goal."""

    enabled: bool = _setting(True, "Show the best known step as an inlay hint.")
    insert_on_double_click: bool = _setting(True, "Insert the step when its hint is double-clicked.")


@attrs.frozen(kw_only=True)
class InlineCompletionSettings:
    """The best known step as ghost text."""

    enabled: bool = _setting(False, "Offer the best known step as ghost text at its goal.")


@attrs.frozen(kw_only=True)
class RemoteSettings:
    """The server that runs the model when that is not llmstep itself.

    Its key is no setting: it comes from the environment (LLMSTEP_API_KEY) or a file.
    """

    url: str = _user_setting(
        "", "Address of the server, http://127.0.0.1:8000/v1 for example; without, `vllm` and `llama.cpp` start one."
    )
    command: tuple[str, ...] = _user_setting(
        (),
        "Command that starts the server of `vllm` or `llama.cpp`, with your options, such as"
        " `vllm serve --tensor-parallel-size 2`; empty takes the one that is installed.",
    )
    model: str = _user_setting("", "Name of the model at the server; empty means the first that it lists.")
    api: RemoteApi = _user_setting(
        "auto", "With `openai`: raw completions, or chat; `auto` takes completions where the server has them."
    )
    api_key_file: str = _user_setting(
        "", "File that holds the server's key; the environment variable LLMSTEP_API_KEY takes precedence."
    )
    timeout_seconds: float = _user_setting(120.0, "Longest wait for one answer of the server.", (1, 3600))
    allow_non_loopback: bool = _user_setting(
        False, "Agree that goals, and the rest of the prompt, are sent to a server on another machine."
    )


@attrs.frozen(kw_only=True)
class PremiseSettings:
    """Premises, for prompt templates that read some (`byt5-retrieval`)."""

    source: PremiseKind = _setting(
        "none", "Where premises come from: nowhere, Lean's own searches, or an index made by `llmstep index`."
    )
    index: str = _user_setting("", "Folder of the index, with `index`.")
    count: int = _setting(100, "Most premises for a goal.", (1, 1000))
    timeout_seconds: float = _setting(
        20.0, "Longest time that Lean searches for the premises of one goal.", (0.1, None)
    )


@attrs.frozen(kw_only=True)
class Settings:
    """All settings, as one immutable record."""

    model: str = _user_setting(
        "auto", "Catalog name, Hugging Face id or folder of the model; `auto` picks one by device, memory and cache."
    )
    template: str = _user_setting("", "Prompt template; empty means the one of the catalog.")
    engine: EngineKind = _user_setting(
        "auto",
        "Where the model runs: in llmstep, in a server that it starts (`vllm`, `llama.cpp`), or at one that runs"
        " (`openai`, `ollama`, `llmstep`; see `remote.url`). `auto` runs it in llmstep, or in llama.cpp where that is"
        " better.",
    )
    share_model: bool = _setting(
        True,
        "Use the model of another llmstep of this machine that has the port already, instead of loading it twice, and"
        " do the work of `llmstep mcp` for the folders that are open.",
    )
    device: Device = _setting("auto", "Device the model runs on.")
    dtype: Dtype = _setting("auto", "Number format of the weights.")
    trust_remote_code: bool = _user_setting(False, "Allow models that bring Python code of their own to run it.")
    threads: int = _setting(0, "CPU threads for the model; 0 leaves room for the editor and Lean.", (0, None))
    count: int = _setting(10, "Number of samples per request.", (1, 256))
    temperature: float = _setting(0.7, "Sampling temperature; 0 is greedy.", (0, 5))
    top_p: float = _setting(1.0, "Nucleus sampling: total probability of the tokens kept.", (0.01, 1))
    max_new_tokens: int = _setting(128, "Upper bound on the tokens of one candidate.", (1, 4096))
    max_thinking_tokens: int = _setting(
        1024, "Most tokens that a chat model may think before its step; 0 asks it not to think.", (0, 65536)
    )
    thinking_effort: Effort = _setting(
        "auto", "How much a reasoning model is to think, where that can be set; `auto` leaves it to the model."
    )
    automation: Switch = _setting("on", "Try Lean's own tactics as well, while the model works.")
    automation_tactics: tuple[str, ...] = _setting(
        (), "Tactics to try; empty means a list of Lean's and Mathlib's, and what the goal's shape suggests."
    )
    repair_names: Switch = _setting(
        "on", "Try steps again whose names Lean does not know, or calls deprecated, with those that it offers instead."
    )
    prove_strategy: ProveStrategy = _setting(
        "auto",
        "How a whole proof is looked for: by a search over steps, written by the model and repaired after Lean's"
        " errors, or sketched first. `auto` writes with models of whole proofs, and searches with models of steps.",
    )
    prove_rounds: int = _setting(3, "How often a written proof that Lean refuses goes back to the model.", (0, 32))
    prove_seconds: float = _setting(120.0, "Longest time for one whole proof.", (1, 86_400))
    prove_tokens: int = _setting(
        32_768, "Most tokens that the model writes for one whole proof, in all rounds together.", (256, 1_000_000)
    )
    trigger: Trigger = _setting("onDemand", "When to suggest: on demand, or when the cursor rests on a goal.")
    idle_delay_ms: int = _setting(800, "With `onIdle`, how long the cursor rests first.", (50, None))
    idle_unload_minutes: float = _setting(15.0, "Free the model's memory after this long; 0 never.", (0, None))
    goal_provider: GoalProvider = _setting(
        "server", "Who gives the goal: llmstep's own Lean server, or the client through `llmstep/plainGoal`."
    )
    check_provider: GoalProvider = _setting(
        "server",
        "Who checks where it can: llmstep's own Lean server, or the client through `llmstep/checkSuggestions`.",
    )
    remote: RemoteSettings = RemoteSettings()
    premises: PremiseSettings = PremiseSettings()
    inlay_hints: InlayHintSettings = InlayHintSettings()
    inline_completion: InlineCompletionSettings = InlineCompletionSettings()
    code_lens: bool = _setting(False, "Show *suggest* and *prove* above each line with a `sorry`.")
    check: CheckSettings = CheckSettings()
    lean: LeanSettings = LeanSettings()
    http: HttpSettings = HttpSettings()

    @classmethod
    def decode(cls, raw: Mapping[str, Any] | None) -> Settings:
        """Settings from a (possibly partial) object, nested or with dots in the names.

        Raises:
            SettingsError: A key is unknown, or a value has the wrong type or is out of bounds.
        """
        sound, wrong = sound_values(all_settings(), raw or {})
        if wrong:
            raise next(iter(wrong.values()))
        sections: dict[str, dict[str, Any]] = {"": {}}
        for name, value in sound.items():
            section, _, field = all_settings()[name].field.rpartition(".")
            sections.setdefault(section, {})[field] = value
        made, own = cls(), sections.pop("")
        changed = {name: attrs.evolve(getattr(made, name), **fields) for name, fields in sections.items()}
        return attrs.evolve(made, **own, **changed)

    @property
    def in_process(self) -> bool:
        """Whether the model belongs to this process: it is in it, or in a server that is chosen and started for it."""
        return self.engine in ("auto", "inProcess")

    @property
    def starts_server(self) -> bool:
        """Whether llmstep starts the server that the user has named, unless `remote.url` says where one runs."""
        return self.engine in ("vllm", "llama.cpp")


def all_settings() -> Mapping[str, Setting]:
    """Every setting, by its name."""
    return settings_of(Settings)
