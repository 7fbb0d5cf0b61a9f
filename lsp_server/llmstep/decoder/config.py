"""What a model's small files say: config.json, in both the old and the new names of transformers, and the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmstep.decoder.interface import AGAIN, DamagedError

ROTARY = frozenset({"default", "linear", "llama3", "yarn"})
"""Rotary embeddings that do not depend on the length of the text."""
GELU, GELU_TANH, RELU, SILU = range(1, 5)
ACTIVATIONS = {
    "gelu": GELU,
    "gelu_new": GELU_TANH,
    "gelu_fast": GELU_TANH,
    "gelu_pytorch_tanh": GELU_TANH,
    "relu": RELU,
    "silu": SILU,
    "swish": SILU,
}
ARCHITECTURES = ("gpt_neox", "llama", "mistral", "qwen2", "qwen3", "t5")
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
BYTE_TOKENIZERS = frozenset({"ByT5Tokenizer"})
_PLAIN = {"peft_type": "LORA", "bias": "none"}
_WITHOUT = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "trainable_token_indices")


@dataclass(frozen=True)
class Config:
    """What the architectures have in common, and where they differ."""

    architecture: str
    vocabulary: int
    hidden: int
    layers: int
    """Of the decoder."""
    heads: int
    key_heads: int
    width: int
    """Of one head."""
    inner: int
    """Width between the two products of the MLP."""
    activation: str
    gated: bool
    """Whether half of what the MLP's first product makes is a gate for the other half."""
    epsilon: float
    positions: int | None = None
    """Most tokens, where there is a fixed limit."""
    parallel: bool = False
    """Whether attention and MLP read the same input, as in GPT-NeoX."""
    rotary: int = 0
    """Leading numbers of a head that are rotated."""
    rope: Mapping[str, Any] = field(default_factory=dict)
    encoder_layers: int = 0
    """0 for a decoder-only model."""
    max_distance: int = 0
    """In T5: distance from which on all share the last bias."""
    scaled: bool = False
    """Whether the output is multiplied by `hidden ** -0.5` before the head."""

    @property
    def neox(self) -> bool:
        return self.architecture == "gpt_neox"


def supports(config: Mapping[str, Any]) -> bool:
    """Whether models with this configuration (the contents of config.json) can be run."""
    return _why_not(config) is None


def _why_not(config: Mapping[str, Any]) -> str | None:
    """Why models with a configuration cannot be run, as a sentence; None where they can."""
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        return f"The architecture {kind!r} is not one of {', '.join(ARCHITECTURES)}."
    if config.get("quantization_config"):
        return "The weights are quantized already, in a format that is not known here."
    try:
        known = read(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        return f"The configuration lacks something or has a wrong value ({type(error).__name__}: {error})."
    if known.activation not in ACTIVATIONS:
        return f"The activation function {known.activation!r} is not known here."
    rotary = known.rope.get("rope_type") or known.rope.get("type") or "default"
    if rotary not in ROTARY:
        return f"The rotary embedding {rotary!r} is not known here."
    if known.heads % max(known.key_heads, 1):
        return "The number of heads is no multiple of that of the key heads."
    return None


def why_unsupported(folder: Path | str) -> str | None:
    """Why the model in a folder cannot be run, as a sentence; None where it can, as far as its small files say."""
    folder = Path(folder)
    try:
        config = read_json(folder / "config.json")
        if config is None:
            return f"The folder {folder} has no config.json."
        reason = _why_not(config)
        if reason is None and not ((folder / WEIGHTS).is_file() or (folder / INDEX).is_file()):
            reason = "Its weights are not there as safetensors."
        words = read_json(folder / TOKENIZER_CONFIG) or {}
        if reason is None and words.get("tokenizer_class") not in BYTE_TOKENIZERS:
            reason = None if (folder / TOKENIZER).is_file() else "Its tokenizer is not there as tokenizer.json."
    except DamagedError as error:
        return error.message
    return reason


def why_unsupported_adapter(folder: Path) -> str | None:
    """Why the LoRA adapter in a folder cannot be put into weights, as a sentence; None where it can."""
    try:
        config = read_json(folder / ADAPTER_CONFIG)
    except DamagedError as error:
        return error.message
    if config is None or not (folder / ADAPTER_WEIGHTS).is_file():
        return f"The folder {folder} has no {ADAPTER_CONFIG} or no {ADAPTER_WEIGHTS}."
    for name, known in _PLAIN.items():
        if config.get(name, known) != known:
            return f"The adapter has {name} {config[name]}, which is not known here."
    other = next((name for name in _WITHOUT if config.get(name)), None)
    return None if other is None else f"The adapter uses {other}, which is not known here."


def read(config: Mapping[str, Any]) -> Config:
    """
    Raises:
        KeyError, TypeError, ValueError: Something is missing or not what it should be.
    """
    return _t5(config) if config["model_type"] == "t5" else _causal(config)


def _causal(config: Mapping[str, Any]) -> Config:
    neox = config["model_type"] == "gpt_neox"
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    width = int((None if neox else config.get("head_dim")) or hidden // heads)
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    theta = config.get("rotary_emb_base" if neox else "rope_theta", config.get("rope_theta"))
    rope.setdefault("rope_theta", 10_000.0 if theta is None else theta)
    share = config.get("rotary_pct", 0.25) if neox else config.get("partial_rotary_factor", 1.0)
    share = float(rope.setdefault("partial_rotary_factor", share))
    positions = int(config.get("max_position_embeddings", 2048))
    rope.setdefault("original_max_position_embeddings", positions)
    rope["max_position_embeddings"] = positions
    if (window := _window(config)) is not None:
        positions = min(positions, window)
    return Config(
        architecture=config["model_type"],
        vocabulary=int(config["vocab_size"]),
        hidden=hidden,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        key_heads=heads if neox else int(config.get("num_key_value_heads") or heads),
        width=width,
        inner=int(config["intermediate_size"]),
        activation=str(config.get("hidden_act", "gelu" if neox else "silu")),
        gated=not neox,
        epsilon=float(config.get("layer_norm_eps", 1e-5) if neox else config.get("rms_norm_eps", 1e-6)),
        parallel=neox and bool(config.get("use_parallel_residual", True)),
        rotary=int(width * share) // 2 * 2,
        rope=rope,
        positions=positions if positions > 0 else None,
    )


def _window(config: Mapping[str, Any]) -> int | None:
    """Tokens that attention sees at most; texts are kept as short, since no window is made here."""
    window = config.get("sliding_window", 4096 if config["model_type"] == "mistral" else None)
    if window is None or (config["model_type"].startswith("qwen") and not config.get("use_sliding_window", False)):
        return None
    return int(window)


def _t5(config: Mapping[str, Any]) -> Config:
    gate, _, name = str(config.get("feed_forward_proj", "relu")).rpartition("-")
    gated = gate == "gated"
    layers, heads = int(config["num_layers"]), int(config["num_heads"])
    decoder_layers = config.get("num_decoder_layers")
    scaled = config.get("scale_decoder_outputs")
    return Config(
        architecture="t5",
        vocabulary=int(config["vocab_size"]),
        hidden=int(config["d_model"]),
        encoder_layers=layers,
        layers=layers if decoder_layers is None else int(decoder_layers),
        heads=heads,
        key_heads=heads,
        width=int(config["d_kv"]),
        inner=int(config["d_ff"]),
        activation="gelu_new" if gated and name == "gelu" else name,
        gated=gated,
        epsilon=float(config.get("layer_norm_epsilon", 1e-6)),
        # Only T5 1.1 says that its embeddings are not tied; newer files say by name what follows from it.
        scaled=config.get("tie_word_embeddings", True) is not False if scaled is None else bool(scaled),
        max_distance=int(config.get("relative_attention_max_distance", 128)),
    )


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is no such file.

    Raises:
        DamagedError: It is none.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise broken(path) from error
    if not isinstance(found, dict):
        raise broken(path)
    return found


def broken(path: Path) -> DamagedError:
    """The error for a file that holds no JSON object."""
    return DamagedError(f"The model file {path} is not valid JSON.", AGAIN)
