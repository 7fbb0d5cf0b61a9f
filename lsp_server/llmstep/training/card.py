"""The model card: a README.md beside the weights, as the Hugging Face hub shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmstep import __version__
from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.training.config import TrainConfig
from llmstep.training.pairs import Example, answer_text

_EXAMPLE = Example(
    "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q",
    "exact ⟨hp, hq⟩",
    "theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  ",
)
_KINDS = {"causal": "text-generation", "seq2seq": "text2text-generation"}


def model_card(config: TrainConfig, template: PromptTemplate, report: dict[str, Any], *, adapter: bool) -> str:
    """The text of the card.

    Args:
        report: As `run_training` returns it.
        adapter: What is saved is an adapter and no whole model.
    """
    name = Path(config.out).resolve().name
    on_hub = _hub_id(config.base)
    fields = [
        f"license: {config.licence or 'unknown'}",
        *([f"base_model: {on_hub}"] if on_hub else []),
        f"library_name: {'peft' if adapter else 'transformers'}",
        f"pipeline_tag: {_KINDS[template.family]}",
        "tags:\n- lean4\n- theorem-proving\n- llmstep" + ("\n- lora" if config.lora else ""),
    ]
    prompt_input = _EXAMPLE.prompt_input()
    prompt, answer = template.prompt(prompt_input), answer_text(template, prompt_input, _EXAMPLE.tactic)
    held_out = f" on {report['valid_pairs']:,} pairs from {Path(config.valid).name}" if config.valid else ""
    rows = [
        ("base", config.base),
        ("method", _method(config)),
        ("pairs", f"{report['pairs']:,} from {Path(config.train).name}"),
        ("steps", f"{report['steps']:,} of {report['batch']:,} pairs"),
        ("learning rate", f"{config.learning_rate:g}"),
        ("training loss", _loss(report["train_loss"])),
        ("held-out loss", _loss(report["valid_loss"]) + held_out),
        ("prompt template", f"`{template.name}`"),
        ("longest pair", f"{config.max_tokens:,} tokens"),
    ]
    table = "\n".join(f"| {left} | {right} |" for left, right in rows)
    return f"""---
{chr(10).join(fields)}
---

# {name}

Proposes the next tactic for a goal of Lean 4. Made by `llmstep train` {__version__}.

| | |
| --- | --- |
{table}

Losses are means of the negative log-likelihood of a token of the tactic, in nats.

## Use

```sh
llmstep suggest File.lean --line 4 --column 3 --model ./{name}
```

or set `llmstep.model` to this folder. The template is in `llmstep.json`. With it the model reads, for a simple goal,

```text
{prompt}
```

and was trained to write

```text
{answer}
```

followed by its end token.
"""


def _hub_id(base: str) -> str:
    """The base's id on the hub; empty for a folder and for the starter."""
    record = find_record(base)
    if record is not None:
        return record.repo_id
    return "" if Path(base).exists() else base


def _method(config: TrainConfig) -> str:
    if not config.lora:
        return "all weights"
    return f"LoRA of rank {config.lora_rank}" + (", merged into the base" if config.merge else "")


def _loss(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
