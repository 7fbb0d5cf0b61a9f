"""Decoding over the modules of transformers, for every architecture that uses its cache in the usual way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from llmstep.engine.kv_cache import RoomyCache, RoomyLayer
from llmstep.engine.network import common_length
from llmstep.engine.spread import input_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.prompt import EncodedPrompt

CAUSAL = frozenset({"gpt2", "gpt_neox", "llama", "mistral", "phi", "qwen2", "qwen3"})
SEQ2SEQ = frozenset({"bart", "mt5", "t5"})
"""Architectures (`model_type`) for which the tests compare with `generate`."""

_CHUNK = 256
"""Tokens of a prompt that are read at once; between two chunks a request can be cancelled."""


def knows(model: Any) -> bool:
    """Whether a model can be decoded here: one of transformers' own, whose layers attend to all that was before."""
    if not type(model).__module__.startswith("transformers.models."):
        return False
    config = model.config
    if config.model_type not in (SEQ2SEQ if config.is_encoder_decoder else CAUSAL):
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


class CausalModules:
    """A decoder-only model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._device = input_device(model)
        self._layers = len(DynamicCache(config=model.config).layers)
        self.forget()

    def forget(self) -> None:
        self._ids: list[int] = []
        self._prompt = RoomyCache.empty(self._layers, 1)
        self._rows = self._prompt

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        ids = prompt.input_ids
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        self._prompt = self._prompt.resume(known, len(ids))
        logits = torch.empty(0)
        for start in range(known, len(ids), _CHUNK):
            poll()
            chunk = ids[start : start + _CHUNK]
            logits = self._run(torch.tensor([chunk], device=self._device), self._prompt)
            self._ids = ids[: start + len(chunk)]
        self._rows = self._prompt.spread(rows, longest)
        return logits

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._run(tokens[:, None], self._rows)

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        self._rows.drop(moves, left)

    def _run(self, ids: torch.Tensor, cache: RoomyCache) -> torch.Tensor:
        output = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits: torch.Tensor = output.logits[:, -1].to(self._device).float()
        return logits


class Seq2SeqModules:
    """An encoder-decoder model.

    Args:
        start_id: First token of the decoder.
    """

    def __init__(self, model: Any, start_id: int) -> None:
        self._model = model
        self._device = input_device(model)
        self._start_id = start_id
        self._layers = len(
            model.get_decoder().layers if hasattr(model.get_decoder(), "layers") else model.decoder.block
        )
        self.forget()

    def forget(self) -> None:
        self._ids: list[int] = []
        self._encoded = torch.empty(0)
        self._cross = RoomyCache.empty(self._layers, 1)
        self._rows = RoomyCache.empty(self._layers, 1)
        self._both: Any = None
        self._encoder_output: Any = None

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        device = self._device
        if prompt.input_ids != self._ids:
            self.forget()
            poll()
            encoder = self._model.get_encoder()
            self._encoded = encoder(input_ids=torch.tensor([prompt.input_ids], device=device)).last_hidden_state
            self._cross = RoomyCache.empty(self._layers, len(prompt.input_ids))
            self._ids = prompt.input_ids
        poll()
        own = RoomyCache.empty(self._layers, 1 + len(prompt.decoder_ids))
        self._both = EncoderDecoderCache(own, self._cross)
        self._encoder_output = BaseModelOutput(last_hidden_state=self._encoded)
        logits = self.step(torch.tensor([[self._start_id, *prompt.decoder_ids]], device=device))
        self._rows = own.spread(rows, longest)
        self._show(rows)
        return logits

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        output = self._model(
            encoder_outputs=self._encoder_output,
            decoder_input_ids=tokens if tokens.dim() == 2 else tokens[:, None],
            past_key_values=self._both,
            use_cache=True,
        )
        logits: torch.Tensor = output.logits[:, -1].to(self._device).float()
        return logits

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        self._rows.drop(moves, left)
        self._show(left)

    def _show(self, rows: int) -> None:
        """Have `rows` rows attend to the one input; nothing is copied."""
        cross = RoomyCache([_expanded(layer, rows) for layer in self._cross.layers])
        self._both = EncoderDecoderCache(self._rows, cross)
        self._encoder_output = BaseModelOutput(last_hidden_state=self._encoded.expand(rows, -1, -1))


def _expanded(layer: RoomyLayer, rows: int) -> RoomyLayer:
    """The same keys and values seen by `rows` rows."""
    view = RoomyLayer(layer.room)
    view.is_initialized = True
    view.keys = layer.keys.expand(rows, -1, -1, -1)
    view.values = layer.values.expand(rows, -1, -1, -1)
    return view
