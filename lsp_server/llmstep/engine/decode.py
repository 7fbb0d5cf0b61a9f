"""N samples for one prompt.

The prompt is read once and shared by all samples; each step adds a token to every sample, and those that have ended
leave. Models of an unknown architecture are run by `generate` of transformers instead, with the same results.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.engine.rows import Rows, close_gaps, rows_for
from llmstep.errors import CancelledError, GenerationError, LlmstepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.network import Network
    from llmstep.engine.postprocess import RawSample
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.types import Sampling

_NO_MEMORY = re.compile("allocate memory|out of memory")
"""What torch's allocators say, in a RuntimeError of one class or another."""
MAX_ROWS = 32
"""Most samples decoded at once: each row holds keys and values of its own."""


def decode(
    loaded: LoadedModel,
    prompt: EncodedPrompt,
    sampling: Sampling,
    *,
    stops: tuple[str, ...] = (),
    threads: int = 0,
    on_step: Callable[[int], None] = lambda _: None,
    on_sample: Callable[[RawSample], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[RawSample]:
    """Samples drawn independently from the model, in the order drawn.

    Args:
        loaded: The model.
        prompt: Ids as the template's `encode` makes them.
        sampling: `count` samples of at most `max_new_tokens` tokens; one when the temperature is 0.
        stops: Texts that end a sample, as soon as it contains one of them.
        threads: CPU threads; 0 leaves torch's number.
        on_step: Called after every decoding step with the number of steps done.
        on_sample: Called with every sample as soon as it has ended, before `on_step`.
        cancelled: Polled while the prompt is read and after every decoding step.

    Raises:
        CancelledError: `cancelled` said so.
        GenerationError: The model failed, for example for want of memory.
    """
    if loaded.decoder is not None:
        from llmstep.engine import own_decoder

        return own_decoder.draw(
            loaded,
            prompt,
            sampling,
            stops=stops,
            threads=threads,
            on_step=on_step,
            on_sample=on_sample,
            cancelled=cancelled,
        )
    from llmstep.engine import sampling as drawing

    count = sampling.count if sampling.temperature > 0 else 1
    drawer = drawing.Drawer(sampling, loaded.device)
    steps = 0

    def poll() -> None:
        if cancelled():
            raise CancelledError("The generation was cancelled.", hint="Ask again.")

    samples: list[RawSample] = []
    try:
        with drawing.session(threads):
            while len(samples) < count:
                poll()
                size = min(MAX_ROWS, count - len(samples))
                decoder = loaded.start_id is not None
                rows = rows_for(
                    loaded.tokenizer, loaded.end_ids, prompt, size, stops, sampling.max_new_tokens, decoder=decoder
                )

                def after_step(finished: list[int], rows: Rows = rows) -> None:
                    nonlocal steps
                    steps += 1
                    if on_sample is not None:
                        for number in finished:
                            on_sample(rows.sample(number))
                    on_step(steps)
                    poll()

                if loaded.network is None:
                    from llmstep.engine.generate import generate

                    seed = None if sampling.seed is None else sampling.seed + len(samples)
                    generate(loaded, prompt, attrs.evolve(sampling, seed=seed), rows, after_step)
                else:
                    drawer.begin(size)
                    draw = _way(loaded.network)
                    draw(loaded.network, prompt, drawer, rows, sampling.max_new_tokens, after_step, poll)
                samples += [rows.sample(number) for number in range(size)]
    except LlmstepError:
        raise
    except MemoryError as error:
        raise _out_of_memory(loaded) from error
    except Exception as error:
        if _NO_MEMORY.search(str(error)):
            raise _out_of_memory(loaded) from error
        raise GenerationError(
            f"The model {loaded.plan.name} failed while generating: {type(error).__name__}: {error}.",
            hint="Try again; if it lasts, choose another model or device and report it with the log.",
        ) from error
    return samples


def _way(network: Network) -> Callable[..., None]:
    """How to draw with a network: one on a GPU is a step ahead of what is known."""
    if getattr(network, "runs_ahead", False):
        from llmstep.engine.gpu import ahead

        return ahead.draw
    return _draw


def _draw(
    network: Network,
    prompt: EncodedPrompt,
    drawer: Any,
    rows: Rows,
    longest: int,
    after_step: Callable[[list[int]], None],
    poll: Callable[[], None],
) -> None:
    """Draw all of `rows`, each until it has ended."""
    alive = list(range(rows.count))
    logits = network.read(prompt, rows.count, longest, poll)
    while True:
        tokens, logprobs = drawer.draw(logits, alive)
        finished = rows.take(alive, tokens.tolist(), logprobs.tolist())
        after_step([alive[place] for place in finished])
        if finished:
            alive, moves = close_gaps(alive, finished)
            if not alive:
                return
            for source, target in moves:
                tokens[target] = tokens[source]
            tokens = tokens[: len(alive)]
            network.drop(moves, len(alive))
        logits = network.step(tokens)


def _out_of_memory(loaded: LoadedModel) -> GenerationError:
    loaded_on = loaded.plan.placement.device
    return GenerationError(
        f"The memory of {loaded_on} was not enough for this request to {loaded.plan.name}.",
        hint="Lower llmstep.count or llmstep.maxNewTokens, or choose a smaller model.",
    )
