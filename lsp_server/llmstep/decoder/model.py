"""A model in memory that draws continuations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmstep.decoder.config import Config
from llmstep.decoder.interface import Continuation, Footprint, MemoryShortError, SamplingParams, Tokenizer, stop_if
from llmstep.decoder.rows import Rows

if TYPE_CHECKING:
    from llmstep.decoder.compiled.network import CompiledNetwork
    from llmstep.decoder.numpy_network import NumpyNetwork

MAX_ROWS = 32
"""Most samples drawn at once: each row holds keys and values of its own."""


class Decoder:
    """A model in memory. It works for one thread at a time, and keeps the last prompt's keys and values.

    Args:
        start_id: First token of an encoder-decoder model's decoder; None for the other models.
        threads: Threads of the products; may be set between two calls.
    """

    def __init__(
        self,
        network: NumpyNetwork | CompiledNetwork,
        tokenizer: Tokenizer,
        config: Config,
        size: Footprint,
        *,
        start_id: int | None,
        end_ids: frozenset[int],
        threads: int,
    ) -> None:
        self.network, self.tokenizer, self.quantization = network, tokenizer, size.quantization
        self.start_id, self.end_ids, self.threads = start_id, end_ids, threads
        self.positions = config.positions
        """Most tokens of prompt and continuation together; None where there is no fixed limit."""
        self._vocabulary = config.vocabulary

    def forget(self) -> None:
        """Give up the keys and values of the last prompt, so that the next one is read from its beginning."""
        self.network.forget()

    def sample(
        self,
        prompt: str | Sequence[int],
        n: int,
        params: SamplingParams,
        *,
        prefix: Sequence[int] = (),
        on_token: Callable[[int, int, float], None] = lambda number, token, logprob: None,
        on_end: Callable[[int, Continuation], None] | None = None,
        progress: Callable[[int], None] = lambda steps: None,
        cancel: Callable[[], bool] = lambda: False,
    ) -> list[Continuation]:
        """Draw `n` continuations, in the order of their numbers.

        The tokens at which this prompt and the last one begin alike are not read again; for an encoder-decoder model,
        the encoder's input where it is the same.

        Args:
            prompt: Tokens, or a text, which gets the special tokens that the tokenizer adds.
            prefix: For an encoder-decoder model: tokens that the output begins with, behind the start token.
            on_token: Called with a sample's number, a token and its log-probability, as it is drawn.
            on_end: Called with a sample's number and the sample, as soon as it has ended.
            progress: Called with the number of steps done, behind the calls for their tokens.
            cancel: Asked between the parts of reading a prompt, and between steps.

        Raises:
            StoppedError: `cancel` said so.
            MemoryShortError: The request does not fit into memory.
            ValueError: The prompt is empty or too long, has a token that the model has not, or no token is wanted.
            ArithmeticError: The model's logits are no numbers.
        """
        ids = list(self.tokenizer(prompt, add_special_tokens=True)["input_ids"] if isinstance(prompt, str) else prompt)
        self._check(ids, prefix, n, params)
        count = n if params.temperature > 0 else min(n, 1)
        import numpy as np  # takes long to import

        random = np.random.default_rng(params.seed)
        end_ids = self.end_ids if params.end_ids is None else params.end_ids
        before = ids if self.start_id is None else prefix
        steps = 0
        found: list[Continuation] = []
        try:
            with self.network.session(self.threads):
                for first in range(0, count, MAX_ROWS):
                    stop_if(cancel)
                    size = min(MAX_ROWS, count - first)
                    rows = Rows(self.tokenizer, end_ids, before, size, params)
                    logits = self.network.read(ids, list(prefix), size, params.max_length, cancel)
                    alive = list(range(size))
                    while alive:
                        # One number for every sample, so that each is the same whenever the others end.
                        numbers = random.random(size)[alive]
                        tokens, logprobs = self.network.draw(logits, params.temperature, params.top_p, numbers)
                        drawn = list(zip(alive, tokens.tolist(), logprobs.tolist(), strict=True))
                        ended = rows.take(alive, tokens.tolist(), logprobs.tolist())
                        steps += 1
                        for number, token, logprob in drawn:
                            on_token(first + number, token, logprob)
                        if on_end is not None:
                            for number in ended:
                                on_end(first + number, rows.sample(number))
                        progress(steps)
                        stop_if(cancel)
                        going = [token for number, token, _ in drawn if not rows.ended(number)]
                        alive = [number for number in alive if not rows.ended(number)]
                        if alive:
                            logits = self.network.step(going, alive)
                    found += [rows.sample(number) for number in range(size)]
        except MemoryError as error:
            raise MemoryShortError(
                "The memory was not enough for this request.", "Draw fewer or shorter samples, or use a smaller model."
            ) from error
        for number in range(count, n):
            found.append(found[0])
            if on_end is not None:
                on_end(number, found[0])
        return found

    def _check(self, ids: list[int], prefix: Sequence[int], n: int, params: SamplingParams) -> None:
        if not ids:
            raise ValueError("the prompt is empty")
        if n < 0 or params.max_tokens < 1:
            raise ValueError("there has to be at least one token of each sample")
        wrong = next((token for token in (*ids, *prefix) if not 0 <= token < self._vocabulary), None)
        if wrong is not None:
            raise ValueError(f"the model has no token {wrong}")
        if self.positions is not None and len(ids) + params.max_length > self.positions:
            raise ValueError(f"the model reads and writes at most {self.positions} tokens")
