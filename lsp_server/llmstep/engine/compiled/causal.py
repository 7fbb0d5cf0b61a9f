"""GPT-NeoX, Llama, Mistral, Qwen2 and Qwen3 as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine.causal_parts import base_of, embeddings_of, last_norm_of, layers_of, shape_of
from llmstep.engine.compiled import program as p
from llmstep.engine.compiled.builder import Builder
from llmstep.engine.compiled.caches import OwnCache, PromptCache
from llmstep.engine.compiled.network import CompiledNetwork
from llmstep.engine.compiled.parts import Angles, Heads
from llmstep.engine.compiled.rowwise import ACTIVATIONS
from llmstep.engine.compiled.runner import Runner
from llmstep.engine.network import common_length

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.engine.causal_parts import Layer
    from llmstep.engine.compiled.weights import TiledWeight
    from llmstep.engine.prompt import EncodedPrompt

_CHUNK = 256
"""Tokens of a prompt that are read at once; each needs a row of the memory between products."""


class CompiledCausal(CompiledNetwork):
    """A decoder-only model in eight bits; a `Network`.

    Args:
        model: The module, of which everything but the products is used.
        take: Gives the weight of several `nn.Linear` with the same input, by a name.
    """

    def __init__(self, model: Any, take: Callable[[str, Sequence[Any]], TiledWeight]) -> None:
        shape = self._shape = shape_of(model)
        self._act = ACTIVATIONS[model.config.hidden_act]
        self._embed = embeddings_of(model)
        self._layers = layers_of(model, take)
        rotary = base_of(model).rotary_emb
        self._frequencies, self._scaling = rotary.inv_freq, rotary.attention_scaling
        head: TiledWeight = take("head", [model.lm_head])
        program = p.Program()
        widest = max(max(layer.query_key_value.outputs, layer.mlp_in.outputs) for layer in self._layers)
        write = Builder(program, self._embed.shape[1], widest, shape.heads * shape.width, head.outputs)
        self._runner = Runner(program, write)
        count = len(self._layers)
        self._prompt = PromptCache(program, count, shape.key_heads, shape.width, p.ROOM, p.LENGTH)
        self._own = OwnCache(program, count, shape.key_heads, shape.width, p.MOST, p.LONGEST, p.OWN)
        none = torch.empty(0)
        self._angles = Angles(program.memory(none), program.memory(none), shape.rotary // 2)
        self._reached = 0
        self._prompt_parts = [self._write(write, number, rows=False) for number in range(count)]
        start = len(program)
        for number in range(count):
            self._write(write, number, rows=True)
        self._head_part = len(program)
        write.norm(last_norm_of(model))
        write.product(head, "logits")
        self._step_part = start, len(program)
        self._vocabulary = head.outputs
        self.forget()

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        runner, state, ids = self._runner, self._runner.program.state, prompt.input_ids
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        runner.begin(min(len(ids) - known, _CHUNK), rows)
        self._prompt.reserve(len(ids), known)
        self._reach(len(ids) + longest)
        for start in range(known, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            runner.embed(self._embed, torch.tensor(chunk))
            state[p.START], state[p.LENGTH] = start, start + len(chunk)
            for part in self._prompt_parts:
                poll()
                runner.run(*part)
            self._ids = ids[: start + len(chunk)]
        self._own.begin(rows, longest)
        return runner.logits_of_last(self._head_part, self._vocabulary)

    def _write(self, write: Builder, number: int, *, rows: bool) -> tuple[int, int]:
        """One layer."""
        layer = self._layers[number]
        heads, cache = self._heads(layer), self._prompt.layers[number]
        start = len(write.program)
        write.norm(layer.attention_norm)
        write.product(layer.query_key_value, "wide")
        if rows:
            write.attend_rows(heads, cache, self._own.layers[number], self._angles)
        else:
            write.store(heads, cache, self._angles)
            write.attend(heads, cache, self._angles, causal=True)
        if self._shape.parallel:  # the MLP reads what the attention has not been added to
            write.norm(layer.mlp_norm, into=write.kept)
        write.quantize("attended", layer.attention_out.inputs)
        write.product(layer.attention_out, "hidden")
        if not self._shape.parallel:
            write.norm(layer.mlp_norm)
        write.product(layer.mlp_in, "wide", read=write.kept if self._shape.parallel else None)
        write.quantize("wide", layer.mlp_out.inputs, activation=self._act, gated=self._shape.gated)
        write.product(layer.mlp_out, "hidden")
        return start, len(write.program)

    def _heads(self, layer: Layer[TiledWeight]) -> Heads:
        shape = self._shape
        width = shape.width
        if shape.interleaved:
            places = ((0, 3 * width), (width, 3 * width), (2 * width, 3 * width))
        else:
            keys = shape.heads * width
            places = ((0, width), (keys, width), (keys + shape.key_heads * width, width))
        return Heads(shape.heads, shape.key_heads, width, *places, width**-0.5, layer.query_norm, layer.key_norm)

    def _reach(self, positions: int) -> None:
        """Have rotations for so many positions, [positions, half]."""
        if positions <= self._reached:
            return
        self._reached = max(positions, 2 * self._reached)
        angles = torch.arange(self._reached, dtype=torch.float32)[:, None] * self._frequencies
        program = self._runner.program
        program.replace(self._angles.cos, angles.cos() * self._scaling)
        program.replace(self._angles.sin, angles.sin() * self._scaling)
