"""Which files of a repository are taken, and whether weights are whole."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from llmstep.catalog.files import (
    is_complete,
    measure,
    needed_files,
    read_json,
    weight_files,
    weight_paths,
)
from llmstep.errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
BIN_SHARDS = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin", "consolidated.safetensors"], ["model.safetensors"]),
        (["pytorch_model.bin", "tf_model.h5"], ["pytorch_model.bin"]),
        (
            [*SHARDS, "model.safetensors.index.json", "pytorch_model.bin"],
            [*SHARDS, "model.safetensors.index.json"],
        ),
        (
            [*BIN_SHARDS, "pytorch_model.bin.index.json", "model.gguf"],
            ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"],
        ),
        (["model.safetensors", *SHARDS, "model.safetensors.index.json"], ["model.safetensors"]),
        (["model.gguf", "onnx/model.onnx", "sub/model.safetensors", "sub/adapter_model.safetensors"], []),
        (["adapter_model.safetensors", "adapter_model.bin", "model.gguf"], ["adapter_model.safetensors"]),
        (["adapter_model.safetensors", "model.safetensors"], ["model.safetensors"]),
    ],
)
def test_safetensors_are_preferred(present: list[str], chosen: list[str]) -> None:
    assert weight_files(present) == chosen


def test_what_else_is_needed() -> None:
    present = [
        "config.json",
        "generation_config.json",
        "tokenizer.model",
        "spiece.model",
        "special_tokens_map.json",
        "merges.txt",
        "README.md",
        "eval_results.json",
        "modeling_x.py",
        "pytorch_model.bin.index.json",
        "model.safetensors",
        "sub/config.json",
    ]
    assert needed_files(present) == [
        "config.json",
        "generation_config.json",
        "merges.txt",
        "model.safetensors",
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.model",
    ]
    with_code = set(needed_files(present, code=True))
    assert with_code - set(needed_files(present)) == {"modeling_x.py", "eval_results.json", "sub/config.json"}


def test_the_size_is_read_from_the_header(tiny_models: dict[str, Path]) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_models["neox"], dtype=torch.float32)
    weights, size = measure(tiny_models["neox"])
    assert weights == sum(parameter.numel() for parameter in model.parameters())
    assert size == (tiny_models["neox"] / "model.safetensors").stat().st_size


def test_shards(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(tiny_models["llama"]).save_pretrained(tmp_path, max_shard_size="60kB")
    AutoTokenizer.from_pretrained(tiny_models["llama"]).save_pretrained(tmp_path)
    paths = weight_paths(tmp_path)
    assert len(paths) > 1
    assert measure(tmp_path)[0] == measure(tiny_models["llama"])[0]
    assert is_complete(tmp_path)
    paths[-1].unlink()
    assert not is_complete(tmp_path)
    with pytest.raises(ModelLoadError) as caught:
        measure(tmp_path)
    assert caught.value.message == f"The model file {paths[-1]} is missing."


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer"])
def test_a_folder_that_lacks_something(copy_of: Callable[[str], Path], missing: str) -> None:
    folder = copy_of("neox")
    assert is_complete(folder)
    for path in folder.glob(f"{missing}*"):
        path.unlink()
    assert not is_complete(folder)
    assert not is_complete(folder / "nothing")


@pytest.mark.parametrize(
    ("keep", "how"),
    [
        (0, "is not a safetensors file"),
        (5, "is not a safetensors file"),
        (300, "is cut off inside its header, after 300 bytes"),
        (-1000, "bytes where its header says another number"),
    ],
)
def test_a_truncated_file(copy_of: Callable[[str], Path], keep: int, how: str) -> None:
    path = copy_of("neox") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelLoadError) as caught:
        measure(path.parent)
    assert caught.value.message.startswith(f"The model file {path} ")
    assert how in caught.value.message
    assert caught.value.hint == "Copy or save the model again; the file was probably not written to its end."


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",  # git-lfs left its stub
        (4).to_bytes(8, "little") + b"nope",
        (2).to_bytes(8, "little") + b"[]",
        (8).to_bytes(8, "little") + b'{"a": 1}',
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match="is not a safetensors file"):
        measure(path.parent)


def test_a_broken_file_in_the_cache_is_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "hub" / "models--a--b" / "snapshots" / "123" / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with pytest.raises(ModelLoadError) as caught:
        measure(path.parent)
    assert caught.value.hint == (
        f"Delete the folder {tmp_path / 'hub' / 'models--a--b'} and ask again: llmstep then downloads the model anew."
    )


def test_a_broken_index(tmp_path: Path) -> None:
    for content in ("{", "[]", json.dumps({"weight_map": []})):
        (tmp_path / "model.safetensors.index.json").write_text(content)
        with pytest.raises(ModelLoadError, match=r"index\.json (cannot be read|holds no JSON|names no files)"):
            weight_paths(tmp_path)
    assert not is_complete(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"x")
    with pytest.raises(ModelLoadError) as caught:
        weight_paths(tmp_path)
    assert caught.value.message == f"The model in {tmp_path} has no weights that transformers reads."
    assert "GGUF" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"9" * 5000, b"\xff", b"{", b"[]", b'{"weight_map": 3}', b'{"weight_map": {"a": NaN}}']
)
def test_files_of_json_that_is_none_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    header = (
        content if content != b'{"weight_map": {"a": NaN}}' else b'{"a": {"shape": [1e400], "data_offsets": [0, 0]}}'
    )
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "pytorch_model.bin.index.json").write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"The model file .* is not a safetensors file\."):
        measure(tmp_path)
    weights.unlink()
    with pytest.raises(
        ModelLoadError, match=r"The model file .* (cannot be read: .*|holds no JSON object|names no files)\."
    ):
        weight_paths(tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    if content[:1] != b"{" or content == b"{":
        with pytest.raises(ModelLoadError, match=r"The model file .* (cannot be read: it .*|holds no JSON object)\."):
            read_json(tmp_path / "config.json")


@pytest.mark.skipif(sys.platform == "win32", reason="links want rights there")
def test_a_link_into_nothing_is_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "nothing")
    with pytest.raises(ModelLoadError, match=r"The model file .* is missing\."):
        measure(tmp_path)
