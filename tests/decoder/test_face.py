"""The public face: what a folder needs, what a request gets, and what is told of a model that cannot be run."""

from __future__ import annotations

import ast
import bisect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prompts import NEW, text
from results import log_probabilities
from safetensors.numpy import load_file, save_file

import llmstep.decoder as face
from llmstep.catalog.store import STARTER_DIR
from llmstep.decoder import SamplingParams, load
from llmstep.decoder.tensor_file import open_tensors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PACKAGE = Path(face.__file__).parent

ALLOWED = {"numpy", "numba", "llvmlite", "safetensors", "tokenizers", "platformdirs", "threadpoolctl"}

WARM = SamplingParams(temperature=1.0, max_tokens=8, seed=3)


def test_it_imports_nothing_of_the_rest() -> None:
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                first = name.partition(".")[0]
                known = first in sys.stdlib_module_names | ALLOWED or name.startswith("llmstep.decoder")
                assert known, (file, name)


def test_it_runs_where_torch_and_transformers_are_missing(folder_of: Any, tmp_path: Path) -> None:
    program = f"""
import sys
for name in ("torch", "transformers"):
    sys.modules[name] = None
from pathlib import Path
from llmstep.decoder import SamplingParams, load
model = load({str(folder_of("byt5"))!r}, quantization="int4", cache=Path({str(tmp_path)!r}))
print(len(model.sample("⊢ p", 3, SamplingParams(max_tokens=4, seed=1))))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "3\n"


def test_without_numba_the_starter_works_and_others_say_what_they_lack(folder_of: Any) -> None:
    program = f"""
import importlib.util, sys
sys.modules["numba"] = None
plain = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else plain(name, *rest)
from llmstep.decoder import SamplingParams, UnsupportedError, load
assert load({str(STARTER_DIR)!r}).sample("[GOAL]", 2, SamplingParams(max_tokens=3))
assert load({str(folder_of("neox"))!r}, quantization="float32")
try:
    load({str(folder_of("llama"))!r})
except UnsupportedError as error:
    print(error.message, error.hint)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "needs the package numba, which is not installed" in ran.stdout


@pytest.mark.parametrize("name", ["neox", "llama", "byt5"])
def test_streams_and_scores(name: str, folder_of: Any, cache: Path) -> None:
    model = load(folder_of(name), quantization="int8", cache=cache)
    tokens: dict[int, list[tuple[int, float]]] = {}
    ended: list[int] = []
    steps: list[int] = []
    found = model.sample(
        text(30),
        40,
        WARM,
        on_token=lambda number, token, logprob: tokens.setdefault(number, []).append((token, logprob)),
        on_end=lambda number, each: ended.append(number),
        progress=steps.append,
    )
    assert sorted(ended) == sorted(tokens) == list(range(40))
    assert steps == list(range(1, len(steps) + 1))
    for number, each in enumerate(found):
        assert tokens[number] == list(zip(each.tokens, each.logprobs, strict=True))
        assert each.finish_reason == ("end" if each.tokens[-1] in model.end_ids else "length")
    network: Any = model
    alone = log_probabilities(network, text(30), list(found[0].tokens[:-1]), 1)
    assert found[0].logprob == pytest.approx(
        sum(alone[place][token] for place, token in enumerate(found[0].tokens)), abs=1e-3
    )


def test_seeds_stops_and_ends(folder_of: Any, cache: Path) -> None:
    model = load(folder_of("llama"), quantization="int8", cache=cache)

    def draw(**changes: Any) -> list[face.Continuation]:
        return model.sample(text(9), 6, SamplingParams(**{"temperature": 1.0, "max_tokens": 8, "seed": 3, **changes}))

    free = draw(end_ids=frozenset())
    assert draw(end_ids=frozenset()) == free
    assert draw(seed=4, end_ids=frozenset()) != free
    stop = next(letter for each in free for letter in each.text if letter.isascii())
    for before, after in zip(free, draw(stop=("never said", stop), end_ids=frozenset()), strict=True):
        if stop in before.text:
            assert (after.finish_reason, stop in after.text) == ("stop", True)
            assert before.tokens[: len(after.tokens)] == after.tokens
        else:
            assert after == before
    end = free[0].tokens[2]
    [first, *_] = draw(end_ids=frozenset({end}))
    assert first.finish_reason == "end"
    assert first.tokens[-1] == end
    assert len(draw(top_p=0.3)) == 6


def test_stopping_a_request(folder_of: Any, cache: Path) -> None:
    model = load(folder_of("qwen2"), quantization="int8", cache=cache)
    steps: list[int] = []
    with pytest.raises(face.StoppedError):
        model.sample(text(9), 3, WARM, progress=steps.append, cancel=lambda: len(steps) == 2)
    assert steps == [1, 2]
    assert len(model.sample(text(9), 3, WARM)) == 3


def test_requests_that_make_no_sense(folder_of: Any, cache: Path) -> None:
    model = load(folder_of("llama"), quantization="int8", cache=cache)
    for prompt, params in (([], WARM), ([384], WARM), ([-1], WARM), (text(699), WARM)):
        with pytest.raises(ValueError, match=r"prompt|token"):
            model.sample(prompt, 1, params)
    assert model.sample(text(9), 0, WARM) == []


def test_half_precision_on_disk(folder_of: Any, tmp_path: Path) -> None:
    """bfloat16 and float16 are read as they are meant; several files are one model."""
    exact: Any = load(folder_of("llama"), quantization="float32")
    expected = log_probabilities(exact, text(12), NEW)
    for dtype, bound in (("bfloat16", 0.1), ("float16", 0.02)):
        import torch
        from transformers import AutoModelForCausalLM

        folder = shutil.copytree(folder_of("llama"), tmp_path / dtype)
        model = AutoModelForCausalLM.from_pretrained(folder).to(getattr(torch, dtype))
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="100KB")
        assert (folder / "model.safetensors.index.json").is_file()
        found: Any = load(folder, quantization="float32")
        assert np.abs(log_probabilities(found, text(12), NEW) - expected).mean() < bound


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", lambda path: path.unlink(), "has no config.json"),
        ("config.json", lambda path: path.write_text("{"), "not valid JSON"),
        ("config.json", lambda path: path.write_text('{"model_type": "bart"}'), "'bart' is not one of"),
        ("config.json", lambda path: path.write_text('{"model_type": "llama"}'), "lacks something"),
        ("model.safetensors", lambda path: path.unlink(), "not there as safetensors"),
        ("model.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-9]), "is not a whole safetensors file"),
        ("model.safetensors", lambda path: path.write_bytes(b"{}" * 20), "is not a whole safetensors file"),
        ("tokenizer_config.json", lambda path: path.unlink(), "not there as tokenizer.json"),
    ],
)
def test_folders_that_are_no_model(
    file: str, change: Callable[[Path], Any], message: str, folder_of: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folder_of("llama"), tmp_path / "copy"))
    change(folder / file)
    with pytest.raises(face.DecoderError, match=re.escape(message)):
        load(folder, quantization="int8", cache=tmp_path / "cache")
    if file != "model.safetensors" or not (folder / file).exists():
        assert message in (face.why_unsupported(folder) or "")


def test_weights_that_do_not_belong_to_the_configuration(folder_of: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folder_of("llama"), tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    for change in ({"num_hidden_layers": 3}, {"hidden_size": 32}):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(face.DamagedError, match="incomplete"):
            load(folder, quantization="int8", cache=tmp_path / "cache")


def _changed(folder: Path, end: str, change: Callable[[NDArray[Any]], NDArray[Any] | None]) -> Path:
    """A copy of the starter in `folder`, whose tensors of names that end so are changed, or left out."""
    shutil.copytree(STARTER_DIR, folder)
    found = load_file(folder / "model.safetensors")
    for name in [each for each in found if each.endswith(end)]:
        tensor = change(found.pop(name))
        if tensor is not None:
            found[name] = np.ascontiguousarray(tensor)
    save_file(found, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("quantization", ["float32", "int8"])
@pytest.mark.parametrize(
    ("end", "change"),
    [
        ("attention.dense.weight", lambda tensor: tensor[0]),
        ("attention.dense.weight", lambda tensor: tensor[:, None]),
        ("input_layernorm.weight", lambda tensor: np.stack([tensor, tensor])),
        ("embed_in.weight", lambda tensor: tensor[None]),
        ("dense.bias", lambda tensor: tensor[:3]),
    ],
)
def test_weights_of_another_shape_are_refused(end: str, change: Any, quantization: Any, tmp_path: Path) -> None:
    folder = _changed(tmp_path / "model", end, change)
    with pytest.raises(face.DamagedError, match=f"{end} has another shape than config.json says"):
        load(folder, quantization=quantization, cache=tmp_path)


@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_a_layer_norm_without_a_bias_is_one_with_zeros(quantization: Any, tmp_path: Path) -> None:
    drawn = [
        load(_changed(tmp_path / name, "layernorm.bias", change), quantization=quantization, cache=tmp_path).sample(
            "a : Nat", 2, WARM
        )
        for name, change in (("without", lambda _: None), ("zeros", np.zeros_like))
    ]
    assert drawn[0] == drawn[1]


def test_the_format_follows_the_memory(folder_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmstep.decoder import folder as files

    folder = folder_of("llama")

    def fits(quantization: Any, max_memory: int) -> bool:
        try:
            return bool(face.measure(folder, quantization, max_memory=max_memory))
        except face.MemoryShortError:
            return False

    def least(quantization: Any) -> int:
        """The least memory that a format fits into."""
        return bisect.bisect_left(range(1 << 30), True, key=lambda size: fits(quantization, size))

    assert face.measure(folder).quantization == "float32"
    sizes = {kind: face.measure(folder, kind).weight_bytes for kind in ("float32", "int8", "int4")}
    assert sizes["int4"] < sizes["int8"] < sizes["float32"]
    monkeypatch.setattr(files, "SMALL", 1000)
    assert face.measure(folder).quantization == "int8"
    assert sizes["int4"] < least("int4") < least("int8")  # there is room for keys and values, too
    assert face.measure(folder, max_memory=least("int8")).quantization == "int8"
    assert face.measure(folder, max_memory=least("int8") - 1).quantization == "int4"
    for quantization in ("auto", "int4"):
        with pytest.raises(face.MemoryShortError, match="GB are free"):
            load(folder, quantization=quantization, max_memory=least("int4") - 1)  # type: ignore[arg-type]


def test_loading_can_be_stopped(folder_of: Any, tmp_path: Path) -> None:
    with pytest.raises(face.StoppedError):
        load(folder_of("llama"), quantization="int8", cache=tmp_path, cancel=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_tensor_files(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    numbers = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
    tensors = {name: torch.from_numpy(numbers).to(getattr(torch, name)) for name in ("bfloat16", "float16", "float64")}
    tensors["one"] = torch.tensor(3.0)
    save_file(tensors, tmp_path / "x.safetensors", {"a": "b"})
    file = open_tensors(tmp_path / "x.safetensors")
    assert file["one"].read() == 3
    for name in ("bfloat16", "float16", "float64"):
        assert np.array_equal(file[name].read(), numbers)
        assert np.array_equal(file[name].rows(1, 3), numbers[1:])
    with pytest.raises(IndexError):
        file["float16"].rows(2, 4)
