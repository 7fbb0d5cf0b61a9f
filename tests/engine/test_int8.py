"""Weights in eight bits: exact sums, rows that do not see each other, and how far a model's answers move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from architectures import make

from llmstep.engine import eight_bits, int8
from llmstep.engine.linear import Linear, Weight
from llmstep.engine.network import network_for
from llmstep.engine.prompt import EncodedPrompt

Product = Callable[[int8.Quantized], Linear]
DRAW = torch.Generator().manual_seed(3)
PROMPT = EncodedPrompt([5, 80, 7, 300, 11, 42, 9, 120], [6, 30])


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=DRAW)


def by_hand(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    """The same arithmetic in float64, step by step."""
    matrix = weight.matrix.double()
    scales = matrix.abs().amax(1) / 127
    rows = x.double().abs().amax(1) / 127
    whole = (x.double() / rows[:, None] + 0.5).floor()
    out = (whole @ (matrix / scales[:, None]).round().T) * scales * rows[:, None]
    return out if weight.bias is None else out + weight.bias


pytestmark = pytest.mark.skipif(not int8.works(), reason="this CPU has no exact products of bytes")


@pytest.fixture(params=["tiles", "onednn"])
def product(request: pytest.FixtureRequest) -> Product:
    """The product of each kernel."""
    if request.param == "onednn":
        return int8.product
    if eight_bits.kernel() != "tiles":
        pytest.skip("this CPU has no products of bytes (VNNI) for compiled kernels")
    from llmstep.engine.compiled import single

    return single.product


@pytest.mark.parametrize(("outputs", "inputs"), [(8, 16), (33, 70), (256, 512)])
@pytest.mark.parametrize("rows", [1, 3, 10, 65])
@pytest.mark.parametrize("biased", [False, True])
def test_the_product_is_that_of_the_rounded_numbers(
    outputs: int, inputs: int, rows: int, biased: bool, product: Product
) -> None:
    weight = Weight(random(outputs, inputs), random(outputs) if biased else None)
    x = random(rows, inputs) * torch.logspace(-3, 3, rows)[:, None]
    got = product(int8.quantize(weight))(x)
    expected = by_hand(x, weight)
    # A quotient that lies on the edge may fall to either side, which moves a result by one step of one weight.
    edge = x.abs().amax(1, keepdim=True) / 127 * weight.matrix.abs().max() + 1e-5
    assert ((got - expected).abs() <= edge).all()
    assert (got - expected).abs().median() < 1e-4 * expected.abs().median()
    true = x.double() @ weight.matrix.double().T + (weight.bias if weight.bias is not None else 0)
    assert float((got - true).norm() / true.norm()) < 0.02


def test_a_row_does_not_depend_on_those_beside_it(product: Product) -> None:
    """To the last bit, whatever is beside it and however many rows there are."""
    multiply = product(int8.quantize(Weight(random(200, 300), random(200))))
    row = random(1, 300)
    alone = multiply(row)
    for others in (random(9, 300) * 1000, torch.zeros(31, 300), random(64, 300) * 1e-6):
        assert torch.equal(multiply(torch.cat((others, row)))[-1:], alone)


def test_zeros_and_what_is_no_number(product: Product) -> None:
    multiply = product(int8.quantize(Weight(torch.cat((random(4, 32), torch.zeros(1, 32))))))
    out = multiply(torch.stack((torch.zeros(32), torch.full((32,), torch.nan), torch.ones(32))))
    assert (out[0] == 0).all()
    assert out[1].isnan().all()
    assert out[2].isfinite().all()
    assert out[2, 4] == 0


@pytest.mark.parametrize("name", ["neox", "llama", "qwen3", "t5", "byt5"])
def test_log_probabilities_stay_near(name: str) -> None:
    """Stated bound for these random models: 0.15 in the mean over the vocabulary, and the same best token or nearly."""
    model = make(name)
    start = 0 if model.config.is_encoder_decoder else None
    tables = []
    for network in (network_for(model, start), eight_bits.network(model, start)):
        assert network is not None
        with torch.inference_mode():
            steps = [network.read(PROMPT, 3, 4, lambda: None).expand(3, -1)]
            steps += [network.step(torch.tensor(tokens)) for tokens in ([4, 5, 6], [9, 9, 9], [70, 200, 2])]
        tables.append(torch.stack(steps).log_softmax(-1))
    exact, rounded = tables
    assert (exact - rounded).abs().mean() < 0.15
    divergence = (exact.exp() * (exact - rounded)).sum(-1)
    assert divergence.mean() < 0.02
    assert divergence.min() > -1e-6


def test_what_cannot_be_run_in_int8_has_no_network() -> None:
    assert eight_bits.network(make("gpt2"), None) is None
    assert eight_bits.network(make("bart"), 0) is None
