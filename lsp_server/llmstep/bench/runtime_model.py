"""Models and prompts for the runtime benchmark."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.bench import shapes
from llmstep.bench.runtime import Case, Subject
from llmstep.cancel import NEVER
from llmstep.engine.prompt import EncodedPrompt, encode
from llmstep.progress import silent
from llmstep.types import Goal, PromptInput

if TYPE_CHECKING:
    from llmstep.settings import Settings

PROMPT_TOKENS = (50, 200, 400)
"""Lengths of the prompts for models without real weights."""


@contextlib.contextmanager
def subject(settings: Settings) -> Iterator[Subject]:
    """What the settings name, a shape among them, in memory, with products of the settings' format.

    Raises:
        ModelError: It cannot be loaded.
        RequestError: There is no such shape.
    """
    from llmstep.catalog.resolve import resolve
    from llmstep.engine.prepare import load, prepare

    with contextlib.ExitStack() as ending:
        started = time.perf_counter()
        name, cache = settings.model, None
        if is_shape := name.endswith(shapes.SUFFIX):
            folder = ending.enter_context(shapes.folder(name))
            template = "byt5-state" if shapes.config_of(name).is_encoder_decoder else "pythia"
            settings, cache = attrs.evolve(settings, model=str(folder), template=template), folder / "packed"
        choice = resolve(settings)
        plan = attrs.evolve(prepare(settings, choice, None, silent, NEVER), name=name if is_shape else choice.name)
        loaded = load(plan, silent, NEVER, cache)
        seen = loaded.decoder.network.shapes if loaded.decoder is not None else {}
        yield Subject(
            loaded,
            is_shape,
            None if is_shape else choice.template,
            plan.placement.dtype,
            time.perf_counter() - started,
            seen,
        )


def cases_of(model: Subject, lengths: Sequence[int] = PROMPT_TOKENS) -> list[Case]:
    """The benchmark's own goals; for random weights random prompts of so many tokens."""
    template = model.template
    if template is None:
        return [_random(length) for length in lengths]
    limit = (model.loaded.positions or 2048) * 3 // 4
    return [
        Case(f"goal {number}", encode(template, PromptInput(Goal(text)), model.loaded.tokenizer, limit))
        for number, text in enumerate(GOALS, start=1)
    ]


def _random(length: int) -> Case:
    draw = random.Random(length)
    return Case(f"{length} tokens", EncodedPrompt([draw.randrange(3, 256) for _ in range(length)], []))


GOALS = (
    "p q : Prop\nhp : p\n⊢ p ∨ q",
    "p q r : Prop\nhpq : p → q\nhqr : q → r\nhp : p\n⊢ r",
    "α : Type\nP Q : α → Prop\nh : ∀ x, P x ∧ Q x\n⊢ (∀ x, P x) ∧ ∀ x, Q x",
)
