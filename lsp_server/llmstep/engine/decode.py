"""N samples for one prompt: by llmstep's own decoder, or by `generate` of transformers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from llmstep import decoder
from llmstep.cancel import NEVER, CancelToken
from llmstep.decoder.model import MAX_ROWS
from llmstep.engine.loaded import LoadedModel
from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import EncodedPrompt
from llmstep.errors import CancelledError, GenerationError, LlmstepError
from llmstep.progress import ProgressSink, generating, silent
from llmstep.types import SamplingParams

_NO_MEMORY = re.compile("allocate memory|out of memory")
"""What torch's allocators say, in a RuntimeError of one class or another."""


def decode(
    loaded: LoadedModel,
    prompt: EncodedPrompt,
    sampling: SamplingParams,
    *,
    stops: tuple[str, ...] = (),
    lead: decoder.Lead | None = None,
    progress: ProgressSink = silent,
    on_sample: Callable[[RawSample], None] | None = None,
    cancel: CancelToken = NEVER,
) -> list[RawSample]:
    """Samples drawn independently from the model, in the order drawn.

    Args:
        prompt: Ids as the template's `encode` makes them.
        sampling: `count` samples of at most `max_new_tokens` tokens; one when the temperature is 0.
        stops: Texts that end a sample, as soon as it contains one of them.
        lead: A first part of a sample, with a limit of its own: a thought.
        progress: Called after every decoding step with the number of steps done, and the most there can be.
        on_sample: Called with every sample as soon as it has ended, before `progress`.
        cancel: Looked at while the prompt is read and after every decoding step.

    Raises:
        CancelledError: `cancel` was requested.
        GenerationError: The model failed, for example for want of memory.
    """
    if loaded.decoder is not None:
        draw = loaded.decoder.sample
    else:
        from llmstep.engine.generate import sample

        draw = partial(sample, loaded)
    params = decoder.SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        seed=sampling.seed,
        stop=stops,
        end_ids=loaded.end_ids,
        lead=lead,
    )
    count = sampling.count if sampling.temperature > 0 else 1
    total = params.max_length * -(-count // MAX_ROWS)
    name, device = loaded.plan.name, loaded.plan.placement.device
    try:
        found = draw(
            prompt.input_ids,
            count,
            params,
            prefix=prompt.decoder_ids,
            on_end=on_sample and (lambda _, each: on_sample(RawSample.of(each))),
            progress=lambda done: progress(generating(done, total)),
            cancel=lambda: cancel.requested,
        )
    except decoder.StoppedError as error:
        raise CancelledError("The generation was cancelled.", hint="Ask again.") from error
    except LlmstepError:
        raise
    except Exception as error:
        if isinstance(error, (MemoryError, decoder.MemoryShortError)) or _NO_MEMORY.search(str(error)):
            raise GenerationError(
                f"The memory of {device} was not enough for this request to {name}.",
                hint="Lower llmstep.count or llmstep.maxNewTokens, or choose a smaller model.",
            ) from error
        raise GenerationError(
            f"The model {name} failed while generating: {type(error).__name__}: {error}.",
            hint="Try again; if it lasts, choose another model or device and report it with the log.",
        ) from error
    return [RawSample.of(each) for each in found]
