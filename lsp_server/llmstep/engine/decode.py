"""N samples for one prompt, by `generate` of transformers.

Stops, cancellation and scores are kept by one object, `_Samples`, which sees the model's own distribution (before
temperature and nucleus change it) and then the token that was chosen.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import attrs
import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import EncodedPrompt, continuation
from llmstep.errors import CancelledError, GenerationError, LlmstepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstep.engine.loader import LoadedModel
    from llmstep.types import Sampling

MAX_ROWS = 32
"""Most samples decoded at once: each row holds its own keys and values of the whole prompt."""


def decode(
    loaded: LoadedModel,
    prompt: EncodedPrompt,
    sampling: Sampling,
    *,
    stops: tuple[str, ...] = (),
    threads: int = 0,
    on_step: Callable[[int], None] = lambda _: None,
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
        cancelled: Polled before the prompt is read and after every decoding step.

    Raises:
        CancelledError: `cancelled` said so.
        GenerationError: The model failed, for example for want of memory.
    """
    if threads:
        torch.set_num_threads(threads)  # of this thread
    count = sampling.count if sampling.temperature > 0 else 1
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        on_step(steps)

    samples: list[RawSample] = []
    try:
        with torch.inference_mode(), _seeded(sampling.seed, loaded.plan.placement.device):
            while len(samples) < count:
                if cancelled():
                    raise _cancelled()
                rows = _Samples(loaded, prompt, min(MAX_ROWS, count - len(samples)), stops, step, cancelled)
                _generate(loaded, prompt, sampling, rows)
                samples += rows.finished()
    except LlmstepError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(loaded) from error
    except Exception as error:
        if "allocate memory" in str(error):  # torch's allocator for CPUs raises a RuntimeError
            raise _out_of_memory(loaded) from error
        raise GenerationError(
            f"The model {loaded.plan.name} failed while generating: {type(error).__name__}: {error}.",
            hint="Try again; if it lasts, choose another model or device and report it with the log.",
        ) from error
    return samples


def _generate(loaded: LoadedModel, prompt: EncodedPrompt, sampling: Sampling, rows: _Samples) -> None:
    """Run the model over one batch; all that matters is collected by `rows`."""
    device = loaded.plan.placement.device
    greedy = sampling.temperature <= 0
    config = GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        num_return_sequences=rows.count,
        eos_token_id=sorted(loaded.end_ids) or None,
        pad_token_id=loaded.pad_id,
        decoder_start_token_id=loaded.start_id,
        do_sample=not greedy,
        **({} if greedy else {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}),
    )
    input_ids = torch.tensor([prompt.input_ids], device=device)  # [1, prompt]; generate repeats it for every sample
    extra = {}
    if loaded.start_id is not None:
        extra["decoder_input_ids"] = torch.tensor([[loaded.start_id, *prompt.decoder_ids]], device=device)
    loaded.model.generate(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        generation_config=config,
        logits_processor=LogitsProcessorList([rows.see_logits]),
        stopping_criteria=StoppingCriteriaList([rows.see_tokens]),
        **extra,
    )


@attrs.define
class _Row:
    """One sample while it is drawn."""

    ids: list[int] = attrs.field(factory=list)
    """Tokens drawn, without the end token."""
    tokens: int = 0
    """Tokens drawn, with the end token."""
    logprob: float = 0.0
    done: bool = False


class _Samples:
    """The samples of one batch while they are drawn."""

    def __init__(
        self,
        loaded: LoadedModel,
        prompt: EncodedPrompt,
        count: int,
        stops: tuple[str, ...],
        on_step: Callable[[], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.count = count
        self._tokenizer = loaded.tokenizer
        self._end_ids = loaded.end_ids
        # What stands before the new tokens where they are written.
        self._before = prompt.input_ids if loaded.start_id is None else prompt.decoder_ids
        self._stops = stops
        # A stop can end inside the newest token and every token before it may hold as little as one byte of it.
        self._tail = max((len(stop.encode()) for stop in stops), default=0) + 1
        self._on_step = on_step
        self._cancelled = cancelled
        self._rows = [_Row() for _ in range(count)]
        self._logits: torch.Tensor | None = None

    def see_logits(self, _input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Called by `generate` with the model's own logits, shape [count, vocabulary], in float32."""
        self._logits = logits
        return logits

    def see_tokens(self, input_ids: torch.Tensor, _scores: object, **_: Any) -> torch.Tensor:
        """Called by `generate` with the tokens so far, shape [count, length]; says which samples are finished.

        Raises:
            CancelledError: Nobody waits for the samples any more.
        """
        assert self._logits is not None
        chosen = input_ids[:, -1:]
        logprobs = self._logits.gather(1, chosen) - self._logits.logsumexp(1, keepdim=True)
        self._logits = None
        for row, token, logprob in zip(self._rows, chosen[:, 0].tolist(), logprobs[:, 0].tolist(), strict=True):
            if not row.done:
                self._take(row, token, logprob)
        self._on_step()
        if self._cancelled():
            raise _cancelled()
        return torch.tensor([row.done for row in self._rows], device=input_ids.device)

    def _take(self, row: _Row, token: int, logprob: float) -> None:
        row.tokens += 1
        row.logprob += logprob
        if token in self._end_ids:
            row.done = True
            return
        row.ids.append(token)
        if self._stops:
            tail = continuation(self._tokenizer, [], row.ids[-self._tail :])
            row.done = any(stop in tail for stop in self._stops)

    def finished(self) -> Iterator[RawSample]:
        """The samples as texts."""
        for row in self._rows:
            yield RawSample(continuation(self._tokenizer, self._before, row.ids), row.logprob, row.tokens)


@contextlib.contextmanager
def _seeded(seed: int | None, device: str) -> Iterator[None]:
    """Draws that depend on `seed` alone; afresh for None. torch's generators are left as they were.

    `generate` takes no generator of its own, hence the global ones are set for the time of the draw.
    """
    if seed is None:
        seed = secrets.randbits(63)  # a fresh process would otherwise always start with the same numbers
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _cancelled() -> CancelledError:
    return CancelledError("The generation was cancelled.", hint="Ask again.")


def _out_of_memory(loaded: LoadedModel) -> GenerationError:
    return GenerationError(
        f"The memory of {loaded.plan.placement.device} was not enough for this request to {loaded.plan.name}.",
        hint="Lower llmstep.count or llmstep.maxNewTokens, or choose a smaller model.",
    )
