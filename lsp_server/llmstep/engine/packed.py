"""Models in eight bits, quantized once and kept on disk, so that the next start reads a quarter of the bytes.

A packed model is one safetensors file in the user's cache: the products' weights and scales, whatever else the network
reads (embeddings, norms) in float32, the tokenizer, and what llmstep wants to know of the model. It is loaded without
transformers. Weights are in the kernel's own order and read straight into its memory; embeddings stay in the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import platformdirs
import torch
from torch import nn

from llmstep.engine import bare, eight_bits, int8
from llmstep.engine.compiled.weights import TiledWeight, empty_tiles, tiled
from llmstep.engine.files import weight_paths
from llmstep.engine.kernel_order import Orders, bytes_of
from llmstep.engine.loaded import LoadedModel, Plan
from llmstep.engine.network import is_plain, plain_network
from llmstep.engine.plain_tokenizer import restore, take_down
from llmstep.engine.tensor_file import TensorFile
from llmstep.engine.tokenizer import read_tokenizer
from llmstep.errors import ModelLoadError
from llmstep.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from llmstep.engine.device import Placement
    from llmstep.engine.int8 import Quantized
    from llmstep.engine.linear import Linear, Make

FORMAT = 3
"""Goes up when the contents of a packed file change their meaning."""

_FACTS = "llmstep"
_LARGE = 1 << 20
"""Bytes of embeddings; other tensors that belong to no product are smaller."""
_KEPT = ("end_ids", "pad_id", "start_id", "positions")


def path_for(name: str, folder: Path, adapter: Path | None = None) -> Path:
    """Where the packed form of a model is or would be; another one when the model's files change.

    And on another kind of processor, whose kernels want weights in another order; oneDNN's depends on torch, too.
    """
    order = "tiles" if eight_bits.kernel() == "tiles" else f"{torch.__version__}\0{Orders().description()}"
    digest = hashlib.sha256(f"{FORMAT}\0{order}\0".encode())
    digest.update((folder / "config.json").read_bytes())
    for path in (*weight_paths(folder), *(weight_paths(adapter) if adapter else ())):
        status = path.stat()
        # In the hub's cache the name of the file behind the link is the hash of its contents.
        digest.update(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    short = re.sub(r"[^\w.-]+", "-", name).strip("-")[-60:]
    return platformdirs.user_cache_path("llmstep") / "packed" / f"{short}-{digest.hexdigest()[:16]}.safetensors"


def find(name: str, folder: Path, adapter: Path | None, placement: Placement) -> Plan | None:
    """The plan of a model that is there in packed form; None where it is not, or is damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, ModelLoadError):
        return attrs.evolve(plan_of(path_for(name, folder, adapter), name, placement), folder=folder, adapter=adapter)
    return None


def plan_of(path: Path, name: str, placement: Placement) -> Plan:
    """The plan of a packed file.

    Raises:
        OSError: There is no such file.
        ValueError, KeyError: It is damaged, or something else.
    """
    with _opened(path) as file:
        facts = json.loads(file.metadata[_FACTS])
    return Plan(
        name=name,
        folder=path.parent,
        config=bare.tree(facts["config"], {}, ()).config,
        family="causal" if facts["start_id"] is None else "seq2seq",
        placement=placement,
        parameters=facts["parameters"],
        weight_bytes=path.stat().st_size,
        trust_remote_code=False,
        packed=path,
    )


def pack(loaded: LoadedModel, path: Path) -> None:
    """Quantize a model and write it into a file.

    Args:
        loaded: With a module of transformers, in any format.

    Raises:
        ModelLoadError: The CPU or the architecture cannot do it.
    """
    plan, model = loaded.plan, loaded.model
    kernel = eight_bits.kernel()
    if kernel is None:
        raise _impossible(f"This processor has no exact products of bytes, which {plan.name} needs in int8.")
    tensors: dict[str, torch.Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def collect(name: str, modules: Sequence[Any]) -> Linear:
        quantized = eight_bits.quantize(name, modules)
        shapes[name] = tuple(quantized.matrix.shape)
        parts = _in_tiles(quantized) if kernel == "tiles" else _in_order(quantized)
        tensors.update({f"{part}.{name}": tensor for part, tensor in parts.items()})
        return lambda x: x

    if not is_plain(model, loaded.start_id):
        raise _impossible(f"The architecture of {plan.name} ({model.config.model_type}) cannot be run in int8.")
    plain_network(model, loaded.start_id, collect)
    for name, tensor in _others(model):
        tensors[f"other.{name}"] = tensor.detach().float().contiguous()
    if taken := take_down(loaded.tokenizer):
        tensors["tokenizer"] = torch.frombuffer(bytearray(taken), dtype=torch.uint8)
    facts = {
        "config": bare.read_config(model.config),
        "parameters": plan.parameters,
        "shapes": shapes,
        "kernel": kernel,
        "products": [name for name, module in model.named_modules() if isinstance(module, nn.Linear)],
        "numbers": {
            f"{name}.attention_scaling": float(module.attention_scaling)
            for name, module in model.named_modules()
            if hasattr(module, "attention_scaling")
        },
        **{name: getattr(loaded, name) for name in _KEPT},
        "end_ids": sorted(loaded.end_ids),
    }
    _save(tensors, {_FACTS: json.dumps(facts)}, path)


def load(plan: Plan) -> LoadedModel:
    """The model of a plan that `find` made.

    Raises:
        ModelLoadError: It cannot be read, or there is something wrong with the original's tokenizer.
    """
    assert plan.packed is not None
    try:
        with _opened(plan.packed) as file:
            facts = json.loads(file.metadata[_FACTS])

            others = {name: _other(file, f"other.{name}") for name in file.names("other.")}
            model = bare.tree(facts["config"], {**others, **facts["numbers"]}, facts["products"])
            start = facts["start_id"]
            network = (
                eight_bits.compiled_network(model, start, _taking_tiles(file, facts["shapes"]))
                if facts["kernel"] == "tiles"
                else plain_network(model, start, _taking_ordered(file, facts["shapes"]))
            )
            taken = file.read("tokenizer").numpy().tobytes() if "tokenizer" in file else None
    except (OSError, ValueError, KeyError) as error:
        raise ModelLoadError(
            f"The packed form of {plan.name} in {plan.packed} cannot be read ({error}).",
            hint="Delete that file: it is made anew from the model.",
        ) from error
    tokenizer = restore(taken) if taken else read_tokenizer(plan.tokenizer_folder, plan.name)
    kept = {name: facts[name] for name in _KEPT}
    kept["end_ids"] = frozenset(kept["end_ids"])
    return LoadedModel(plan=plan, model=model, tokenizer=tokenizer, network=network, **kept)


def _other(file: TensorFile, name: str) -> torch.Tensor:
    """What belongs to no product. Of embeddings a request needs few rows, so that they stay in the file."""
    return file.mapped(name) if file.size(name) >= _LARGE else file.read(name)


def _in_tiles(quantized: Quantized) -> dict[str, torch.Tensor]:
    """What a weight of the compiled kernel is read from."""
    weight = tiled(quantized)
    return {"matrix": weight.matrix, "sums": weight.sums, "scales": weight.scales, "bias": weight.bias}


def _taking_tiles(file: TensorFile, shapes: dict[str, list[int]]) -> Callable[[str, Sequence[Any]], TiledWeight]:
    def take(name: str, _modules: Sequence[Any]) -> TiledWeight:
        outputs, inputs = shapes[name]
        matrix = empty_tiles(outputs, inputs)
        file.read_into(f"matrix.{name}", memoryview(matrix.view(-1).view(torch.uint8).numpy()))
        sums, scales, bias = (file.read(f"{part}.{name}") for part in ("sums", "scales", "bias"))
        return TiledWeight(outputs, inputs, matrix, sums, scales, bias)

    return take


def _in_order(quantized: Quantized) -> dict[str, torch.Tensor]:
    """What a weight of oneDNN's kernel is read from."""
    parts = {"matrix": bytes_of(int8.in_order(quantized.matrix)), "scales": quantized.scales}
    return parts if quantized.bias is None else {**parts, "bias": quantized.bias}


def _taking_ordered(file: TensorFile, shapes: dict[str, list[int]]) -> Make:
    orders = Orders()

    def take(name: str, _modules: Sequence[Any]) -> Linear:
        weight, memory = orders.empty(*shapes[name])
        file.read_into(f"matrix.{name}", memory)
        bias = file.read(f"bias.{name}") if f"bias.{name}" in file else None
        return int8.ordered_product(weight, file.read(f"scales.{name}"), bias)

    return take


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TensorFile]:
    """
    Raises:
        OSError: There is no such file.
        ValueError: It is damaged.
    """
    with path.open("rb", buffering=0) as file:
        yield TensorFile(file, path.stat().st_size)


def _save(tensors: dict[str, torch.Tensor], metadata: dict[str, str], path: Path) -> None:
    from safetensors.torch import save_file

    with whole_file(path) as part:
        save_file(tensors, part, metadata)


def _others(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters that belong to no product, each once, and the frequencies of rotary embeddings."""
    seen: set[int] = set()
    for holder, module in model.named_modules():
        if isinstance(module, nn.Linear):
            continue
        for name, parameter in module.named_parameters(holder, recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter
        if hasattr(module, "inv_freq"):
            yield f"{holder}.inv_freq", module.inv_freq


def _impossible(message: str) -> ModelLoadError:
    return ModelLoadError(message, hint="Set llmstep.dtype to float32 or bfloat16.")
