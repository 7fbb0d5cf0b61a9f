"""Products with rounded weights are exact: whatever the processor has, they are sums of whole numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prompts import NAMES, NEW, text

from llmstep.catalog.store import STARTER_DIR
from llmstep.decoder.compiled.machine import Product
from llmstep.decoder.compiled.packing import pack
from llmstep.decoder.weights import Weight

X86 = {
    "avx512-vnni": {"LLMSTEP_DECODER_TARGET": "avx512-vnni"},
    "avx-vnni": {"LLMSTEP_DECODER_TARGET": "avx-vnni"},
    "avx2": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+avx2,+fma,+f16c,+avx,+sse4.2,+ssse3"},
    "plain": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"},
}
"""Processors without something, as numba is told: what is not named is not used."""


def packed(kind: Any, matrix: Any) -> Weight:
    made = Weight.empty(kind, *matrix.shape)
    pack(kind == "int4", matrix.ctypes.data, *matrix.shape, made.matrix.ctypes.data, made.scales.ctypes.data)
    return made


def unpacked(weight: Weight) -> Any:
    """The numbers that a rounded weight means, [outputs, inputs], float64."""
    raw = weight.matrix
    if weight.kind == "int8":
        whole = (raw.astype(np.float64) - 128).transpose(0, 2, 1, 3).reshape(weight.tiles * 32, -1)
        return (whole * weight.scales[:, None])[: weight.outputs, : weight.inputs]
    blocks, left = [], raw
    while left.shape[1]:  # 8 groups of 32 inputs are a block, and the last one may have fewer
        groups = min(8, (left.shape[1] - 128) // 544)
        nibbles, factors, scales, left = np.split(left, np.array([512, 544, 544]) * groups + [0, 0, 128], axis=1)
        nibbles = nibbles.reshape(-1, groups, 4, 32, 4).astype(np.int64)
        both = np.stack([nibbles & 15, nibbles >> 4], 3) - 8  # [tiles, groups, pairs, 2, 32, 4]
        whole = both.transpose(0, 4, 1, 2, 3, 5).reshape(-1, 32, groups, 32)
        whole = whole * factors.view(np.int8).reshape(-1, groups, 32).transpose(0, 2, 1)[..., None]
        scale = np.ascontiguousarray(scales).view(np.float32).astype(np.float64)
        blocks.append((whole * scale[..., None, None]).reshape(weight.tiles * 32, -1))
    return np.concatenate(blocks, axis=1)[: weight.outputs, : weight.inputs]


@pytest.mark.parametrize("kind", ["int8", "int4"])
@pytest.mark.parametrize("shape", [(32, 32), (40, 70), (7, 500), (100, 4)])
def test_products_are_exact(kind: str, shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(3)
    weight = packed(kind, draw.standard_normal(shape).astype(np.float32))
    for rows in (1, 2, 5, 12, 25):
        x = draw.standard_normal((rows, shape[1])).astype(np.float32)
        x[0, 0] = 9  # the largest number is where every target has to be exact
        scale = np.abs(x).max(1, keepdims=True) / np.float32(127)
        rounded = np.floor(x * (np.float32(127) / np.abs(x).max(1, keepdims=True)) + np.float32(128.5)) - 128
        expected = (rounded.astype(np.float64) @ unpacked(weight).T) * scale
        np.testing.assert_allclose(Product(weight, rows)(x), expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


def test_extremes_do_not_overflow() -> None:
    for sign in (1, -1):
        weight = packed("int8", np.full((32, 4096), sign, np.float32))
        assert Product(weight, 1)(np.ones((1, 4096), np.float32)).tolist() == [pytest.approx([4096.0 * sign] * 32)]
        assert Product(weight, 1)(-np.ones((1, 4096), np.float32)).tolist() == [pytest.approx([-4096.0 * sign] * 32)]


def test_rounding_errs_as_little_as_it_should() -> None:
    matrix = np.random.default_rng(1).standard_normal((64, 256)).astype(np.float32)
    for kind, share in (("int8", 0.0075), ("int4", 0.085)):
        error = unpacked(packed(kind, matrix)) - matrix
        assert np.sqrt((error**2).mean() / (matrix**2).mean()) < share


def test_what_is_no_number_is_not_rounded_away() -> None:
    matrix = np.ones((32, 64), np.float32)
    matrix[3, 5] = np.nan
    for kind in ("int8", "int4"):
        assert np.isnan(Product(packed(kind, matrix), 1)(np.ones((1, 64), np.float32))[0, 3])


@pytest.fixture(scope="module")
def request_of(folder_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A request for `results.py`, for models by name."""

    def make(names: tuple[str, ...]) -> Path:
        models = {name: str(STARTER_DIR if name == "starter" else folder_of(name)) for name in names}
        place = tmp_path_factory.mktemp("request")
        (place / "request.json").write_text(
            json.dumps(
                {
                    "models": models,
                    "formats": ["float32", "int8", "int4"],
                    "ids": text(70),
                    "new": NEW,
                    "cache": str(place / "packed"),
                }
            )
        )
        return place / "request.json"

    return make


def results(python: list[str], request: Path, **environment: str) -> dict[str, Any]:
    script = str(Path(__file__).with_name("results.py"))
    ran = subprocess.run(
        [*python, script, str(request)], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The numbers of another processor: a number on an edge may be rounded to either side and moves what follows."""
    assert found.keys() == expected.keys()
    apart = []
    for name in found.keys() - {"target"}:
        one, other = (np.array(each[name]["logprobs"]) for each in (found, expected))
        if name.endswith("float32"):
            assert np.abs(one - other).max() < 1e-4, name
        else:
            apart.append(np.abs(one - other).max())
            assert np.abs(one - other).mean() < 0.05, name
    assert min(apart) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("target", X86)
def test_other_processors(target: str, request_of: Any) -> None:
    """The same numbers with fewer instructions; each compiles code of its own, in a process of its own."""
    from llmstep.decoder.compiled.target import features

    needed = {"avx512-vnni": "avx512vnni", "avx-vnni": "avxvnni", "avx2": "avx2", "plain": "sse2"}[target]
    if needed not in features():
        pytest.skip(f"this processor has no {needed}")
    request = request_of(("neox", "qwen3", "byt5", "starter"))
    found = results([sys.executable], request, **X86[target])
    assert found["target"] == target
    compare(found, results([sys.executable], request))


ARM = os.environ.get("LLMSTEP_TEST_ARM")


@pytest.mark.skipif(not ARM, reason="`make test-arm` runs it, under qemu")
def test_arm(request_of: Any) -> None:
    """The starter and every architecture, with dot products and without."""
    assert ARM
    request = request_of((*NAMES, "starter"))
    expected = results([sys.executable], request)
    found = results([ARM], request)
    assert found["target"] == "neon-dot"
    compare(found, expected)
    plain = results([ARM], request_of(("neox", "byt5")), NUMBA_CPU_FEATURES="+neon")
    assert plain["target"] == "plain"
