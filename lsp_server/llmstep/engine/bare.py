"""A model's modules without transformers: the same names, with nothing in them but tensors and numbers.

The networks of llmstep take their weights from modules by name (`model.encoder.block[0].layer[0].layer_norm.weight`);
this gives them such a tree from a flat table.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONFIG = (
    "model_type",
    "vocab_size",
    "num_heads",
    "d_kv",
    "d_model",
    "is_gated_act",
    "dense_act_fn",
    "layer_norm_epsilon",
    "scale_decoder_outputs",
    "relative_attention_max_distance",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "use_parallel_residual",
    "layer_norm_eps",
    "rms_norm_eps",
)
"""What the networks read of a configuration of transformers, whose names these are."""


def read_config(config: Any) -> dict[str, Any]:
    """What of `CONFIG` a configuration has."""
    return {name: getattr(config, name) for name in CONFIG if hasattr(config, name)}


def tree(config: Mapping[str, Any], values: Mapping[str, Any], empty: Iterable[str]) -> Any:
    """The modules.

    Args:
        config: As `read_config` gives it.
        values: Tensors and numbers by their dotted names.
        empty: Names of modules that have nothing, because their weights are elsewhere.
    """
    root: dict[str, Any] = {}
    for name in empty:
        _branch(root, name.split("."))
    for name, value in values.items():
        *path, last = name.split(".")
        _branch(root, path)[last] = value
    model = _node(root)
    model.config = SimpleNamespace(**config)
    return model


def _branch(root: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for part in path:
        root = root.setdefault(part, {})
    return root


def _node(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        return [_node(value[name]) for name in sorted(value, key=int)]
    return SimpleNamespace(**{name: _node(part) for name, part in value.items()})
