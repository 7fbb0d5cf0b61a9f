"""The starter model without transformers, whose import alone takes longer than the starter needs for an answer.

The starter is a GPT-NeoX whose files come with the package, so that nothing of what may be strange about a downloaded
model has to be expected. Its weights stand in objects with the names that the modules of transformers have.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from llmstep.catalog.store import STARTER_DIR
from llmstep.engine.causal import CausalNetwork
from llmstep.engine.loaded import LoadedModel, Plan

if TYPE_CHECKING:
    from llmstep.engine.device import Placement


@attrs.frozen
class Config:
    """What the configuration says about the layers, under the names of transformers."""

    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    intermediate_size: int
    hidden_act: str
    layer_norm_eps: float
    use_parallel_residual: bool
    max_position_embeddings: int
    rope_theta: float
    rotary_share: float
    model_type: str = "gpt_neox"

    @property
    def rotary(self) -> int:
        """Numbers of a head that are rotated."""
        return int(self.hidden_size // self.num_attention_heads * self.rotary_share)


def suits(placement: Placement) -> bool:
    """Whether the starter can be run here as it is to be run."""
    return placement.device == "cpu" and placement.dtype == "float32"


def inspect(name: str, placement: Placement) -> Plan:
    """The starter's plan; nothing has to be looked for."""
    raw = json.loads((STARTER_DIR / "config.json").read_text("utf-8"))
    rope = raw["rope_parameters"]
    names = [field.name for field in attrs.fields(Config) if field.name in raw]
    config = Config(
        **{key: raw[key] for key in names},
        rope_theta=rope["rope_theta"],
        rotary_share=rope["partial_rotary_factor"],
    )
    wide, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    # Weights and biases of four products, and two norms, a layer; embeddings, tied to the head; the last norm.
    layer = 4 * wide * wide + 4 * wide + 2 * wide * inner + inner + wide + 4 * wide
    parameters = layers * layer + config.vocab_size * wide + 2 * wide
    return Plan(
        name=name,
        folder=STARTER_DIR,
        config=config,
        family="causal",
        placement=placement,
        parameters=parameters,
        weight_bytes=4 * parameters,
        trust_remote_code=False,
    )


def load(plan: Plan) -> LoadedModel:
    """Read the starter's weights and tokenizer."""
    config: Config = plan.config
    root: Any = _Part()
    for name, tensor in load_file(STARTER_DIR / "model.safetensors").items():
        _put(root, name.split("."), tensor.float())
    base = root.gpt_neox
    base.layers = [base.layers.children[str(number)] for number in range(config.num_hidden_layers)]
    base.rotary_emb = _rotary(config)
    for layer in base.layers:
        layer.attention.rotary_ndims = config.rotary
        layer.input_layernorm.eps = layer.post_attention_layernorm.eps = config.layer_norm_eps
    base.final_layer_norm.eps = config.layer_norm_eps
    root.lm_head = _Part()
    root.lm_head.weight = base.embed_in.weight
    root.config = config
    tokenizer = LightTokenizer()
    return LoadedModel(
        plan=plan,
        model=root,
        tokenizer=tokenizer,
        end_ids=frozenset({tokenizer.eos_token_id}),
        pad_id=tokenizer.eos_token_id,
        start_id=None,
        positions=config.max_position_embeddings,
        network=CausalNetwork(root),
    )


class LightTokenizer:
    """The starter's tokenizer, as much of it as llmstep uses."""

    def __init__(self) -> None:
        self._inner = Tokenizer.from_file(str(STARTER_DIR / "tokenizer.json"))
        settings = json.loads((STARTER_DIR / "tokenizer_config.json").read_text("utf-8"))
        self.bos_token_id: int | None = None
        self.eos_token_id = int(self._inner.token_to_id(settings["eos_token"]) or 0)
        self.pad_token_id = self.eos_token_id

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": self._inner.encode(text, add_special_tokens=add_special_tokens).ids}

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str:
        """The text; blanks are never cleaned up, as the starter's settings say."""
        return str(self._inner.decode(token_ids, skip_special_tokens=skip_special_tokens))


class _Part:
    """An object with tensors and parts under their names; a product or norm without a bias has None there."""

    bias: Any = None

    def __init__(self) -> None:
        self.children: dict[str, _Part] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("children", {}):
            return self.children[name]
        raise AttributeError(name)


def _put(part: _Part, path: list[str], tensor: torch.Tensor) -> None:
    for name in path[:-1]:
        part = part.children.setdefault(name, _Part())
    setattr(part, path[-1], tensor)


def _rotary(config: Config) -> Any:
    """What the rotary module of transformers computes: cosine and sine, [1, positions, rotary] each."""
    powers = torch.arange(0, config.rotary, 2, dtype=torch.float32) / config.rotary
    frequencies = 1.0 / config.rope_theta**powers

    def rotary(_: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        angles = positions[..., None].float() * frequencies
        angles = torch.cat((angles, angles), -1)
        return angles.cos(), angles.sin()

    return rotary
