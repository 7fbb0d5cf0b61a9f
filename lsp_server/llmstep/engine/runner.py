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
from llmstep.catalog.cleaning import THOUGHT_BEGINS, THOUGHT_ENDS
from llmstep.catalog.model_key import ModelKey
from llmstep.decoder import Lead
from llmstep.engine import device as devices
from llmstep.engine.chat_form import chat_form, in_own_words
from llmstep.engine.chat_rule import written_chat
from llmstep.engine.decode import decode
from llmstep.engine.loaded import LoadedModel, Plan, release
from llmstep.engine.postprocess import RawSample, generation
from llmstep.engine.prompt import encode
from llmstep.progress import Progress, ProgressSink, silent

if TYPE_CHECKING:
    from llmstep.catalog.resolve import ModelChoice
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.interface import Generation
    from llmstep.settings import Settings
    from llmstep.types import PromptInput, SamplingParams


class Runner:
    """A model in memory."""

    def __init__(self, loaded: LoadedModel, settings: Settings, choice: ModelChoice) -> None:
        self.loaded = loaded
        self.plan = loaded.plan
        self._key = ModelKey.of(settings).chosen(choice)

    @classmethod
    def load(
        cls, plan: Plan, settings: Settings, choice: ModelChoice, progress: ProgressSink, cancel: CancelToken
    ) -> Runner:
        """Read the weights.

        Raises:
            ModelError: They cannot be loaded.
            CancelledError: `cancel` was requested.
        """
        if plan.needs_torch:
            from llmstep.engine.loader import load
        else:
            from llmstep.engine.own_decoder import load
        return cls(load(plan, progress=progress, cancel=cancel), settings, choice)

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
        cancel: CancelToken = NEVER,
    ) -> Generation:
        """The distinct candidates, best first.

        Args:
            threads: As in the settings.
            progress: Called after every decoding step with the number of steps done, and the most there can be.
            cancel: Looked at in every step.

        Raises:
            ModelError: The fixed parts of the prompt are too long for the model.
            GenerationError: The model failed.
            CancelledError: `cancel` was requested.
        """
        started = time.perf_counter()
        if template.own_turns and (form := chat_form(partial(written_chat, self.plan.tokenizer_folder), template)):
            template = in_own_words(template, form)
        prompts = template.draws(ask, sampling.count)
        parts = []
        before = 0

        def in_all(before: int, left: int, update: Progress) -> None:
            progress(attrs.evolve(update, done=before + update.done, total=before + update.total * left))

        for left, (part, count) in zip(range(len(prompts), 0, -1), prompts, strict=True):
            samples = self._draw(
                part,
                ask,
                attrs.evolve(sampling, count=count),
                threads=self.threads(threads),
                progress=partial(in_all, before, left),
                cancel=cancel,
            )
            before += max(sample.tokens for sample in samples)
            parts.append((part, samples))
        drawn = sum(len(samples) for _, samples in parts)
        return generation(ask, self.plan.name, drawn, started, parts)

    def _draw(
        self,
        template: PromptTemplate,
        ask: PromptInput,
        sampling: SamplingParams,
        *,
        threads: int,
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> list[RawSample]:
        """The samples for one prompt."""
        max_tokens = min(sampling.max_new_tokens, template.max_new_tokens)
        thought = template.thinking_tokens if template.chat else 0
        limit = template.max_prompt_tokens
        positions = self.loaded.positions
        if positions is not None:
            max_tokens = min(max_tokens, max(1, positions // 2))
            thought = min(thought, positions // 2 - max_tokens)
            limit = positions if template.family == "seq2seq" else positions - max_tokens - thought
        prompt = encode(template, ask, self.loaded.tokenizer, limit)
        if positions is not None and template.family == "seq2seq":
            max_tokens = max(1, min(max_tokens, positions - 1 - len(prompt.decoder_ids)))
        return decode(
            self.loaded,
            prompt,
            attrs.evolve(sampling, max_new_tokens=max_tokens),
            stops=template.stops,
            lead=Lead(() if template.in_thought else THOUGHT_BEGINS, THOUGHT_ENDS, thought) if thought > 0 else None,
            threads=threads,
            progress=progress,
            cancel=cancel,
        )

    def threads(self, wanted: int) -> int:
        """Threads for a request, as `devices.cpu_threads` has them; 0 where a GPU works."""
        return devices.cpu_threads(wanted, self.plan.parameters) if self.plan.placement.device == "cpu" else 0

    def release(self) -> None:
        """Free the memory; the runner is of no use afterwards."""
        device = self.plan.placement.device
        del self.loaded
        release(device)
