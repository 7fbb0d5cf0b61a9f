"""Eight and four bits on a GPU: the products, how far a model's answers move, when they are chosen, and loading.

There is no GPU here: products run by the kernels for CPUs, and those of CUDA are asked for the shapes that they take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
import transformers
from architectures import make

from llmstep.engine import device as devices
from llmstep.engine import spread
from llmstep.engine.decode import decode
from llmstep.engine.device import Placement, place
from llmstep.engine.gpu import few_bits, int4, int8
from llmstep.engine.gpu.network import StaticNetwork
from llmstep.engine.linear import in_place
from llmstep.engine.loader import load
from llmstep.engine.plan import inspect
from llmstep.engine.prompt import EncodedPrompt
from llmstep.errors import ModelLoadError, ModelTooLargeError, SettingsError
from llmstep.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmstep.engine.linear import Linear

CPU, META = torch.device("cpu"), torch.device("meta")
DRAW = torch.Generator().manual_seed(3)
PROMPT = EncodedPrompt([5, 80, 7, 300, 11, 42, 9, 120])
GB = 10**9


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=DRAW)


@pytest.mark.parametrize("rows", [1, 3, 10, 40])
@pytest.mark.parametrize(("shape", "bytes_work"), [((48, 64), True), ((33, 70), True), ((48, 64), False)])
def test_products_in_eight_bits(
    rows: int, shape: tuple[int, int], bytes_work: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding the activations to fifteen bits adds next to nothing to rounding the weights to eight."""
    monkeypatch.setattr(int8, "works", lambda _: bytes_work)
    first, second, bias = random(*shape), random(16, shape[1]) * 30, random(shape[0] + 16)
    weight = int8.quantize([first, second], CPU)
    assert (weight.matrix.dtype, weight.scales.dtype) == (torch.int8, torch.float32)
    exact = torch.cat((first, second))
    rounded = weight.matrix * weight.scales[:, None]
    assert ((rounded - exact).abs() <= exact.abs().amax(1, keepdim=True) / 254 + 1e-6).all()
    x = random(rows, shape[1]) * torch.logspace(-3, 3, rows)[:, None]
    found = int8.product(weight, bias)(x)
    expected = x.double() @ rounded.double().T + bias
    # Half a unit of each activation, and the same again for how floats are added.
    unit = x.abs().amax(1, keepdim=True) / 16256
    assert ((found - expected).abs() <= unit * rounded.abs().sum(1) + 1e-5 * expected.abs() + 1e-5).all()
    half = int8.product(weight, bias.bfloat16())(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert float((half.double() - expected).norm() / expected.norm()) < 0.02


def test_a_row_in_eight_bits_does_not_depend_on_those_beside_it() -> None:
    assert int8.works("cpu")
    multiply = int8.product(int8.quantize([random(64, 128)], CPU), random(64))
    row = random(1, 128)
    for others in (random(9, 128) * 1000, torch.zeros(31, 128), random(64, 128) * 1e-6):
        assert torch.equal(multiply(torch.cat((others, row)))[-1:], multiply(row))
    strange = multiply(torch.stack((torch.zeros(128), torch.full((128,), torch.nan), torch.ones(128))))
    assert [row.isnan().all().item() for row in strange] == [False, True, False]


@pytest.mark.parametrize("inputs", [32, 64, 192, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_in_four_bits(inputs: int, dtype: torch.dtype) -> None:
    first, second, bias = random(32, inputs), random(16, inputs) * 30 + 7, random(48)
    assert int4.fits(48, inputs, CPU)
    weight = int4.quantize([first, second], CPU, dtype)
    group = {32: 32, 64: 64, 192: 64, 256: 128}[inputs]
    assert weight.group == group
    assert weight.packed.nbytes == 48 * inputs // 2
    exact = torch.cat((first, second)).view(48, -1, group)
    rounded = int4.product(weight, None)(torch.eye(inputs, dtype=dtype)).T.float().reshape(48, -1, group)
    scale = (exact.amax(-1) - exact.amin(-1)) / 15
    slack = 0.51 if dtype == torch.float32 else 1.1
    assert ((rounded - exact).abs() <= slack * scale[..., None]).all()
    x = random(5, inputs).to(dtype)
    found = int4.product(weight, bias.to(dtype))(x)
    expected = x.double() @ rounded.reshape(48, -1).double().T + bias
    assert float((found - expected).norm() / expected.norm()) < (1e-5 if dtype == torch.float32 else 0.02)


def test_shapes_that_four_bits_cannot_have() -> None:
    assert not int4.fits(48, 40, CPU)
    assert not int4.fits(40, 64, CPU)
    assert int4.fits(40, 64, torch.device("cuda"))
    assert not int4.fits(41, 64, torch.device("cuda"))


def test_the_order_of_cuda() -> None:
    """Two neighbours in a byte, the first in the upper half, as its kernel for packing reads them."""
    values = torch.tensor([[1, 2, 15, 0], [7, 8, 9, 10]], dtype=torch.uint8)
    assert int4._halved(values).tolist() == [[0x12, 0xF0], [0x78, 0x9A]]


SEVEN = {
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
SEVEN_PARAMETERS = 7_615_616_512


@pytest.mark.parametrize("dtype", ["int4", "int8", "bfloat16"])
def test_a_model_of_seven_billion_by_its_shapes(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's own rules for the kernels of CUDA, and a device that nothing can be read from."""
    # One of the rules asks where a tensor would be if it were one; the products of bytes have a rule as well.
    monkeypatch.setattr(torch.Tensor, "fake_device", property(lambda tensor: tensor.device), raising=False)
    monkeypatch.setattr(int8, "works", lambda _: True)
    config = transformers.Qwen2Config(**{**SEVEN, "num_hidden_layers": 2})
    with META:
        model = transformers.Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.model.rotary_emb.inv_freq = torch.rand(64)
    maker = in_place if dtype == "bfloat16" else few_bits.maker(dtype, META, torch.bfloat16)
    network = StaticNetwork(model, maker, device=META, dtype=torch.bfloat16)
    with torch.inference_mode():
        assert network.read(EncodedPrompt([7] * 600), 10, 64, lambda: None).shape == (1, 152064)
        for rows in (10, 10, 3):
            logits = network.step(torch.zeros(rows, dtype=torch.int64, device=META))
            assert (logits.shape, logits.dtype) == ((rows, 152064), torch.float32)
            network.drop([(2, 1)], 3)


def table(network: StaticNetwork) -> torch.Tensor:
    """Log-probabilities behind a prompt and three tokens."""
    with torch.inference_mode():
        steps = [network.read(PROMPT, 3, 4, lambda: None).expand(3, -1).clone()]
        steps += [network.step(torch.tensor(each)).clone() for each in ([4, 5, 6], [9, 9, 9], [70, 200, 2])]
    return torch.stack(steps).log_softmax(-1)


@pytest.mark.parametrize(("dtype", "change", "divergence"), [("int8", 0.06, 0.002), ("int4", 0.7, 0.35)])
@pytest.mark.parametrize("name", ["neox", "llama", "qwen2", "qwen3"])
def test_log_probabilities_stay_near(name: str, dtype: str, change: float, divergence: float) -> None:
    """Stated bounds for these random models, whose few and large weights have nothing that rounding leaves alone.

    And no change at all, but for how floats are added, against float32 with the rounded weights.
    """
    model = make(name)
    exact = table(StaticNetwork(model))
    rounded = table(StaticNetwork(model, few_bits.maker(dtype, CPU, torch.float32)))
    assert 0 < (exact - rounded).abs().mean() < change
    assert (exact.exp() * (exact - rounded)).sum(-1).mean() < divergence

    def with_rounded_weights(part: str, modules: Sequence[Any]) -> Linear:
        weights = [module.weight for module in modules]
        bias = in_place(part, modules)(torch.zeros(1, weights[0].shape[1]))
        kept = int4.fits(sum(map(len, weights)), weights[0].shape[1], CPU) and dtype == "int4" and part != "head"
        unit = torch.eye(weights[0].shape[1])
        matrix = int4.product(int4.quantize(weights, CPU, torch.float32), None)(unit).T if kept else None
        if matrix is None:
            whole = int8.quantize(weights, CPU)
            matrix = whole.matrix * whole.scales[:, None]
        return lambda x: torch.nn.functional.linear(x, matrix) + bias

    by_hand = table(StaticNetwork(make(name), with_rounded_weights))
    torch.testing.assert_close(rounded, by_hand, atol=5e-3, rtol=1e-3)


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    """A folder with the configuration of a model of seven billion parameters."""
    transformers.Qwen2Config(**SEVEN, dtype="bfloat16").save_pretrained(tmp_path)
    return tmp_path


def gpus(monkeypatch: pytest.MonkeyPatch, *free: float, capability: tuple[int, int] = (8, 6)) -> None:
    """As many GPUs with so much free memory, in GB."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(devices, "cuda_free_bytes", lambda: {index: int(size * GB) for index, size in enumerate(free)})


@pytest.mark.parametrize(
    ("free", "capability", "dtype"),
    [
        ((24,), (8, 6), "bfloat16"),
        ((18,), (8, 6), "int8"),
        ((10, 9), (8, 6), "bfloat16"),  # on both
        ((9.9, 2), (8, 6), "int8"),
        ((8, 8), (8, 6), "int4"),  # neither holds eight bits, and few bits are not divided
        ((6.2,), (9, 0), "int4"),
        ((6.2,), (7, 5), None),
        ((5,), (9, 0), None),
    ],
)
def test_bits_by_free_memory(
    seven: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: tuple[float, ...],
    capability: tuple[int, int],
    dtype: str | None,
) -> None:
    gpus(monkeypatch, *free, capability=capability)
    half = place("cuda", "auto")
    options: dict[str, Any] = {"name": "seven", "placement": half, "file_bytes": 2 * SEVEN_PARAMETERS, "shrink": True}
    if dtype is None:
        with pytest.raises(ModelTooLargeError, match=r"needs about 18\.3 GB"):
            inspect(seven, **options)
        return
    plan = inspect(seven, **options)
    assert plan.placement == attrs.evolve(half, dtype=dtype)
    assert plan.parameters == SEVEN_PARAMETERS
    expected = {"bfloat16": 15.2, "int8": 8.2, "int4": 5.1}[dtype]
    assert plan.weight_bytes == pytest.approx(expected * GB, abs=0.05 * GB)
    if dtype != "bfloat16":
        with pytest.raises(ModelTooLargeError, match="bfloat16 on cuda") as caught:  # what was asked for stays
            inspect(seven, **{**options, "shrink": False})
        assert "set llmstep.dtype to int4" in caught.value.hint


def test_bits_that_are_asked_for(seven: Path, monkeypatch: pytest.MonkeyPatch, tiny_models: dict[str, Path]) -> None:
    gpus(monkeypatch, 11, 11)
    four = place("auto", "int4")
    assert (four, four.torch_dtype) == (Placement("cuda", "int4"), torch.bfloat16)
    assert place("cuda", "int8").torch_dtype == torch.bfloat16
    options: dict[str, Any] = {"name": "seven", "file_bytes": 2 * SEVEN_PARAMETERS}
    assert inspect(seven, placement=four, **options).weight_bytes < 6 * GB
    gpus(monkeypatch, 6, 6)
    with pytest.raises(ModelTooLargeError, match="in int4 on cuda"):
        inspect(seven, placement=four, **options)
    with pytest.raises(ModelLoadError, match=r"tiny \(t5\) cannot be run in int4 on cuda"):
        inspect(tiny_models["byt5"], name="tiny", placement=four)
    gpus(monkeypatch, 11, capability=(7, 5))
    assert place("cuda", "int8").torch_dtype == torch.float16
    with pytest.raises(SettingsError, match=r"wants a CUDA device of compute capability 8\.0 or higher.* has 7\.5"):
        place("cuda", "int4")
    with pytest.raises(SettingsError, match="int4, which is for CUDA devices, and the device is cpu"):
        place("cpu", "int4")


def test_few_bits_go_to_the_current_device_or_the_freest(seven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 8, 7, 9)
    plan = inspect(seven, name="seven", placement=place("cuda", "int4"), file_bytes=2 * SEVEN_PARAMETERS)
    for free, index in (((8, 7, 9), 0), ((5, 7, 9), 2), ((8,), 0)):
        gpus(monkeypatch, *free)
        assert spread.roomiest(plan) == torch.device("cuda", index)


def test_what_has_no_way_in_few_bits() -> None:
    assert few_bits.suits(transformers.Qwen2Config(**SEVEN))
    window = transformers.MistralConfig(sliding_window=8, hidden_size=32, num_attention_heads=2, num_hidden_layers=1)
    assert not few_bits.suits(window)
    assert not few_bits.suits(transformers.GPT2Config())
    assert not few_bits.suits(transformers.T5Config())
    assert not few_bits.suits(None)


def test_tied_embeddings_are_there_once() -> None:
    config = transformers.Qwen2Config(**{**SEVEN, "tie_word_embeddings": True})
    table = 152064 * 3584
    assert few_bits.weight_bytes(config, SEVEN_PARAMETERS - table, "int8") == pytest.approx(
        few_bits.weight_bytes(transformers.Qwen2Config(**SEVEN), SEVEN_PARAMETERS, "int8")
    )


@pytest.mark.parametrize("name", ["neox", "llama"])
def test_loading(tiny_models: dict[str, Path], name: str) -> None:
    """The weights of the module are gone, and what is in their place answers like it, or nearly."""
    plain = load(inspect(tiny_models[name], name=name, placement=Placement("cpu", "float32")))
    assert plain.network is not None
    prompt = EncodedPrompt([5, 80, 7, 300, 11, 42, 9, 120])
    with torch.inference_mode():
        exact = plain.network.read(prompt, 1, 8, lambda: None).log_softmax(-1)
    plan = inspect(tiny_models[name], name=name, placement=Placement("cpu", "int4"))
    assert plan.weight_bytes < 2 * plan.parameters
    loaded = load(plan)
    assert isinstance(loaded.network, StaticNetwork)
    assert {parameter.device.type for parameter in loaded.model.parameters()} == {"meta"}
    assert (loaded.device, loaded.end_ids, loaded.positions) == ("cpu", plain.end_ids, plain.positions)
    with torch.inference_mode():
        found = loaded.network.read(prompt, 1, 8, lambda: None).log_softmax(-1)
    assert 0 < (found - exact).abs().mean() < 0.8
    samples = decode(loaded, prompt, Sampling(count=12, temperature=1.0, max_new_tokens=9, seed=4))
    assert len(samples) == 12
    assert len({sample.text for sample in samples}) > 3
