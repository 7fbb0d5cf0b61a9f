"""How the time of a request grows with the number of samples and with the length of the prompt.

Every request is for a prompt that was not seen before, with a fixed number of new tokens; the requests of all sizes are
asked in turns, so that whatever else the machine does meets all alike.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

import attrs

from llmstep.engine.decode import decode
from llmstep.engine.device import cpu_threads
from llmstep.engine.prompt import EncodedPrompt
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.bench.runtime import Subject

SAMPLES = (1, 2, 4, 8, 16, 32, 64)
PROMPTS = (50, 100, 200, 500, 1000, 2000)
USUAL_SAMPLES = 10
USUAL_PROMPT = 200


@attrs.frozen
class Size:
    """What is asked for."""

    samples: int
    prompt_tokens: int


@attrs.frozen
class Cost:
    """Medians for one size."""

    samples: int
    prompt_tokens: int
    seconds: float
    cpu_seconds: float


@attrs.frozen
class Growth:
    """The costs of one model."""

    model: str
    random_weights: bool
    dtype: str
    new_tokens: int
    threads: int
    rounds: int
    by_samples: tuple[Cost, ...]
    """At prompts of `USUAL_PROMPT` tokens."""
    by_prompt: tuple[Cost, ...]
    """At `USUAL_SAMPLES` samples; lengths that the model has room for."""


def growth(
    subject: Subject,
    *,
    samples: Sequence[int] = SAMPLES,
    prompts: Sequence[int] = PROMPTS,
    new_tokens: int = 32,
    rounds: int = 3,
    tell: Callable[[str], None] = lambda _: None,
) -> Growth:
    """Measure a model.

    Args:
        subject: The model.
        samples: Numbers of samples.
        prompts: Lengths in tokens.
        new_tokens: Of every sample, whose end is ignored.
        rounds: Requests of each size.
        tell: Called with a line for each round.
    """
    loaded = attrs.evolve(subject.loaded, end_ids=frozenset())
    longest = (loaded.positions or max(prompts) + new_tokens) - new_tokens
    rows = [Size(count, min(USUAL_PROMPT, longest)) for count in samples]
    columns = [Size(USUAL_SAMPLES, length) for length in dict.fromkeys(min(length, longest) for length in prompts)]
    loaded.use_threads(0)
    threads = cpu_threads(0, loaded.plan.parameters)
    taken: dict[Size, list[tuple[float, float]]] = {size: [] for size in (*rows, *columns)}
    draw = random.Random(1)
    top = min(256, getattr(loaded.plan.config, "vocab_size", 256))
    for number in range(rounds + 1):  # the first one warms up
        for size, times in taken.items():
            ids = [draw.randrange(3, top) for _ in range(size.prompt_tokens)]
            clock, cpu = time.perf_counter(), time.process_time()
            decode(loaded, EncodedPrompt(ids), SamplingParams(size.samples, 0.5, 1.0, new_tokens))
            if number:
                times.append((time.perf_counter() - clock, time.process_time() - cpu))
        tell(f"[{number}/{rounds}]")

    def costs(sizes: Sequence[Size]) -> tuple[Cost, ...]:
        return tuple(
            Cost(
                size.samples,
                size.prompt_tokens,
                round(statistics.median(each[0] for each in taken[size]), 4),
                round(statistics.median(each[1] for each in taken[size]), 4),
            )
            for size in sizes
        )

    return Growth(
        model=loaded.plan.name,
        random_weights=subject.random_weights,
        dtype=subject.dtype,
        new_tokens=new_tokens,
        threads=threads,
        rounds=rounds,
        by_samples=costs(rows),
        by_prompt=costs(columns),
    )
