"""The starter model without torch and transformers, whose import takes far longer than the starter needs for an answer.

The starter is a GPT-NeoX whose files come with the package, so that nothing of what may be strange about a downloaded
model has to be expected.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from llmstep.catalog.store import STARTER_DIR
from llmstep.engine.device import Placement
from llmstep.engine.light_network import LightNetwork
from llmstep.engine.loaded import LoadedModel, Plan
from llmstep.engine.plain_tokenizer import JsonTokenizer

if TYPE_CHECKING:
    from llmstep.settings import Settings

PLACEMENT = Placement("cpu", "float32")


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


def suits(settings: Settings) -> bool:
    """Whether the starter may be run so, also where there is a GPU: there it would not be faster."""
    return settings.device in ("auto", "cpu") and settings.dtype in ("auto", "fast", "float32")


def inspect(name: str) -> Plan:
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
        placement=PLACEMENT,
        parameters=parameters,
        weight_bytes=4 * parameters,
        trust_remote_code=False,
        needs_torch=False,
    )


def load(plan: Plan) -> LoadedModel:
    """Read the starter's weights and tokenizer."""
    config: Config = plan.config
    tokenizer = _tokenizer()
    return LoadedModel(
        plan=plan,
        model=None,
        tokenizer=tokenizer,
        end_ids=frozenset({tokenizer.eos_token_id or 0}),
        pad_id=tokenizer.eos_token_id or 0,
        start_id=None,
        positions=config.max_position_embeddings,
        network=LightNetwork(config, load_file(STARTER_DIR / "model.safetensors")),
    )


def _tokenizer() -> JsonTokenizer:
    inner = Tokenizer.from_file(str(STARTER_DIR / "tokenizer.json"))
    settings = json.loads((STARTER_DIR / "tokenizer_config.json").read_text("utf-8"))
    end = int(inner.token_to_id(settings["eos_token"]) or 0)
    return JsonTokenizer(inner, {"bos": None, "eos": end, "pad": end})
