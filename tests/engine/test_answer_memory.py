"""What makes two questions the same, and which answers are kept."""

from __future__ import annotations

import attrs
import pytest

from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.templates import get_template
from llmstep.engine.answers import Answers, answer_key
from llmstep.engine.interface import Generation
from llmstep.progress import ProgressSink
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

ASK = PromptInput(Goal("p : Prop\n⊢ p → p", ("⊢ q",)), prefix="in", context="theorem t", declaration="t", proof="skip")


def key(ask: PromptInput = ASK, template: str = "pythia", model: str = "m", **changes: object) -> object:
    sampling = attrs.evolve(
        SamplingParams(), **{k: v for k, v in changes.items() if k in ("count", "seed", "temperature")}
    )
    settings = Settings(model=model, **{k: v for k, v in changes.items() if k in ("device", "dtype")})  # type: ignore[arg-type]
    return answer_key(ModelKey.of(settings), get_template(template), ask, sampling)


def test_the_same_question() -> None:
    assert key() == key(PromptInput(Goal("p : Prop\n⊢ p → p", ("⊢ q",)), "in", "theorem t", "t", "skip"))
    assert hash(key()) == hash(key())


@pytest.mark.parametrize(
    "other",
    [
        key(model="n"),
        key(template="starter"),
        key(attrs.evolve(ASK, goal=Goal("⊢ q"))),
        key(attrs.evolve(ASK, prefix="intro")),
        key(attrs.evolve(ASK, prefix="in ")),
        key(attrs.evolve(ASK, prefix="")),
        key(count=3),
        key(seed=1),
        key(temperature=0.1),
        key(device="cpu"),
        key(dtype="float16"),
    ],
)
def test_another_question(other: object) -> None:
    assert other != key()


def test_only_what_the_template_shows_counts() -> None:
    """Edits elsewhere in the file must not cost an answer that does not depend on them."""
    moved = attrs.evolve(ASK, context="-- more text\ntheorem t", declaration="u", proof="", goal=Goal(ASK.goal.text))
    assert key(moved) == key(ASK)
    assert key(moved, "byt5-state") != key(ASK, "byt5-state")  # it reads the other goals
    assert key(attrs.evolve(ASK, context="theorem u"), "ntp-context") != key(ASK, "ntp-context")
    assert key(attrs.evolve(ASK, declaration="u"), "internlm-step") != key(ASK, "internlm-step")
    assert key(attrs.evolve(ASK, proof="simp"), "internlm25-step") != key(ASK, "internlm25-step")


def test_texts_do_not_run_into_each_other() -> None:
    assert key(PromptInput(Goal("⊢ a"), prefix="b"), "byt5-state") != key(
        PromptInput(Goal("⊢ ab"), prefix=""), "byt5-state"
    )


def test_a_lone_surrogate_is_no_trouble() -> None:
    """Editors can send half of a UTF-16 pair."""
    assert key(PromptInput(Goal("⊢ \ud835"))) != key(PromptInput(Goal("⊢ \ud836")))


async def test_the_answers_used_last_are_kept() -> None:
    answers = Answers(capacity=2)

    async def ask(key: str, drawn: int) -> int:
        """The samples of the answer: those that are in memory, or so many."""

        async def work(_: ProgressSink) -> Generation:
            return Generation([], "m", drawn, 9.0)

        answer = await answers.answer(key, work, started=0.0)
        known = answers.known(key)
        assert known is not None
        assert (known.cached, answer.cached) == (True, answer.drawn != drawn)
        return answer.drawn

    assert [await ask("a", 1), await ask("b", 2), await ask("a", 3)] == [1, 2, 1]
    assert await ask("c", 4) == 4  # in the place of b, which was asked longest ago
    assert [await ask("a", 5), await ask("c", 5), await ask("b", 5)] == [1, 4, 5]
    assert answers.known("nothing") is None
