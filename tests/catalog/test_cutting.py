"""Goals and texts made shorter by rule."""

from __future__ import annotations

import pytest

from llmstep.catalog.cutting import cut_goal, head, middle_out, tail

STATE = """\
case inl
α : Type u_1
f : α → ℝ
  → ℝ
hf : f = g
⊢ f x ≤
    g x

case inr
⊢ 𝔸 ∣ b

case last
⊢ True"""


def within(limit: int):
    return lambda text: len(text) <= limit


def forms() -> list[str]:
    """All distinct results of cutting STATE to every length from its own down to nothing."""
    found: list[str] = []
    for limit in range(len(STATE), -1, -1):
        cut = cut_goal(STATE, within(limit))
        if cut is not None and (not found or found[-1] != cut):
            found.append(cut)
    return found


def test_what_goes_first_and_what_last() -> None:
    main = "case inl\nα : Type u_1\nf : α → ℝ\n  → ℝ\nhf : f = g\n⊢ f x ≤\n    g x"
    assert forms()[:7] == [
        STATE,
        main + "\n\ncase inr\n⊢ 𝔸 ∣ b",
        main,
        "case inl\nf : α → ℝ\n  → ℝ\nhf : f = g\n⊢ f x ≤\n    g x",
        "case inl\nhf : f = g\n⊢ f x ≤\n    g x",
        "case inl\n⊢ f x ≤\n    g x",
        "⊢ f x ≤\n    g x",
    ]
    assert forms()[7:] == ["⊢ f x ≤\n    g", "⊢ f x ≤", "⊢ f x", "⊢ f", "⊢"]


def test_the_longest_form_that_fits_is_taken() -> None:
    for limit in range(1, len(STATE) + 1):
        cut = cut_goal(STATE, within(limit))
        assert cut is not None
        assert len(cut) <= limit
        assert cut == next(form for form in forms() if len(form) <= limit)
        assert "⊢" in cut


def test_nothing_fits() -> None:
    assert cut_goal(STATE, within(0)) is None


def test_a_goal_without_hypotheses_or_turnstile() -> None:
    assert cut_goal("⊢ a + b = b + a", within(7)) == "⊢ a + b"
    assert cut_goal("no goal at all", within(4)) == "no g"
    assert cut_goal("x : ℕ\ny : ℕ", within(8)) == "y : ℕ"


def words(text: str) -> int:
    """A count in which a token is a word with the blank before it, so that it depends on where a text is cut."""
    return len(text.split())


@pytest.mark.parametrize("tokens", [0, 1, 2, 7, 99, 100, 101, 1000])
def test_head_and_tail_are_as_long_as_allowed(tokens: int) -> None:
    text = " ".join(f"w{i}" for i in range(100))
    kept = text.split()
    assert head(text, tokens, words).split() == kept[:tokens]
    assert tail(text, tokens, words).split() == kept[max(0, 100 - tokens) :]


def test_long_and_short_tokens() -> None:
    long = "x" * 10_000 + " y"
    assert head(long, 1, words) == "x" * 10_000 + " "
    assert tail("y " + "x" * 10_000, 1, words) == " " + "x" * 10_000
    assert head("𝔸∀é", 2, len) == "𝔸∀"
    assert tail("𝔸∀é", 2, len) == "∀é"


def test_the_middle_goes() -> None:
    assert middle_out("0123456789", 6, len) == "012...789"
    assert middle_out("0123456789", 5, len) == "01...89"


def test_a_long_text_is_not_counted_as_a_whole() -> None:
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text) // 4

    text = "abcd" * 250_000
    assert len(head(text, 100, count)) == 403
    assert len(tail(text, 100, count)) == 403
    assert counted < 20_000
