"""T5 and ByT5 as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine.causal_parts import Norm
from llmstep.engine.compiled import program as p
from llmstep.engine.compiled.builder import Builder
from llmstep.engine.compiled.caches import OwnCache, PromptCache
from llmstep.engine.compiled.network import CompiledNetwork
from llmstep.engine.compiled.parts import Angles, Heads
from llmstep.engine.compiled.rowwise import ACTIVATIONS
from llmstep.engine.compiled.runner import Runner
from llmstep.engine.t5 import block_of, distances_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.engine.compiled.weights import TiledWeight
    from llmstep.engine.distances import Distances
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.engine.t5 import FeedForward

_NOT_ROTATED = Angles()


class CompiledT5(CompiledNetwork):
    """An encoder-decoder model in eight bits; a `Network`.

    Args:
        model: The module, of which everything but the products is used.
        start_id: First token of the decoder.
        take: Gives the weight of several `nn.Linear` with the same input, by a name.
    """

    def __init__(self, model: Any, start_id: int, take: Callable[[str, Sequence[Any]], TiledWeight]) -> None:
        config = model.config
        self._start_id = start_id
        self._embed = model.shared.weight
        self._gated, self._act = config.is_gated_act, ACTIVATIONS[config.dense_act_fn]
        self._epsilon = config.layer_norm_epsilon
        encoder, decoder = model.encoder.block, model.decoder.block
        self._encoder = [block_of(block, f"encoder.{i}.", take, self._gated) for i, block in enumerate(encoder)]
        self._decoder = [block_of(block, f"decoder.{i}.", take, self._gated) for i, block in enumerate(decoder)]
        attentions = [block.layer[1].EncDecAttention for block in decoder]
        # Keys and values of all the decoder's layers in one product, [layers x 2 x heads x width].
        cross: TiledWeight = take("cross", [part for each in attentions for part in (each.k, each.v)])
        head: TiledWeight = take("head", [model.lm_head])
        self._encoder_bias, self._decoder_bias = distances_of(model)
        program = p.Program()
        heads, width = config.num_heads, config.d_kv
        inner = heads * width
        blocks = (*self._encoder, *self._decoder)
        widest = max(cross.outputs, *(block.feed_forward.inner.outputs for block in blocks))
        write = Builder(program, config.d_model, widest, inner, head.outputs)
        self._self = Heads(heads, heads, width, (0, width), (inner, width), (2 * inner, width))
        self._runner = Runner(program, write)
        layers = len(self._decoder)
        self._input = PromptCache(program, 1, heads, width, p.INPUT_ROOM, p.INPUT)
        self._cross = PromptCache(program, layers, heads, width, p.CROSS_ROOM, p.CROSS)
        self._prefix = PromptCache(program, layers, heads, width, p.ROOM, p.LENGTH)
        self._own = OwnCache(program, layers, heads, width, p.MOST, p.LONGEST, p.OWN)
        self._biases = [program.memory(torch.empty(0)) for _ in range(2)]
        scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
        final = Norm(model.encoder.final_layer_norm.weight, None, self._epsilon)
        last = Norm(model.decoder.final_layer_norm.weight * scale, None, self._epsilon)
        self._write_encoder(write, final, cross)
        self._prefix_parts = [self._write_decoder(write, number, rows=False) for number in range(layers)]
        start = len(program)
        for number in range(layers):
            self._write_decoder(write, number, rows=True)
        self._head_part = len(program)
        write.norm(last)
        write.product(head, "logits")
        self._step_part = start, len(program)
        self._vocabulary = head.outputs
        self.forget()

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        runner, state = self._runner, self._runner.program.state
        if prompt.input_ids != self._ids:
            self._ids = []
            self._encode(torch.tensor(prompt.input_ids), poll)
            self._ids = prompt.input_ids
        poll()
        ids = torch.tensor([self._start_id, *prompt.decoder_ids])
        runner.begin(len(ids), rows)
        self._prefix.reserve(len(ids))
        self._reach(1, self._decoder_bias, p.REACH, len(ids) + longest)
        runner.embed(self._embed, ids)
        state[p.START], state[p.LENGTH] = 0, len(ids)
        for part in self._prefix_parts:
            poll()
            runner.run(*part)
        self._own.begin(rows, longest)
        return runner.logits_of_last(self._head_part, self._vocabulary)

    def _encode(self, ids: torch.Tensor, poll: Callable[[], None]) -> None:
        runner = self._runner
        runner.begin(len(ids), 1)
        self._input.reserve(len(ids))
        self._cross.reserve(len(ids))
        self._reach(0, self._encoder_bias, p.INPUT_REACH, len(ids))
        state = runner.program.state
        state[p.START], state[p.INPUT], state[p.CROSS] = 0, len(ids), len(ids)
        runner.embed(self._embed, ids)
        for part in self._encoder_parts:
            poll()
            runner.run(*part)

    def _reach(self, number: int, distances: Distances, state: int, reach: int) -> None:
        if reach > self._runner.program.state[state]:
            table, self._runner.program.state[state] = distances.table(reach)
            self._runner.program.replace(self._biases[number], table)

    def _write_encoder(self, write: Builder, final: Norm, cross: TiledWeight) -> None:
        program, cache = write.program, self._input.layers[0]
        self._encoder_parts = []
        for block in self._encoder:
            start = len(program)
            write.norm(Norm(block.attention.norm, None, self._epsilon))
            write.product(block.attention.query_key_value, "wide")
            write.store(self._self, cache, _NOT_ROTATED)
            write.attend(self._self, cache, _NOT_ROTATED, causal=False, biases=self._biases[0], reach=p.INPUT_REACH)
            self._write_out(write, block.attention.out)
            self._write_feed_forward(write, block.feed_forward)
            self._encoder_parts.append((start, len(program)))
        start = len(program)
        write.norm(final)
        write.product(cross, "wide")
        heads, width = self._self.heads, self._self.width
        inner = heads * width
        for number, layer in enumerate(self._cross.layers):
            place = 2 * inner * number
            write.store(Heads(heads, heads, width, (0, 0), (place, width), (place + inner, width)), layer, _NOT_ROTATED)
        self._encoder_parts.append((start, len(program)))

    def _write_decoder(self, write: Builder, number: int, *, rows: bool) -> tuple[int, int]:
        block = self._decoder[number]
        start = len(write.program)
        cache = self._prefix.layers[number]
        write.norm(Norm(block.attention.norm, None, self._epsilon))
        write.product(block.attention.query_key_value, "wide")
        if rows:
            write.attend_rows(self._self, cache, self._own.layers[number], _NOT_ROTATED, self._biases[1])
        else:
            write.store(self._self, cache, _NOT_ROTATED)
            write.attend(self._self, cache, _NOT_ROTATED, causal=True, biases=self._biases[1], reach=p.REACH)
        self._write_out(write, block.attention.out)
        assert block.cross is not None
        write.norm(Norm(block.cross.norm, None, self._epsilon))
        write.product(block.cross.query, "wide")
        write.attend(self._self, self._cross.layers[number], _NOT_ROTATED, causal=False)
        self._write_out(write, block.cross.out)
        self._write_feed_forward(write, block.feed_forward)
        return start, len(write.program)

    def _write_out(self, write: Builder, weight: TiledWeight) -> None:
        write.quantize("attended", weight.inputs)
        write.product(weight, "hidden")

    def _write_feed_forward(self, write: Builder, part: FeedForward[TiledWeight]) -> None:
        write.norm(Norm(part.norm, None, self._epsilon))
        write.product(part.inner, "wide")
        write.quantize("wide", part.out.inputs, activation=self._act, gated=self._gated)
        write.product(part.out, "hidden")
