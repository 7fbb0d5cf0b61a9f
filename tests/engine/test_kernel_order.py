"""Weights in the kernel's order, as bytes."""

from __future__ import annotations

import pytest
import torch

from llmstep.engine import int8
from llmstep.engine.kernel_order import Orders, bytes_of

pytestmark = pytest.mark.skipif(not int8.works(), reason="this CPU has no exact products of bytes")


@pytest.mark.parametrize(("outputs", "inputs"), [(8, 16), (33, 70), (256, 512), (1152, 1472)])
def test_what_was_written_is_what_is_computed_with(outputs: int, inputs: int) -> None:
    draw = torch.Generator().manual_seed(outputs)
    orders = Orders()
    scales = torch.rand(outputs, generator=draw)
    x = torch.randn(7, inputs, generator=draw)
    products = []
    for _ in range(2):  # two of a shape do not share memory
        matrix = torch.randint(-127, 128, (outputs, inputs), generator=draw, dtype=torch.int8)
        ordered = int8.in_order(matrix)
        weight, memory = orders.empty(outputs, inputs)
        memory[:] = memoryview(bytes_of(ordered).numpy())
        products.append((int8.ordered_product(weight, scales, None), int8.ordered_product(ordered, scales, None)))
    for read, made in products:
        assert torch.equal(read(x), made(x))
    assert not torch.equal(products[0][0](x), products[1][0](x))


def test_the_description_is_that_of_this_machine() -> None:
    assert Orders().description() == Orders().description()
    assert len(Orders().description()) == 16
