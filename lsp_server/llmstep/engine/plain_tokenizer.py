"""Tokenizers without transformers, whose import takes longer than many models to load.

Two kinds are known: those of a `tokenizer.json`, which transformers, too, leaves to the library tokenizers, and ByT5's,
whose tokens are bytes. What a tokenizer of transformers does is taken down in bytes that are restored here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmstep.engine.prompt import Tokenizer

_SAMPLES = (
    "n m : ℕ\nh₁ : 0 < n\n⊢ n * m ≤ m * n",
    "[GOAL]p q : Prop\n⊢ p ∧ q → q ∧ p[PROOFSTEP]  exact fun ⟨hp, hq⟩ ↦",
    " simp [Nat.add_comm] <;> omega\n\n  · 𝔸",
)
"""Texts on which a restored tokenizer has to do what the original does."""
_SPECIAL_BYTES = 3
"""ByT5's tokens for padding, end and unknown; the bytes follow."""


class JsonTokenizer:
    """A tokenizer of the library tokenizers.

    Args:
        inner: `tokenizers.Tokenizer`
        ids: Ids of `bos`, `eos` and `pad`.
    """

    def __init__(self, inner: Any, ids: Mapping[str, int | None]) -> None:
        self._inner = inner
        self.bos_token_id, self.eos_token_id, self.pad_token_id = ids["bos"], ids["eos"], ids["pad"]

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": self._inner.encode(text, add_special_tokens=add_special_tokens).ids}

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str:
        """The text; blanks are never cleaned up, which llmstep never asks for."""
        return str(self._inner.decode(token_ids, skip_special_tokens=skip_special_tokens))


class ByteTokenizer:
    """ByT5's tokenizer: a byte is a token, behind padding, end and unknown.

    Args:
        named: Texts of the tokens that are no bytes, and whether blanks before and behind them are left out.
        ids: Ids of `bos`, `eos` and `pad`.
    """

    def __init__(self, named: Mapping[int, tuple[str, bool, bool]], ids: Mapping[str, int | None]) -> None:
        self._named = {number: name for number, (name, _, _) in named.items()}
        self._by_name = {name: number for number, name in self._named.items()}
        longest_first = sorted(named.values(), key=lambda each: -len(each[0]))
        blanks = {False: "", True: r"\s*"}
        marks = (blanks[before] + re.escape(name) + blanks[behind] for name, before, behind in longest_first)
        self._marks = re.compile("(" + "|".join(marks) + ")")
        self.bos_token_id, self.eos_token_id, self.pad_token_id = ids["bos"], ids["eos"], ids["pad"]

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        ids: list[int] = []
        for place, part in enumerate(self._marks.split(text)):
            ids += [self._by_name[part.strip()]] if place % 2 else [byte + _SPECIAL_BYTES for byte in part.encode()]
        if add_special_tokens and self.eos_token_id is not None:
            ids.append(self.eos_token_id)
        return {"input_ids": ids}

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str:
        """The text; bytes that are no UTF-8 are left out, and tokens beyond the bytes begin anew."""
        parts = bytearray()
        for number in token_ids:
            if number not in self._named:
                parts.append((number - _SPECIAL_BYTES) % 256)
            elif not skip_special_tokens:
                parts += self._named[number].encode()
        return parts.decode("utf-8", errors="ignore")


def take_down(tokenizer: Any) -> bytes | None:
    """A tokenizer of transformers for `restore`; None when it is of a kind that is not known here.

    That the restored one does what the original does is tried on a few texts.
    """
    ids = {name: getattr(tokenizer, f"{name}_token_id", None) for name in ("bos", "eos", "pad")}
    inner = getattr(tokenizer, "backend_tokenizer", None)
    if inner is not None:
        notes: dict[str, Any] = {"ids": ids, "json": inner.to_str()}
    elif type(tokenizer).__name__ == "ByT5Tokenizer":
        tokens = tokenizer.added_tokens_decoder.items()
        named = {number: (token.content, token.lstrip, token.rstrip) for number, token in tokens}
        notes = {"ids": ids, "named": named}
    else:
        return None
    taken = json.dumps(notes).encode()
    return taken if _same(tokenizer, restore(taken), _SAMPLES) else None


def restore(taken: bytes) -> Tokenizer:
    """The tokenizer that `take_down` took down."""
    notes = json.loads(taken)
    if "named" in notes:
        return ByteTokenizer({int(number): name for number, name in notes["named"].items()}, notes["ids"])
    from tokenizers import Tokenizer as Inner

    return JsonTokenizer(Inner.from_str(notes["json"]), notes["ids"])


def _same(one: Tokenizer, other: Tokenizer, texts: Sequence[str]) -> bool:
    for text in texts:
        for special in (False, True):
            ids = [list(each(text, add_special_tokens=special)["input_ids"]) for each in (one, other)]
            back = [
                each.decode(ids[0], skip_special_tokens=not special, clean_up_tokenization_spaces=False)
                for each in (one, other)
            ]
            if ids[0] != ids[1] or back[0] != back[1]:
                return False
    return True
