"""N samples for one prompt: by llmstep's own decoder, or by `generate` of transformers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from llmstep import decoder
from llmstep.cancel import NEVER, CancelToken
from llmstep.decoder.rows import Rows
from llmstep.engine.postprocess import RawSample
from llmstep.errors import GenerationError, LlmstepError
from llmstep.progress import ProgressSink, generating, silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.types import SamplingParams

_NO_MEMORY = re.compile("allocate memory|out of memory")
"""What torch's allocators say, in a RuntimeError of one class or another."""
MAX_ROWS = 32
"""Most samples decoded at once: each row holds keys and values of its own."""


def decode(
    loaded: LoadedModel,
    prompt: EncodedPrompt,
    sampling: SamplingParams,
    *,
    stops: tuple[str, ...] = (),
    threads: int = 0,
    progress: ProgressSink = silent,
    on_sample: Callable[[RawSample], None] | None = None,
    cancel: CancelToken = NEVER,
) -> list[RawSample]:
    """Samples drawn independently from the model, in the order drawn.

    Args:
        loaded: The model.
        prompt: Ids as the template's `encode` makes them.
        sampling: `count` samples of at most `max_new_tokens` tokens; one when the temperature is 0.
        stops: Texts that end a sample, as soon as it contains one of them.
        threads: CPU threads; 0 leaves the number as it is.
        progress: Called after every decoding step with the number of steps done, and the most there can be.
        on_sample: Called with every sample as soon as it has ended, before `progress`.
        cancel: Looked at while the prompt is read and after every decoding step.

    Raises:
        CancelledError: `cancel` was requested.
        GenerationError: The model failed, for example for want of memory.
    """
    count = sampling.count if sampling.temperature > 0 else 1
    total = sampling.max_new_tokens * -(-count // MAX_ROWS)

    def step(done: int) -> None:
        progress(generating(done, total))

    if loaded.decoder is not None:
        from llmstep.engine import own_decoder

        return own_decoder.draw(
            loaded,
            prompt,
            sampling,
            stops=stops,
            threads=threads,
            progress=step,
            on_sample=on_sample,
            cancel=cancel,
        )
    from llmstep.engine.generate import generate

    steps = 0
    samples: list[RawSample] = []

    try:
        while len(samples) < count:
            cancel.check("The generation was cancelled.", hint="Ask again.")
            size = min(MAX_ROWS, count - len(samples))
            params = decoder.SamplingParams(max_tokens=sampling.max_new_tokens, stop=stops)
            before = prompt.input_ids if loaded.start_id is None else prompt.decoder_ids
            rows = Rows(loaded.tokenizer, loaded.end_ids, before, size, params)

            def after_step(finished: list[int], rows: Rows = rows) -> None:
                nonlocal steps
                steps += 1
                if on_sample is not None:
                    for number in finished:
                        on_sample(RawSample.of(rows.sample(number)))
                step(steps)
                cancel.check("The generation was cancelled.", hint="Ask again.")

            seed = None if sampling.seed is None else sampling.seed + len(samples)
            generate(loaded, prompt, attrs.evolve(sampling, seed=seed, count=size), rows, after_step, threads)
            samples += [RawSample.of(rows.sample(number)) for number in range(size)]
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


def _out_of_memory(loaded: LoadedModel) -> GenerationError:
    loaded_on = loaded.plan.placement.device
    return GenerationError(
        f"The memory of {loaded_on} was not enough for this request to {loaded.plan.name}.",
        hint="Lower llmstep.count or llmstep.maxNewTokens, or choose a smaller model.",
    )
