"""What the tensors of a model are called in its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstep.decoder.network import Source


@dataclass(frozen=True)
class LayerNames:
    """Those of one block of a decoder-only model."""

    attention_norm: str
    mlp_norm: str
    query_norm: str
    """Empty where there is none."""
    key_norm: str
    products: dict[str, list[str]]
    """Linear layers with the same input, by what their product is called here."""


class CausalNames:
    """Those of a decoder-only model.

    Args:
        neox: Whether it is a GPT-NeoX; the others are called as in Llama.
        source: Says what is there.
    """

    def __init__(self, neox: bool, source: Source) -> None:
        self._neox, self._source = neox, source
        base = "gpt_neox" if neox else "model"
        self._base = base
        self.embeddings = [f"{base}.embed_in.weight" if neox else f"{base}.embed_tokens.weight"]
        self.last_norm = f"{base}.final_layer_norm" if neox else f"{base}.norm"
        heads = ("embed_out", "lm_head")
        tied = self.embeddings[0].removesuffix(".weight")
        self.head = next((name for name in heads if source.has(f"{name}.weight")), tied)

    def layer(self, number: int) -> LayerNames:
        place = f"{self._base}.layers.{number}."
        if self._neox:
            return LayerNames(
                attention_norm=place + "input_layernorm",
                mlp_norm=place + "post_attention_layernorm",
                query_norm="",
                key_norm="",
                products={
                    "query_key_value": [place + "attention.query_key_value"],
                    "attention_out": [place + "attention.dense"],
                    "mlp_in": [place + "mlp.dense_h_to_4h"],
                    "mlp_out": [place + "mlp.dense_4h_to_h"],
                },
            )
        own = place + "self_attn."
        normed = self._source.has(f"{own}q_norm.weight")
        return LayerNames(
            attention_norm=place + "input_layernorm",
            mlp_norm=place + "post_attention_layernorm",
            query_norm=own + "q_norm" if normed else "",
            key_norm=own + "k_norm" if normed else "",
            products={
                "query_key_value": [own + "q_proj", own + "k_proj", own + "v_proj"],
                "attention_out": [own + "o_proj"],
                "mlp_in": [place + "mlp.gate_proj", place + "mlp.up_proj"],
                "mlp_out": [place + "mlp.down_proj"],
            },
        )
