"""What a training run needs to know, from a TOML file and from flags; a flag wins over the file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs

from llmstep import toml
from llmstep.errors import SettingsError
from llmstep.setting_values import shown
from llmstep.wire.bounds import WrongValue, number
from llmstep.wire.reading import UNKNOWN, Reader

Natural = Annotated[int, number(1, 2**31 - 1)]


def _key(default: Any, meaning: str) -> Any:
    """A key of the file, which is a flag as well, with what `llmstep train --help` says of it."""
    return attrs.field(default=default, metadata={"help": meaning})


@attrs.frozen(kw_only=True)
class TrainConfig:
    """A training run. The names are those of the keys in the file and, with dashes, of the flags."""

    train: str = _key("", 'JSONL of pairs, a line each: {"goal": ..., "tactic": ...}.')
    valid: str = _key("", "JSONL of held-out pairs, for the loss that is shown.")
    out: str = _key("", "Folder for the model, with the checkpoints of the run in it.")
    base: str = _key("", "Catalog name, Hugging Face id or folder of the model to start from.")
    template: str = _key(
        "", "Prompt template; default the base's own, else pythia, or byt5-state for encoder-decoders."
    )
    lora: bool = _key(False, "Train small matrices beside the base's weights (LoRA) instead of these.")
    lora_rank: Natural = _key(16, "Rank of the adapter's matrices.")
    lora_alpha: int = _key(32, "Scale of the adapter, divided by its rank.")
    lora_dropout: float = _key(0.0, "Share of the adapter's inputs that is left out.")
    lora_modules: str = _key("", "Adapted modules, q_proj,v_proj; default all linear ones but the output's.")
    merge: bool = _key(False, "With LoRA, write base and adapter as one model.")
    precision: Literal["auto", "bf16", "fp16", "float32"] = _key(
        "auto", "bf16 or fp16 (mixed), float32, or auto: bf16 where it is fast."
    )
    licence: str = _key("", "Licence for the model card, as the hub writes it: mit, apache-2.0.")
    epochs: float = _key(1.0, "Times that each pair is seen.")
    max_steps: int = _key(0, "Stop after this many steps; 0 leaves it to the epochs.")
    batch_size: Natural = _key(32, "Pairs a batch, in each process.")
    accumulate: Natural = _key(1, "Batches whose gradients make one step.")
    learning_rate: float = _key(2e-5, "Largest learning rate.")
    warmup_steps: int = _key(50, "Steps until the largest learning rate.")
    weight_decay: float = _key(0.01, "Weight decay of the matrices.")
    max_tokens: Natural = _key(1024, "Leave out pairs of more tokens.")
    valid_pairs: int = _key(1000, "Held-out pairs used for the loss.")
    eval_every: Natural = _key(500, "Steps between two evaluations.")
    save_every: Natural = _key(500, "Steps between two checkpoints.")
    log_every: Natural = _key(50, "Steps between two log lines.")
    seed: int = _key(1, "Seed of weights and order.")
    threads: int = _key(0, "Processor threads; 0 leaves it to torch.")
    half: bool = _key(True, "Write the weights in 16 bits, or in 32.")
    progress: bool = _key(True, "Show a progress bar, where there is a terminal; else losses are printed in lines.")

    def checked(self) -> TrainConfig:
        """The same configuration.

        Raises:
            SettingsError: Something is missing or contradictory.
        """
        for key in ("train", "out", "base"):
            if not getattr(self, key):
                raise SettingsError(f"The training needs `{key}`.", hint=f"Give --{key} or set it in the file.")
        if self.merge and not self.lora:
            raise SettingsError("There is no adapter to merge.", hint="Give --lora too, or leave out --merge.")
        return self


def read_config(file: Path | None, flags: Mapping[str, Any]) -> TrainConfig:
    """The configuration from a TOML file (or None) and flags; flags that are None count as not given.

    Raises:
        SettingsError: The file cannot be read, a key is unknown, or a value has the wrong type.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = toml.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{file} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from error
        except toml.TOMLDecodeError as error:
            raise SettingsError(f"{file} is no valid TOML: {error}.", hint="Correct that line.") from error
    values |= {key: value for key, value in flags.items() if value is not None}
    spelt = {key.replace("-", "_"): value for key, value in values.items()}
    return Reader(strict=True).read(TrainConfig, spelt, _wrong)


def _wrong(name: str, wrong: WrongValue) -> SettingsError:
    if wrong.wanted == UNKNOWN:
        [near] = difflib.get_close_matches(name, wrong.hint.split(", "), n=1, cutoff=0.0)
        return SettingsError(f"There is no training setting `{name}`.", hint=f"Did you mean `{near}`?")
    return SettingsError(f"`{name}` must be {wrong.wanted}.", hint=f"It is {shown(wrong.got)}.")
