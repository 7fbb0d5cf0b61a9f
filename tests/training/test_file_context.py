"""Models that read the file: what they are trained on is what they are asked later, to the letter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run
from typer.testing import CliRunner

from llmstep.catalog.resolve import resolve
from llmstep.catalog.templates import get_template
from llmstep.cli import app
from llmstep.engine import decode as answering
from llmstep.engine.prompt import encode
from llmstep.errors import SettingsError
from llmstep.lean.asking import prompt_input_behind
from llmstep.settings import Settings
from llmstep.training.config import read_config
from llmstep.training.pairs import IGNORED, Example, encode_pairs, with_longest
from llmstep.training.trainer import run_training
from llmstep.types import Goal
from starter.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
/-! Facts about `∧`, each of them with a proof of its own. -/
namespace Facts

theorem first (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  · exact hp
  · exact hq

/-- The other way round. -/
theorem second (p q : Prop) (hp : p) (hq : q) : q ∧ p := by
  have swapped := first p q hp hq
  exact ⟨swapped.2, swapped.1⟩

theorem third (a b : Prop) (ha : a) (hb : b) : a ∧ (b ∧ a) := by
  refine ⟨ha, ?_⟩
  exact ⟨hb, ha⟩
end Facts
"""
TEXTS = [TEXT, get_template("ntp-context").text]
LAST = "exact ⟨hb, ha⟩"
GOAL = "a b : Prop\nha : a\nhb : b\n⊢ b ∧ a"


@pytest.mark.lean
@pytest.mark.parametrize(
    ("template", "max_tokens"), [("ntp-context", 900), ("ntp-context", 420), ("internlm25-step", 900), ("llemma", 900)]
)
def test_the_prompt_in_training_is_that_of_the_same_place_later(
    tmp_path: Path, lean: Path, save_llama: Any, monkeypatch: pytest.MonkeyPatch, template: str, max_tokens: int
) -> None:
    file = tmp_path / "Facts.lean"
    file.write_text(TEXT, encoding="utf-8")
    run("data", file, "--out", tmp_path / "pairs", "--valid-share", 0, "--lean", lean)
    lines = (tmp_path / "pairs" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    assert last == {
        "goal": GOAL,
        "tactic": LAST,
        "theorem": "Facts.third",
        "file_context": TEXT[: TEXT.index(LAST)],
    }

    base = save_llama(tmp_path / "base", TEXTS, vocabulary=420, positions=1024)
    shown: list[dict[str, list[int]]] = []

    def trained(*given: Any) -> list[dict[str, list[int]]]:
        made = encode_pairs(*given)
        shown.extend(made)
        return made

    monkeypatch.setattr("llmstep.training.trainer.encode_pairs", trained)
    model = tmp_path / "model"
    flags = {"train": str(tmp_path / "pairs" / "train.jsonl"), "out": str(model), "base": str(base), "threads": 1}
    steps = {"max_steps": 3, "batch_size": 2, "log_every": 1, "progress": False, "learning_rate": 1e-3}
    report = run_training(read_config(None, {**flags, **steps, "template": template, "max_tokens": max_tokens}))
    prompts_each = 2 if template == "llemma" else 1
    assert report["pairs"] == len(shown) == prompts_each * len(lines)
    assert report["steps"] == 3

    asked: list[list[int]] = []

    def recorded(*given: Any) -> Any:
        asked.append(encode(*given).input_ids)
        return encode(*given)

    monkeypatch.setattr(answering, "encode", recorded)
    file.write_text(TEXT.replace(LAST, "sorry"), encoding="utf-8")
    line = TEXT[: TEXT.index(LAST)].count("\n") + 1
    place = ["--line", line, "--column", 3, "--model", model, "--lean", lean, "--device", "cpu", "--count", 2]
    words = [str(each) for each in ("suggest", file, *place, "--no-check", "--json")]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    answer = json.loads(result.stdout)
    assert answer["goal"] == GOAL
    # After three steps the model writes any characters, perhaps none that a step may hold.
    assert result.exit_code == (0 if answer["suggestions"] else 1)

    tokenizer = train_tokenizer(TEXTS, 420)
    assert len(asked) == prompts_each
    for example, prompt in zip(shown[-prompts_each:], asked, strict=True):
        read = [token for token, label in zip(example["input_ids"], example["labels"], strict=True) if label == IGNORED]
        assert read == prompt
        text = tokenizer.decode(prompt)
        if template == "ntp-context":
            context = text.partition("[CTX]\n")[2].partition("\n[/CTX]")[0]
            whole = TEXT[: TEXT.index(LAST)].strip("\n")
            assert text.endswith(f"\n[/CTX]\n[STATE]\n{GOAL}\n[/STATE]\n[TAC]\n")
            if max_tokens == 900:
                assert context == whole
            else:  # its beginning and its end
                before, behind = context.split("...")
                assert whole.startswith(before)
                assert whole.endswith(behind)
                assert min(len(before), len(behind)) > 20
                assert len(prompt) <= max_tokens - 128
        if template == "internlm25-step":
            assert "NAME: Facts.third\n\n---\nPROOF_BEFORE: refine ⟨ha, ?_⟩\n\n---\nSTATE_BEFORE: a b" in text
    if template == "llemma":
        assert tokenizer.decode(asked[1]) == TEXT[: TEXT.index(LAST)].removesuffix(" ")
    hints = json.loads((model / "llmstep.json").read_text())
    longest = {"max_prompt_tokens": max_tokens - 128} if template != "internlm25-step" else {}
    assert hints == {"template": template, **longest}
    assert "[CTX]\ntheorem both (p q" in (model / "README.md").read_text() or template != "ntp-context"


def test_a_prompt_that_writes_on_in_the_file_leaves_the_blank_to_the_answer() -> None:
    tokenizer = train_tokenizer(TEXTS, 420)
    before = TEXT[: TEXT.index(LAST)]
    [example] = encode_pairs(tokenizer, get_template("continuation"), [Example(GOAL, LAST, before)], 900)
    assert tokenizer.decode(example["input_ids"]) == before + LAST + "\n<|endoftext|>"
    learned = [label for label in example["labels"] if label != IGNORED]
    assert tokenizer.decode(learned) == f" {LAST}\n<|endoftext|>"


def test_long_files_are_cut_and_not_left_out() -> None:
    """The model that comes of it is asked with prompts of the same length."""
    tokenizer = train_tokenizer(TEXTS, 420)
    template = with_longest(get_template("ntp-context"), 540, positions=700)
    assert template.max_prompt_tokens == 540 - 128
    assert with_longest(get_template("pythia"), 540, positions=700) == get_template("pythia")
    long = Example(GOAL, LAST, TEXT * 20 + TEXT[: TEXT.index(LAST)])
    [example] = encode_pairs(tokenizer, template, [long], 540, 700)
    prompt = encode(template, prompt_input_behind(long.file_context, Goal.from_state(GOAL), ""), tokenizer, 700 - 128)
    assert prompt.cut
    assert "theorem first" in tokenizer.decode(prompt.input_ids)
    assert len(prompt.input_ids) <= 540 - 128
    assert example["input_ids"][: len(prompt.input_ids)] == prompt.input_ids
    assert encode_pairs(tokenizer, with_longest(template, 120), [long], 120) == []  # the format alone is longer


def test_many_pairs_give_what_each_gives_alone() -> None:
    """Files are cut in several threads."""
    tokenizer = train_tokenizer(TEXTS, 420)
    template = with_longest(get_template("llemma"), 700)
    pairs = [Example(GOAL, f"exact h{n}", (TEXT * n)[: 400 * n]) for n in range(12)]
    alone = [example for pair in pairs for example in encode_pairs(tokenizer, template, [pair], 700)]
    assert encode_pairs(tokenizer, template, pairs, 700) == alone
    assert len(alone) == 23  # without a file there is one prompt
    assert encode_pairs(tokenizer, template, [], 700) == []


def test_a_folder_says_how_long_its_prompts_were(tmp_path: Path, save_llama: Any) -> None:
    folder = save_llama(tmp_path / "model", TEXTS, vocabulary=420, positions=1024)
    (folder / "llmstep.json").write_text(json.dumps({"template": "llemma", "max_prompt_tokens": 700}))
    chosen = resolve(Settings(model=str(folder))).template
    assert chosen.also is not None
    assert (chosen.max_prompt_tokens, chosen.also.max_prompt_tokens) == (700, 700)
    other = resolve(Settings(model=str(folder), template="ntp-context")).template
    assert other == get_template("ntp-context")  # it was not trained with this one
    (folder / "llmstep.json").write_text(json.dumps({"template": "llemma", "max_prompt_tokens": "many"}))
    assert resolve(Settings(model=str(folder))).template == get_template("llemma")


def test_pairs_without_any_text_are_refused(tmp_path: Path, save_llama: Any) -> None:
    base = save_llama(tmp_path / "base", TEXTS, vocabulary=420, positions=1024)
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"goal": GOAL, "tactic": LAST}) + "\n", encoding="utf-8")
    flags = {"train": str(pairs), "out": str(tmp_path / "out"), "base": str(base), "template": "ntp-context"}
    with pytest.raises(SettingsError, match=r"ntp-context reads the file .* no pair of .*pairs\.jsonl has its text"):
        run_training(read_config(None, flags))
