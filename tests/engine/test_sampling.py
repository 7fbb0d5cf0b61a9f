"""Draws of single tokens, by torch, by numpy and by compiled code, against the softmax and `generate`'s warpers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from llmstep.decoder import SamplingParams, drawing
from llmstep.decoder.compiled import choosing
from llmstep.engine import sampling
from llmstep.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Make = Callable[[Sampling], Any]

LOGITS = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -2.0, -4.0, -30.0]])
DRAWS = 20_000


class InNumpy:
    """The decoder's drawer, for tensors."""

    kernel: Any = None

    def __init__(self, sampling: Sampling) -> None:
        params = SamplingParams(sampling.temperature, sampling.top_p, seed=sampling.seed)
        self._drawer = drawing.Drawer(params, self.kernel)
        self.begin = self._drawer.begin

    def draw(self, logits: torch.Tensor, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, logprobs = self._drawer.draw(logits.numpy(), rows)
        return torch.from_numpy(tokens), torch.from_numpy(logprobs)


class Compiled(InNumpy):
    """The same with compiled code."""

    kernel = staticmethod(choosing.chosen)


@pytest.fixture(params=[sampling.Drawer, InNumpy, Compiled], ids=["torch", "numpy", "compiled"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


def draws(make: Make, logits: torch.Tensor, count: int = DRAWS, **options: float) -> torch.Tensor:
    drawer = make(Sampling(count=count, seed=11, **options))  # type: ignore[arg-type]
    drawer.begin(count)
    tokens: torch.Tensor = drawer.draw(logits, range(count))[0]
    return tokens


def warped(temperature: float, top_p: float) -> torch.Tensor:
    """The distribution that `generate` samples from."""
    scores = TemperatureLogitsWarper(temperature)(None, LOGITS) if temperature != 1 else LOGITS
    return (TopPLogitsWarper(top_p)(None, scores) if top_p < 1 else scores).softmax(-1)[0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("top_p", [1.0, 0.95, 0.8, 0.3])
@pytest.mark.parametrize("expanded", [False, True])
def test_the_draws_have_the_distribution_of_generate(
    make: Make, temperature: float, top_p: float, expanded: bool
) -> None:
    """Pearson's chi-square; 24.3 is exceeded once in 1000 times with seven degrees of freedom (fewer: less often)."""
    logits = LOGITS.expand(DRAWS, -1) if expanded else LOGITS
    counts = torch.bincount(draws(make, logits, temperature=temperature, top_p=top_p), minlength=8).double()
    expected = warped(temperature, top_p).double() * DRAWS
    assert counts[expected == 0].sum() == 0
    common = expected > 5
    assert counts[~common].sum() <= expected[~common].sum() + 5 * expected[~common].sum().sqrt() + 1
    assert float((((counts - expected) ** 2) / expected)[common].sum()) < 24.3


def test_what_has_no_probability_is_never_drawn(make: Make) -> None:
    """Also where rounding makes the whole a little more or less than one, and at the far end of the vocabulary."""
    logits = torch.full((1, 50_000), -torch.inf)
    logits[0, 7:40_000:3] = torch.randn(len(range(7, 40_000, 3)), generator=torch.Generator().manual_seed(1))
    tokens = draws(make, logits, temperature=1.0)
    assert torch.isfinite(logits[0, tokens]).all()


def test_greedy_and_scores(make: Make) -> None:
    drawer = make(Sampling(temperature=0))
    drawer.begin(1)
    tokens, logprobs = drawer.draw(LOGITS, [0])
    assert tokens.tolist() == [0]
    assert logprobs.tolist() == pytest.approx([LOGITS.log_softmax(-1)[0, 0].item()])
    drawer = make(Sampling(temperature=2.0, top_p=0.5, seed=1))
    drawer.begin(5)
    tokens, logprobs = drawer.draw(LOGITS, range(5))
    assert logprobs.tolist() == pytest.approx(LOGITS.log_softmax(-1)[0, tokens].tolist())


def test_a_sample_does_not_depend_on_those_beside_it(make: Make) -> None:
    def run(leaves: bool) -> list[int]:
        drawer = make(Sampling(temperature=1.0, seed=5))
        drawer.begin(6)
        drawn = []
        for step in range(8):
            rows = [0, 5, 2] if leaves and step >= 3 else range(6)
            tokens, _ = drawer.draw(LOGITS.expand(len(rows), -1), rows)
            drawn.append(int(tokens[list(rows).index(2)]))
        return drawn

    assert run(False) == run(True)
