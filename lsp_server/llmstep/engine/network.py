"""What decoding wants from a model: read a prompt once, then go on by one token for each of several samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.linear import Make
    from llmstep.engine.prompt import EncodedPrompt


class Network(Protocol):
    """A model with the keys and values of one prompt and of the samples behind it.

    The samples are rows 0 to n-1. All have the same length, so that nothing is padded or masked. Tokens and logits are
    tensors of torch, or arrays of numpy for the starter.
    """

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> Any:
        """Read a prompt at batch 1, for `rows` samples of at most `longest` tokens.

        What the last prompt and this one have in common is not computed again: for a causal model the tokens at which
        both begin, for an encoder-decoder model the encoder's side when the input is the same.

        Args:
            prompt: For an encoder-decoder model, with the ids that the decoder starts with.
            rows: Samples that will go on behind it.
            longest: Most tokens of each.
            poll: Called between parts of the work; may raise to end it.

        Returns:
            Logits of the first token, float32, shape [1, vocabulary].
        """

    def step(self, tokens: Any) -> Any:
        """Logits behind one more token for each row: int64 of shape [rows] in, float32 [rows, vocabulary] out."""

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        """Keep `left` rows, after rows have been moved, each (from, to), into the places of others."""

    def forget(self) -> None:
        """Give up the keys and values of the last prompt."""


def network_for(model: Any, start_id: int | None, make: Make | None = None) -> Network | None:
    """The network of plain tensor operations for a model; None where `generate` runs it.

    Args:
        model: A module of transformers.
        start_id: First token of the decoder; None for causal models.
        make: Makes the products of a model's weights, from their name and the weight; None leaves them as they are.
    """
    import torch

    from llmstep.engine.linear import in_place

    if not is_plain(model, start_id) or (make is None and model.dtype != torch.float32):
        return None
    return plain_network(model, start_id, make or in_place)


def is_plain(model: Any, start_id: int | None) -> bool:
    """Whether a model can be run as plain tensor operations, with weights in whatever format."""
    from llmstep.engine import causal, t5

    if not type(model).__module__.startswith("transformers.models.") or model.device.type != "cpu":
        return False
    return causal.knows(model) if start_id is None else t5.knows(model)


def plain_network(model: Any, start_id: int | None, make: Make) -> Network:
    """The network of plain tensor operations for a model that is known to have one; its modules may be bare ones."""
    from llmstep.engine import causal, t5

    return causal.CausalNetwork(model, make) if start_id is None else t5.T5Network(model, start_id, make)


def plain_architectures() -> frozenset[str]:
    """The architectures (`model_type`) that have a network of plain tensor operations, the only ones for int8."""
    from llmstep.engine import causal, t5

    return causal.ARCHITECTURES | t5.ARCHITECTURES


def common_length(first: list[int], second: list[int]) -> int:
    """Number of tokens at which two texts begin alike."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
