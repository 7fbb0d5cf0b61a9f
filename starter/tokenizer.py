"""A small byte-level BPE for goals and tactics.

Identifiers are pieces of their own and everything between two identifiers is one piece. So a name has the same
tokens wherever it stands, which makes it easy to copy, while common glue (`` → ``, `` : ``, ``⟩ := ``, a line break
with the turnstile) costs one token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

END = "<|endoftext|>"
MARKS = ("[GOAL]", "[PROOFSTEP]")
_IDENTIFIER = r"[\p{L}_][\p{L}\p{N}_'!?]*|\p{N}|[^\p{L}\p{N}_]+"


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A ``PreTrainedTokenizerFast`` of at most ``vocabulary`` tokens, with the end token as eos and padding."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_IDENTIFIER), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(MARKS),
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=24,
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END,
        pad_token=END,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
