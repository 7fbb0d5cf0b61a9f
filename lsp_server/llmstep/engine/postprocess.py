"""From raw samples to distinct candidates: cleaned, with the prefix once in front, best score first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import attrs

from llmstep.catalog.cleaning import has_thought
from llmstep.catalog.template import PromptTemplate
from llmstep.decoder import Continuation
from llmstep.engine.interface import Generation
from llmstep.lean.step import inserted
from llmstep.progress import since
from llmstep.types import Candidate, PromptInput

_GOAL = re.compile(r"^\s*⊢", re.MULTILINE)
"""A line of a goal as Lean prints it; in a step `⊢` stands behind something, as in `at h ⊢`."""
_IN_WORD = re.compile(r"[\w'.!?]")
"""A character that occurs inside the words of Lean."""


@attrs.frozen
class RawSample:
    """One answer of a model, as it wrote it."""

    text: str
    """What was generated: without the prompt, and without the prefix that the decoder started with."""
    logprob_sum: float | None
    """Sum of the natural log-probabilities of its tokens, at temperature 1; None where it is not known."""
    tokens: int
    """Number of those tokens, the end token included."""
    steps: tuple[tuple[int, float], ...] = attrs.field(default=(), eq=False, repr=False)
    """Ids and log-probabilities of those tokens, where the model runs in this process."""
    thought: str = ""
    """What the server gave as a thought, apart from the text."""
    cut: bool = False
    """The limit of tokens ended it."""

    @classmethod
    def of(cls, drawn: Continuation) -> RawSample:
        steps = tuple(zip(drawn.tokens, drawn.logprobs, strict=True))
        return cls(drawn.text, drawn.logprob, len(drawn.tokens), steps, cut=drawn.finish_reason == "length")


Parts = Sequence[tuple[PromptTemplate, Sequence[RawSample]]]
"""The samples of each prompt, with its template."""


def generation(prompt_input: PromptInput, model: str, drawn: int, started: float, parts: Parts) -> Generation:
    """The answer that samples make; `drawn` counts those that were dropped on the way, too."""
    found = (candidate for template, samples in parts for candidate in finish(template, prompt_input, samples))
    return Generation(merged(found), model, drawn, since(started), endings=endings(parts))


def endings(parts: Parts) -> str:
    """How samples ended, where that says why there are few candidates; empty where all ended with a step."""
    cut = sum(sample.cut for _, samples in parts for sample in samples)
    in_thought = sum(
        template.chat
        and bool(sample.thought or template.in_thought or has_thought(sample.text))
        and not template.clean(sample.text)
        for template, samples in parts
        for sample in samples
    )
    said = [f"{cut} cut off at the limit of tokens"] if cut else []
    if in_thought:
        advice = " (raise llmstep.maxThinkingTokens)" if cut else ""
        said.append(f"{in_thought} with a thought and no step{advice}")
    return ", ".join(said)


def finish(template: PromptTemplate, prompt_input: PromptInput, samples: Iterable[RawSample]) -> list[Candidate]:
    """Distinct candidates, best mean log-probability first, those without one behind, in the order drawn.

    Every candidate starts with the prefix exactly as typed, once. Dropped are samples that are empty, those that
    do not continue the prefix (after `exact ` a model may write `_mod_cast h`, which asks for another word), and those
    that hold a goal, which a model writes behind a step or instead of one.
    """
    texts = ((candidate_text(template, prompt_input, sample.text), sample) for sample in samples)
    return merged(
        Candidate(text, _score(template, sample), sample.tokens)
        for text, sample in texts
        if text is not None and not _GOAL.search(text)
    )


def merged(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each step once, with its best score, in the order of `finish`; for candidates of several prompts, too.

    Comments behind a step and blanks, which no edit inserts, make no difference.
    """
    best: dict[str, Candidate] = {}
    for candidate in candidates:
        step = inserted(candidate.text)
        if step not in best or _rank(candidate) < _rank(best[step]):
            best[step] = candidate
    return sorted(best.values(), key=_rank)


def _score(template: PromptTemplate, sample: RawSample) -> float | None:
    """The mean; None also for what is no number, which JSON could not say, and where most is of a thought."""
    if template.chat and (template.in_thought or has_thought(sample.text)):
        return None
    if sample.logprob_sum is None or not math.isfinite(sample.logprob_sum):
        return None
    return sample.logprob_sum / max(sample.tokens, 1)


def _rank(candidate: Candidate) -> float:
    return math.inf if candidate.score is None else -candidate.score


def candidate_text(template: PromptTemplate, prompt_input: PromptInput, raw: str) -> str | None:
    """The step that a raw answer makes together with the prefix, or None when it makes none."""
    raw = template.shown(prompt_input, raw)
    if not prompt_input.prefix.strip():
        body = template.clean(raw)
        return prompt_input.prefix + body if body else None
    body = template.unwrap(raw)
    prefix = prompt_input.prefix
    word = template.unfinished(prompt_input)
    if word and body.lstrip(" \t").startswith(word):
        return prefix + _trim(body.lstrip(" \t")[len(word) :])
    repeated = _after_repeated(prefix, body)
    if repeated is not None:
        body = repeated
    elif word:
        return None
    rest = _continue(prefix, template.held(prompt_input), body)
    return None if rest is None else prefix + _trim(rest)


def _after_repeated(prefix: str, body: str) -> str | None:
    """What follows the prefix in an answer that says it again; None when it does not.

    Only a prefix that begins with a word of two letters or more counts: `(`, `·` and lines may come twice in a row.
    """
    core = prefix.strip()
    if len(core) < 2 or not core[0].isalpha() or "\n" in prefix[len(prefix.rstrip()) :]:
        return None
    bare = body.lstrip()
    return bare[len(core) :] if bare.startswith(core) else None


def _continue(prefix: str, held: str, body: str) -> str | None:
    """`body` as the text right behind `prefix`, or None when it continues another word than the prefix ends with."""
    if not prefix[-1].isspace():
        return body
    if held and body.startswith(held):
        return body[len(held) :]
    if body[:1].isspace():
        return body.lstrip() if "\n" in held else body.lstrip(" \t")
    if held and _IN_WORD.match(prefix.rstrip()[-1]) and _IN_WORD.match(body):  # `exact` and `_mod_cast`
        return None
    return body


def _trim(rest: str) -> str:
    """No blanks at the ends of lines; the first line keeps the blank that parts it from the prefix."""
    return "\n".join(line.rstrip() for line in rest.rstrip().split("\n"))
