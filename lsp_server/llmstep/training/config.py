"""What a training run needs to know, from a TOML file and from flags; a flag wins over the file."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]


PRECISIONS = ("auto", "bf16", "fp16", "float32")


@attrs.frozen(kw_only=True)
class Architecture:
    """A small GPT-NeoX made from scratch: the section ``[architecture]`` of the file."""

    hidden: int = 256
    """Width of the residual stream."""
    layers: int = 4
    heads: int = 4
    feed_forward: int = 1024
    """Width of the inner layer of the feed-forward blocks."""
    vocabulary: int = 640
    """Tokens of the byte-level BPE, which is trained on the pairs; at least 300."""
    positions: int = 2048
    """Longest input in tokens."""


@attrs.frozen(kw_only=True)
class TrainConfig:
    """A training run. The names are those of the flags and of the keys in the file."""

    train: str = ""
    """JSONL file of pairs: one ``{"goal": ..., "tactic": ...}`` a line."""
    valid: str = ""
    """JSONL file of held-out pairs for the loss that is reported; empty for none."""
    out: str = ""
    """Folder for the model, with the checkpoints of the run in ``checkpoints``."""
    vocabulary_from: str = ""
    """JSONL file of pairs that the tokenizer of a model from scratch is made for; empty for the training file."""
    base: str = ""
    """Catalog name, Hugging Face id or folder of the model to start from."""
    from_scratch: bool = False
    """Start from a new small GPT-NeoX instead of a base."""
    template: str = ""
    """Prompt template of the catalog; empty for the base's own, else `pythia`, or `byt5-state` for encoder-decoders."""
    lora: bool = False
    """Train small matrices beside the base's weights (LoRA) instead of these."""
    lora_rank: int = 16
    lora_alpha: int = 32
    """Scale of the adapter's part, divided by the rank."""
    lora_dropout: float = 0.0
    lora_modules: str = ""
    """Names of the adapted modules, with commas between them; empty for all linear ones but the output's."""
    merge: bool = False
    """With LoRA, write a whole model with the adapter merged into it, not the adapter alone."""
    precision: str = "auto"
    """``bf16`` or ``fp16`` for mixed precision, ``float32`` for none; ``auto`` takes bf16 where it is fast."""
    licence: str = ""
    """Licence for the model card, as the Hugging Face hub writes it: ``mit``, ``apache-2.0``."""
    epochs: float = 1.0
    max_steps: int = 0
    """Stop after this many steps; 0 leaves it to the epochs."""
    max_seconds: float = 0.0
    """Stop after this much training time, checkpoints before a resume included; 0 for no limit."""
    batch_size: int = 32
    """Pairs a batch, in each process."""
    accumulate: int = 1
    """Batches whose gradients are added up to one step."""
    optimizer: str = "adamw"
    """``adamw``, or ``muon``, which needs fewer steps for a model made from scratch."""
    learning_rate: float = 2e-5
    warmup_steps: int = 50
    weight_decay: float = 0.01
    goal_weight: float = 0.0
    """Weight of the loss on the goal beside that on the tactic. For a model made from scratch: it learns from the
    goals to repeat names. A base knows that already."""
    max_tokens: int = 1024
    """Pairs longer than this are left out."""
    valid_pairs: int = 1000
    """How many of the held-out pairs are used for the loss."""
    eval_every: int = 500
    """Steps between two evaluations."""
    save_every: int = 500
    """Steps between two checkpoints."""
    log_every: int = 50
    seed: int = 1
    threads: int = 0
    """Processor threads; 0 leaves it to torch."""
    half: bool = True
    """Write the weights in 16 bits."""
    progress: bool = True
    """Show a progress bar, where there is a terminal; else losses are printed in lines."""
    architecture: Architecture = attrs.field(factory=Architecture)

    def checked(self) -> TrainConfig:
        """The same configuration.

        Raises:
            SettingsError: Something is missing, contradictory or out of bounds.
        """
        for key in ("train", "out"):
            if not getattr(self, key):
                raise SettingsError(f"The training needs `{key}`.", hint=f"Give --{key} or set it in the file.")
        if self.from_scratch == bool(self.base):
            raise SettingsError(
                "A training starts either from a base or from scratch.", hint="Give one of --base and --from-scratch."
            )
        for key in ("batch_size", "accumulate", "max_tokens", "eval_every", "save_every", "log_every", "lora_rank"):
            if getattr(self, key) < 1:
                raise SettingsError(f"`{key}` must be at least 1.", hint=f"It is {getattr(self, key)}.")
        if self.optimizer not in ("adamw", "muon"):
            raise SettingsError(f"There is no optimizer {self.optimizer!r}.", hint="Choose `adamw` or `muon`.")
        if self.precision not in PRECISIONS:
            raise SettingsError(
                f"There is no precision {self.precision!r}.", hint=f"Choose one of {', '.join(PRECISIONS)}."
            )
        if self.lora and self.from_scratch:
            raise SettingsError(
                "A model that is trained from scratch has no weights to adapt.", hint="Leave out --lora."
            )
        if self.merge and not self.lora:
            raise SettingsError("There is no adapter to merge.", hint="Give --lora too, or leave out --merge.")
        shape = self.architecture
        if shape.hidden % shape.heads:
            raise SettingsError(
                f"`architecture.hidden` ({shape.hidden}) is no multiple of `heads` ({shape.heads}).",
                hint="Change one of the two.",
            )
        return self


def read_config(file: Path | None, flags: Mapping[str, Any]) -> TrainConfig:
    """The configuration from a TOML file (or None) and flags; flags that are None count as not given.

    Raises:
        SettingsError: The file cannot be read, a key is unknown, or a value has the wrong type.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{file} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{file} is no valid TOML: {error}.", hint="Correct that line.") from error
    values |= {key: value for key, value in flags.items() if value is not None}
    shape = values.pop("architecture", {})
    if not isinstance(shape, Mapping):
        raise SettingsError("`architecture` must be a section.", hint="Write [architecture] above its keys.")
    built: TrainConfig = _build(TrainConfig, values, "")
    return attrs.evolve(built, architecture=_build(Architecture, shape, "architecture."))


def _build(cls: type, values: Mapping[str, Any], path: str) -> Any:
    # The annotations are strings here; the default of a field shows its type.
    kinds = {field.name: type(field.default) for field in attrs.fields(cls) if field.name != "architecture"}
    chosen = {}
    for raw, value in values.items():
        key = raw.replace("-", "_")
        if key not in kinds:
            near = difflib.get_close_matches(key, kinds, n=1, cutoff=0.0)
            raise SettingsError(f"There is no training setting `{path}{raw}`.", hint=f"Did you mean `{path}{near[0]}`?")
        kind = kinds[key]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
            raise SettingsError(f"`{path}{raw}` must be {names[kind]}.", hint=f"It is {value!r}.")
        chosen[key] = value
    return cls(**chosen)
