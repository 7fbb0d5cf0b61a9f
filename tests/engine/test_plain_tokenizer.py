"""Tokenizers without transformers do what those of transformers do."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import byte_level_tokenizer
from transformers import ByT5Tokenizer

from llmstep.engine.plain_tokenizer import restore, take_down

TEXTS = (
    "",
    "⊢ p ∧ q",
    "  two blanks\n\ttab  ",
    "h₁ : ∀ ε > 0, ∃ δ > 0, |x - a| < δ → |f x - f a| < ε",
    "𝔸 [GOAL] </s> <pad> <extra_id_3>",
)


def merged() -> Any:
    return byte_level_tokenizer(TEXTS, 300, ["<pad>", "</s>", "<s>"], pad_token="<pad>", eos_token="</s>")


@pytest.fixture(params=["bytes", "json"])
def original(request: pytest.FixtureRequest) -> Any:
    return ByT5Tokenizer() if request.param == "bytes" else merged()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("special", [False, True])
def test_ids_and_back(original: Any, text: str, special: bool) -> None:
    taken = take_down(original)
    assert taken is not None
    plain = restore(taken)
    ids = list(original(text, add_special_tokens=special)["input_ids"])
    assert list(plain(text, add_special_tokens=special)["input_ids"]) == ids
    for skip in (False, True):
        told = [
            each.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False) for each in (plain, original)
        ]
        assert told[0] == told[1]


def test_the_same_special_ids(original: Any) -> None:
    plain = restore(take_down(original) or b"")
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(plain, name) == getattr(original, name)


def test_half_a_character_is_left_out() -> None:
    plain = restore(take_down(ByT5Tokenizer()) or b"")
    ids = plain("∀x", add_special_tokens=False)["input_ids"]
    assert plain.decode(ids[1:], skip_special_tokens=False, clean_up_tokenization_spaces=False) == "x"


def test_another_kind_is_left_to_transformers() -> None:
    class Other:
        eos_token_id = 1

        def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [len(text)]}

    assert take_down(Other()) is None


def test_one_that_does_something_else_is_not_taken_down() -> None:
    tokenizer = merged()
    plain_decode = tokenizer.decode
    tokenizer.decode = lambda ids, **options: plain_decode(ids, **options) + "!"
    assert take_down(tokenizer) is None
