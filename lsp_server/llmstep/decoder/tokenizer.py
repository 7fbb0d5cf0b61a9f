"""Tokenizers: those of a `tokenizer.json`, which the library tokenizers reads, and ByT5's, whose tokens are bytes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmstep.decoder.config import BYTE_TOKENIZERS, TOKENIZER, TOKENIZER_CONFIG, read_json
from llmstep.decoder.interface import DamagedError

_SPECIAL_BYTES = 3
"""ByT5's tokens for padding, end and unknown; the bytes follow."""
_BYTES_END = 259


class JsonTokenizer:
    """A tokenizer of the library tokenizers.

    Args:
        inner: `tokenizers.Tokenizer`
        ids: Ids of `bos`, `eos` and `pad`.
        begins: Whether a text with its special tokens begins with `bos`; None leaves it to `inner`.
    """

    def __init__(self, inner: Any, ids: Mapping[str, int | None], begins: bool | None = None) -> None:
        self._inner, self._begins = inner, begins
        self.bos_token_id, self.eos_token_id, self.pad_token_id = ids["bos"], ids["eos"], ids["pad"]

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        ids = list(self._inner.encode(text, add_special_tokens=add_special_tokens).ids)
        bos = self.bos_token_id
        if add_special_tokens and self._begins is not None and bos is not None and self._begins != (ids[:1] == [bos]):
            ids = [bos, *ids] if self._begins else ids[1:]
        return {"input_ids": ids}

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False, **_: Any) -> str:
        """The text; blanks are never cleaned up, which llmstep never asks for."""
        return str(self._inner.decode(list(token_ids), skip_special_tokens=skip_special_tokens))


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

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False, **_: Any) -> str:
        """The text; bytes that are no UTF-8 are left out, and tokens beyond the bytes begin anew."""
        parts = bytearray()
        for number in token_ids:
            if number not in self._named:
                parts.append((number - _SPECIAL_BYTES) % 256)
            elif not skip_special_tokens:
                parts += self._named[number].encode()
        return parts.decode("utf-8", errors="ignore")


def read(folder: Path, end_ids: Collection[int] = ()) -> JsonTokenizer | ByteTokenizer:
    """The tokenizer in a folder.

    Args:
        end_ids: Tokens that end a text by the model's configuration, for tokenizers that do not say.

    Raises:
        DamagedError: It is missing or broken.
    """
    settings = read_json(folder / TOKENIZER_CONFIG) or {}
    named = {**(read_json(folder / "special_tokens_map.json") or {}), **settings}
    names = {short: _text(named.get(f"{short}_token")) for short in ("bos", "eos", "pad")}
    if settings.get("tokenizer_class") in BYTE_TOKENIZERS:
        return _bytes(settings, names)
    from tokenizers import Tokenizer as Inner

    try:
        inner = Inner.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the library raises nothing more special
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise DamagedError(
            f"The tokenizer in {folder} is missing or broken ({line}).",
            "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights.",
        ) from error
    if not inner.get_vocab_size():
        raise DamagedError(f"The tokenizer in {folder} is empty.", "Get the model's files again.")
    inner.no_truncation()
    inner.no_padding()
    ids = {short: None if name is None else inner.token_to_id(name) for short, name in names.items()}
    if ids["eos"] is None and end_ids:
        ids["eos"] = min(end_ids)
    begins = settings.get("add_bos_token")
    return JsonTokenizer(inner, ids, begins if isinstance(begins, bool) else None)


def _bytes(settings: Mapping[str, Any], names: Mapping[str, str | None]) -> ByteTokenizer:
    written = settings.get("added_tokens_decoder")
    if isinstance(written, dict) and written:
        named = {
            int(number): (str(token["content"]), bool(token.get("lstrip")), bool(token.get("rstrip")))
            for number, token in written.items()
        }
    else:
        plain = {number: (name, True, True) for number, name in enumerate(("<pad>", "</s>", "<unk>"))}
        extra = range(int(settings.get("extra_ids", 125)))
        named = {**plain, **{_BYTES_END + number: (f"<extra_id_{number}>", False, False) for number in extra}}
    by_name = {name: number for number, (name, _, _) in named.items()}
    usual = {"bos": None, "eos": "</s>", "pad": "<pad>"}
    return ByteTokenizer(named, {short: by_name.get(name or usual[short] or "") for short, name in names.items()})


def _text(token: Any) -> str | None:
    """A special token as configurations write it: its text, or an object with it."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None
