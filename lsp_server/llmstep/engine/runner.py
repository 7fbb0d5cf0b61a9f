"""One loaded model answering asks: prompt, samples, candidates.

Used in the worker's thread only. torch and transformers, which take far longer to import than the starter to answer,
are imported only for models that llmstep's own decoder does not run.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import attrs

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.model_key import ModelKey
from llmstep.engine import device as devices
from llmstep.engine.chat_form import chat_form, folder_rule, in_own_words, tokenizer_rule
from llmstep.engine.completion import complete
from llmstep.engine.decode import decode
from llmstep.engine.loaded import LoadedModel, Plan, release
from llmstep.engine.postprocess import Endings, RawSample, endings, finish, merged
from llmstep.engine.prompt import encode
from llmstep.progress import Progress, ProgressSink, silent, since

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.catalog.resolve import ModelChoice
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.text import Text, Written
    from llmstep.settings import Settings
    from llmstep.types import Candidate, PromptInput, SamplingParams


@attrs.frozen
class LoadedModelInfo:
    """What is in memory."""

    model: str
    """Name in the catalog, or the id or folder."""
    source: str
    """Hub id or folder."""
    family: str
    """`causal` or `seq2seq`."""
    device: str
    dtype: str
    parameters: int
    positions: int | None
    """Most tokens of prompt and answer together; None where there is no fixed limit."""
    load_ms: float
    """Time it took to read the weights, the download not counted."""


class Runner:
    """A model in memory."""

    def __init__(self, loaded: LoadedModel, settings: Settings, choice: ModelChoice, load_ms: float) -> None:
        self._loaded = loaded
        self._key = ModelKey.of(settings).chosen(choice)
        self.plan = loaded.plan
        self.info = LoadedModelInfo(
            model=choice.name,
            source=choice.source,
            family=loaded.plan.family,
            device=loaded.plan.placement.device,
            dtype=loaded.plan.placement.dtype,
            parameters=loaded.plan.parameters,
            positions=loaded.positions,
            load_ms=load_ms,
        )

    @classmethod
    def load(
        cls, plan: Plan, settings: Settings, choice: ModelChoice, progress: ProgressSink, cancel: CancelToken
    ) -> Runner:
        """Read the weights.

        Raises:
            ModelError: They cannot be loaded.
            CancelledError: `cancel` was requested.
        """
        started = time.perf_counter()
        if not plan.needs_torch:
            from llmstep.engine import own_decoder

            loaded = own_decoder.load(plan, progress=progress, cancel=cancel)
        else:
            from llmstep.engine.loader import load

            loaded = load(plan, progress=progress, cancel=cancel)
        return cls(loaded, settings, choice, since(started))

    def serves(self, settings: Settings, choice: ModelChoice) -> bool:
        """Whether this is the model, on the device and in the format, that is asked for."""
        return self._key == ModelKey.of(settings).chosen(choice)

    def answer(
        self,
        template: PromptTemplate,
        ask: PromptInput,
        sampling: SamplingParams,
        *,
        threads: int = 0,
        progress: ProgressSink = silent,
        on_candidate: Callable[[Candidate], None] | None = None,
        cancel: CancelToken = NEVER,
    ) -> tuple[int, list[Candidate], str]:
        """The number of samples drawn, the distinct candidates among them, best first, and `Generation.endings`.

        Args:
            threads: As in the settings.
            progress: Called after every decoding step with the number of steps done, and the most there can be.
            on_candidate: Called with every candidate as soon as it is finished; with the same text once.
            cancel: Looked at in every step.

        Raises:
            ModelError: The fixed parts of the prompt are too long for the model.
            GenerationError: The model failed.
            CancelledError: `cancel` was requested.
        """
        template = self._in_own_words(template)
        parts = template.draws(ask, sampling.count)
        how = Endings()
        given: set[str] = set()
        drawn, before = 0, 0
        found: list[Candidate] = []

        def candidate_ended(candidate: Candidate) -> None:
            if on_candidate is not None and candidate.text not in given:
                given.add(candidate.text)
                on_candidate(candidate)

        def in_all(before: int, left: int, update: Progress) -> None:
            done, total = before + update.done, before + update.total * left
            progress(attrs.evolve(update, done=done, total=total))

        for left, (part, count) in zip(range(len(parts), 0, -1), parts, strict=True):
            samples = self._draw(
                part,
                ask,
                attrs.evolve(sampling, count=count),
                threads=threads,
                progress=partial(in_all, before, left),
                on_candidate=None if on_candidate is None else candidate_ended,
                cancel=cancel,
            )
            drawn += len(samples)
            before += max(sample.tokens for sample in samples)
            how += endings(part, samples)
            found += finish(part, ask, samples)
        return drawn, merged(found), str(how)

    def _in_own_words(self, template: PromptTemplate) -> PromptTemplate:
        """A template for chats in general, with the markers of this model."""
        if not template.own_turns:
            return template
        tokenizer = self._loaded.tokenizer
        own = hasattr(tokenizer, "apply_chat_template")
        rule = tokenizer_rule(tokenizer) if own else folder_rule(self.plan.tokenizer_folder)
        form = chat_form(rule, template)
        return template if form is None else in_own_words(template, form)

    def _draw(
        self,
        template: PromptTemplate,
        ask: PromptInput,
        sampling: SamplingParams,
        *,
        threads: int,
        progress: ProgressSink,
        on_candidate: Callable[[Candidate], None] | None,
        cancel: CancelToken,
    ) -> list[RawSample]:
        """The samples for one prompt."""
        max_tokens = min(sampling.max_new_tokens, template.max_new_tokens) + template.thinking_tokens
        limit = template.max_prompt_tokens
        positions = self._loaded.positions
        if positions is not None:
            max_tokens = min(max_tokens, max(1, positions // 2))
            limit = positions if template.family == "seq2seq" else positions - max_tokens
        prompt = encode(template, ask, self._loaded.tokenizer, limit)
        if positions is not None and template.family == "seq2seq":
            max_tokens = max(1, min(max_tokens, positions - 1 - len(prompt.decoder_ids)))
        sampling = attrs.evolve(sampling, max_new_tokens=max_tokens)

        def on_sample(sample: RawSample) -> None:
            for candidate in finish(template, ask, [sample]):
                if on_candidate is not None:
                    on_candidate(candidate)

        samples = decode(
            self._loaded,
            prompt,
            sampling,
            stops=template.stops,
            threads=self._threads(threads),
            progress=progress,
            on_sample=on_sample if on_candidate is not None else None,
            cancel=cancel,
        )
        return [attrs.evolve(each, cut=self._is_cut(each, template, max_tokens)) for each in samples]

    def _is_cut(self, sample: RawSample, template: PromptTemplate, max_tokens: int) -> bool:
        """Whether it had no end of its own."""
        if sample.tokens < max_tokens or (sample.steps and sample.steps[-1][0] in self._loaded.end_ids):
            return False
        return not any(stop in sample.text for stop in template.stops)

    def complete(
        self,
        template: PromptTemplate,
        text: Text,
        sampling: SamplingParams,
        *,
        threads: int = 0,
        progress: ProgressSink = silent,
        on_written: Callable[[int, Written], None] | None = None,
        cancel: CancelToken = NEVER,
    ) -> tuple[int, list[Written]]:
        """See `llmstep.engine.completion.complete`."""
        return complete(
            self._loaded,
            template,
            text,
            sampling,
            threads=self._threads(threads),
            progress=progress,
            on_written=on_written,
            cancel=cancel,
        )

    def _threads(self, wanted: int) -> int:
        return devices.cpu_threads(wanted, self.plan.parameters) if self.plan.placement.device == "cpu" else 0

    def release(self) -> None:
        """Free the memory; the runner is of no use afterwards."""
        device = self.plan.placement.device
        del self._loaded
        release(device)
