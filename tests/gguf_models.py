"""The starter as a GGUF file, written as llama.cpp's own converter would."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from llmstep.catalog.store import STARTER_DIR

if TYPE_CHECKING:
    from pathlib import Path

_MIXED = re.compile(r"[^\W\d₀-₉][\d₀-₉]")


def starter_gguf(path: Path, context: int = 2048, chat: str = "") -> Path:
    """`path`, with the starter in it, and a rule for chats where one is given.

    llama.cpp wants queries, keys and values apart, where GPT-NeoX has them head by head, and names of its own. It knows
    no pre-tokenizer like the starter's: the nearest parts letters from digits, so that tokens with both, like `h₁`, are
    said to be whole.
    """
    import gguf
    import numpy as np
    from safetensors.numpy import load_file
    from tokenizers.decoders import ByteLevel

    config = json.loads((STARTER_DIR / "config.json").read_text("utf-8"))
    tokens = json.loads((STARTER_DIR / "tokenizer.json").read_text("utf-8"))
    weights = {
        name.removeprefix("gpt_neox."): each for name, each in load_file(STARTER_DIR / "model.safetensors").items()
    }
    heads, layers, width = (config[name] for name in ("num_attention_heads", "num_hidden_layers", "hidden_size"))
    writer = gguf.GGUFWriter(path, "gptneox")
    writer.add_name("starter")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_rope_dimension_count(int(config["rope_parameters"]["partial_rotary_factor"] * width / heads))
    writer.add_head_count(heads)
    writer.add_parallel_residual(config["use_parallel_residual"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    kinds = {
        each["content"]: gguf.TokenType.CONTROL if each["special"] else gguf.TokenType.USER_DEFINED
        for each in tokens["added_tokens"]
    }
    decoder = ByteLevel()
    whole = {each: text for each in tokens["model"]["vocab"] if _MIXED.search(text := decoder.decode([each]))}
    kinds |= dict.fromkeys(whole.values(), gguf.TokenType.USER_DEFINED)
    numbers = {whole.get(each, each): number for each, number in tokens["model"]["vocab"].items()}
    numbers |= {each["content"]: each["id"] for each in tokens["added_tokens"]}
    vocabulary = sorted(numbers, key=numbers.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("superbpe")
    writer.add_token_list(vocabulary)
    writer.add_token_types([kinds.get(each, gguf.TokenType.NORMAL) for each in vocabulary])
    writer.add_token_merges([" ".join(each) for each in tokens["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    if chat:
        writer.add_chat_template(chat)
    names = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "attention.query_key_value": "attn_qkv",
        "attention.dense": "attn_output",
        "mlp.dense_h_to_4h": "ffn_up",
        "mlp.dense_4h_to_h": "ffn_down",
    }
    writer.add_tensor("token_embd.weight", weights["embed_in.weight"].astype(np.float32))
    writer.add_tensor("output.weight", weights["embed_in.weight"].astype(np.float32))
    for kind in ("weight", "bias"):
        writer.add_tensor(f"output_norm.{kind}", weights[f"final_layer_norm.{kind}"].astype(np.float32))
        for layer in range(layers):
            for theirs, ours in names.items():
                tensor = weights[f"layers.{layer}.{theirs}.{kind}"].astype(np.float32)
                if ours == "attn_qkv":
                    apart = tensor.reshape(heads, 3, width // heads, -1).swapaxes(0, 1)
                    tensor = np.ascontiguousarray(apart.reshape(tensor.shape))
                writer.add_tensor(f"blk.{layer}.{ours}.{kind}", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
