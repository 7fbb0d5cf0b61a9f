"""A model that is asked twice for a goal, with examples and with the file: half the samples each, merged by score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import pytest_asyncio
from tiny_models import llama, saved

from llmstep.engine.engine import Engine
from llmstep.engine.postprocess import merged
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llmstep.engine.interface import Generation
    from llmstep.progress import Progress
    from llmstep.types import Candidate

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOAL = Goal("p q : Prop\nhp : p\n⊢ p ∨ q")
FILE = "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  "
ASK = PromptInput(GOAL, context=FILE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers whose tokens are bytes, long enough for the examples."""
    import torch

    torch.manual_seed(3)
    return saved(llama(max_position_embeddings=2048, bos_token_id=0), tmp_path_factory.mktemp("llemma") / "llemma-tiny")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(folder: Path) -> AsyncIterator[Engine]:
    made = Engine(Settings(model=str(folder), device="cpu", dtype="float32"))
    yield made
    await made.close()


def same(some: list[Candidate], others: list[Candidate]) -> bool:
    """Sums differ in the last bits by what of a prompt was known already."""
    return [each.text for each in some] == [each.text for each in others] and [each.score for each in some] == (
        pytest.approx([each.score for each in others], abs=1e-4)
    )


async def asked(engine: Engine, template: str, ask: PromptInput, sampling: SamplingParams) -> Generation:
    engine.store.change(attrs.evolve(engine.settings, template=template))
    return await engine.generate(ask, sampling)


@pytest.mark.parametrize("prefix", ["", "exact "])
@pytest.mark.parametrize(("count", "temperature"), [(9, 1.2), (2, 0.0)])
async def test_the_answer_is_both_answers_together(engine: Engine, prefix: str, count: int, temperature: float) -> None:
    ask = attrs.evolve(ASK, prefix=prefix)
    sampling = SamplingParams(count, temperature, max_new_tokens=12, seed=5)
    both = await asked(engine, "llemma", ask, sampling)
    first = await asked(engine, "llemma-fewshot", ask, attrs.evolve(sampling, count=count - count // 2))
    second = await asked(engine, "continuation", ask, attrs.evolve(sampling, count=count // 2))
    assert same(both.candidates, merged([*first.candidates, *second.candidates]))
    assert {each.text for each in first.candidates} != {each.text for each in second.candidates}
    assert both.drawn == first.drawn + second.drawn == (count if temperature else 2)
    scores = [each.score for each in both.candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(each.text.startswith(prefix) and "\n" not in each.text for each in both.candidates)


async def test_without_a_file_the_examples_alone_are_asked(engine: Engine) -> None:
    sampling = SamplingParams(6, 1.2, max_new_tokens=12, seed=5)
    both = await asked(engine, "llemma", PromptInput(GOAL), sampling)
    assert same(both.candidates, (await asked(engine, "llemma-fewshot", PromptInput(GOAL), sampling)).candidates)
    assert both.drawn == 6


async def test_another_file_is_another_question(engine: Engine) -> None:
    sampling = SamplingParams(4, 1.2, max_new_tokens=8, seed=5)
    first = await asked(engine, "llemma", ASK, sampling)
    assert (await asked(engine, "llemma", ASK, sampling)).cached
    other = await asked(engine, "llemma", attrs.evolve(ASK, context=FILE + "have := hp\n  "), sampling)
    assert not other.cached
    assert [each.text for each in other.candidates] != [each.text for each in first.candidates]


async def test_progress_goes_on_through_both(engine: Engine) -> None:
    engine.store.change(attrs.evolve(engine.settings, template="llemma"))
    told: list[Progress] = []
    await engine.generate(ASK, SamplingParams(4, 1.3, max_new_tokens=9, seed=77), progress=told.append)
    steps = [(each.done, each.total) for each in told if each.stage == "generate"]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert all(done <= total for done, total in steps)


async def test_the_guess_for_a_model_of_that_name(engine: Engine, folder: Path) -> None:
    made = await asked(engine, "", ASK, SamplingParams(4, 1.2, max_new_tokens=8, seed=5))
    assert (
        made.candidates
        == (await asked(engine, "llemma", ASK, SamplingParams(4, 1.2, max_new_tokens=8, seed=5))).candidates
    )
    assert made.model == str(folder)
