"""Answers that were given already, so that the same question costs nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING

import attrs
from cachetools import LRUCache

if TYPE_CHECKING:
    from llmstep.catalog.model_key import ModelKey
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.interface import Generation
    from llmstep.types import PromptInput, SamplingParams


class AnswerCache:
    """The answers used last, at most `capacity` of them; usable from any thread."""

    def __init__(self, capacity: int = 512) -> None:
        self._answers: LRUCache[Hashable, Generation] = LRUCache(capacity)
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Generation | None:
        """A copy of an answer, marked as one that cost nothing."""
        with self._lock:
            answer = self._answers.get(key)
        if answer is None:
            return None
        return attrs.evolve(answer, candidates=list(answer.candidates), elapsed_ms=0.0, cached=True)

    def put(self, key: Hashable, answer: Generation) -> None:
        with self._lock:
            self._answers[key] = answer


def answer_key(
    model: ModelKey, template: PromptTemplate, prompt_input: PromptInput, sampling: SamplingParams
) -> Hashable:
    """What an answer depends on.

    The uncut texts for prompts and decoder contain exactly what the template uses of goal, context, declaration and
    proof; the prefix is there as typed, since it is part of every answer, and the goal where its names are. A hash
    stands for the texts, which may be as long as a file.
    """
    texts = hashlib.sha256()
    prompts = [each.prompt(prompt_input) for each, _ in template.draws(prompt_input, sampling.count)]
    for text in (
        *prompts,
        template.decoder_text(prompt_input),
        prompt_input.prefix,
        prompt_input.goal.text if template.plain_names else "",
    ):
        texts.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return (model, template, texts.digest(), sampling)
