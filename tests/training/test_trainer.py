"""Small real training runs through the command line."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from command_line import run as llmstep
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from llmstep.catalog.resolve import STARTER_DIR, resolve
from llmstep.catalog.templates import get_template
from llmstep.errors import ModelError, ModelNotFoundError, RequestError, SettingsError
from llmstep.settings import Settings
from llmstep.training.config import read_config
from llmstep.training.pairs import IGNORED, Example, encode_pairs, read_pairs
from llmstep.training.trainer import collator, last_checkpoint, line, run_training
from starter.network import Shape, make_base
from starter.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = Shape(hidden=32, layers=2, heads=2, feed_forward=64, vocabulary=320, positions=128)


run = functools.partial(llmstep, "train")


def losses(out: Path) -> list[tuple[int, float]]:
    history = json.loads((out / "checkpoints" / "training.json").read_text())["history"]
    return [(record["step"], record["loss"]) for record in history if "loss" in record]


@pytest.fixture
def settings(tmp_path: Path, pairs_file: Path) -> Path:
    make_base(tmp_path / "new", pairs_file, SHAPE, template="pythia")
    file = tmp_path / "train.toml"
    file.write_text(
        f'train = "{pairs_file}"\nvalid = "{pairs_file}"\nbase = "{tmp_path / "new"}"\nbatch_size = 16\nepochs = 20\n'
        "learning_rate = 1e-2\nwarmup_steps = 2\nlog_every = 4\nsave_every = 8\neval_every = 8\nprogress = false\n"
        "threads = 1\n",
        encoding="utf-8",
    )
    return file


def test_a_run_learns_resumes_and_its_model_loads(settings: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    said = run(settings, "--out", out, "--max-steps", 24)
    assert "24 steps" in said
    assert "{" not in said, "no raw records"
    assert line({"loss": "2.5", "learning_rate": 1e-4}, 3, 9) == "step 3 of 9: loss 2.500, learning rate 0.0001"
    assert line({"eval_loss": 0.25}, 9, 9) == "step 9 of 9: held-out loss 0.250"
    assert line({"train_runtime": 3.0}, 9, 9) == ""
    first = losses(out)
    assert first[-1][1] < 0.7 * first[0][1]
    checkpoint = last_checkpoint(out)
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-24"

    run(settings, "--out", out, "--max-steps", 32, "--resume")
    again = losses(out)
    assert [step for step, _ in again] == [4, 8, 12, 16, 20, 24, 28, 32]
    assert again[:6] == first
    assert again[-1][1] < first[0][1]

    model = AutoModelForCausalLM.from_pretrained(out, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert type(model).__name__ == "GPTNeoXForCausalLM"
    assert tokenizer.eos_token == "<|endoftext|>"
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert json.loads((out / "config.json").read_text())["dtype"] == "float16"
    assert resolve(Settings(model=str(out))).template.name == "pythia"
    prompt = tokenizer("[GOAL]p q : Prop\nhp : p\n⊢ p[PROOFSTEP]", return_tensors="pt")
    drawn = model.generate(**prompt, max_new_tokens=8, do_sample=False, pad_token_id=tokenizer.eos_token_id)
    assert tokenizer.decode(drawn[0, prompt["input_ids"].shape[1] :]).startswith("exact")


def test_a_model_in_use_stays_what_it_was_when_it_is_trained_anew(settings: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    run(settings, "--out", out, "--max-steps", 4)
    with safe_open(out / "model.safetensors", framework="pt") as mapped:
        name = next(iter(mapped.keys()))
        before = mapped.get_tensor(name).clone()
        run(settings, "--out", out, "--max-steps", 8)
        assert torch.equal(mapped.get_tensor(name), before)
    with safe_open(out / "model.safetensors", framework="pt") as written:
        assert not torch.equal(written.get_tensor(name), before)
    assert not list(out.glob(".new*"))


def test_a_model_can_be_trained_on_from_a_folder(settings: Path, tmp_path: Path, pairs_file: Path) -> None:
    run(settings, "--out", tmp_path / "base", "--max-steps", 12)
    flags = {"train": str(pairs_file), "out": str(tmp_path / "tuned"), "base": str(tmp_path / "base")}
    config = read_config(
        None, {**flags, "max_steps": 12, "learning_rate": 3e-3, "warmup_steps": 1, "log_every": 4, "progress": False}
    )
    report = run_training(config)
    assert report["valid_loss"] is None
    assert report["history"][-2]["loss"] < losses(tmp_path / "base")[0][1]
    before = AutoModelForCausalLM.from_pretrained(tmp_path / "base").state_dict()
    after = AutoModelForCausalLM.from_pretrained(tmp_path / "tuned").state_dict()
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_mixed_precision_learns_the_same_with_other_roundings(settings: Path, tmp_path: Path) -> None:
    for precision in ("float32", "bf16"):
        run(settings, "--out", tmp_path / precision, "--max-steps", 8, "--precision", precision)
    exact, mixed = (losses(tmp_path / precision) for precision in ("float32", "bf16"))
    assert mixed != exact
    assert [loss for _, loss in mixed] == pytest.approx([loss for _, loss in exact], rel=0.03)
    config = json.loads((tmp_path / "bf16" / "config.json").read_text())
    assert config["dtype"] == "float16"  # what is written does not depend on it
    if not torch.accelerator.is_available():
        with pytest.raises(SettingsError, match="fp16 is for GPUs"):
            run(settings, "--out", tmp_path / "fp16", "--precision", "fp16")


def test_the_loss_is_on_the_tactic_and_the_end_token() -> None:
    pairs = [Example("h : p\n⊢ p", "exact h"), Example("⊢ True", "trivial")]
    tokenizer = train_tokenizer([text for pair in pairs for text in (pair.goal, pair.tactic)], 300)
    examples = encode_pairs(tokenizer, get_template("pythia"), pairs, 100)
    for pair, example in zip(pairs, examples, strict=True):
        assert tokenizer.decode(example["input_ids"]) == f"[GOAL]{pair.goal}[PROOFSTEP]{pair.tactic}<|endoftext|>"
        learned = [label for label in example["labels"] if label != IGNORED]
        assert tokenizer.decode(learned) == f"{pair.tactic}<|endoftext|>"
        assert example["labels"][: -len(learned)] == [IGNORED] * (len(example["labels"]) - len(learned))
    assert len(encode_pairs(tokenizer, get_template("pythia"), pairs, len(examples[1]["input_ids"]))) == 1

    batch = collator(tokenizer, None)(examples)
    longest = max(len(example["input_ids"]) for example in examples)
    for name in ("input_ids", "attention_mask", "labels"):
        assert batch[name].shape == (2, longest)
    short = len(examples[1]["input_ids"])
    assert batch["input_ids"][1, short:].tolist() == [tokenizer.pad_token_id] * (longest - short)
    assert batch["labels"][1, short:].tolist() == [IGNORED] * (longest - short)
    assert batch["attention_mask"].sum(1).tolist() == [len(example["input_ids"]) for example in examples]


@pytest.mark.parametrize(
    ("prefix", "read", "learned"),
    [
        ("", "", "exact h₁ h₂"),
        ("exac", "exac", "t h₁ h₂"),
        ("exact ", "exact", " h₁ h₂"),
        ("exact rul", "exact", " h₁ h₂"),
        ("exact rule", "exact h₁", " h₂"),
    ],
)
def test_of_a_tactic_with_a_prefix_the_rest_is_learnt(prefix: str, read: str, learned: str) -> None:
    pair = Example("p q : Prop\nrule : p → q\nhp : p\n⊢ q", "exact rule hp", prefix=prefix)
    tokenizer = train_tokenizer([pair.goal, pair.tactic], 300)
    (example,) = encode_pairs(tokenizer, get_template("starter"), [pair], 200)
    shown = [token for token, label in zip(example["input_ids"], example["labels"], strict=True) if label == IGNORED]
    assert tokenizer.decode(shown) == f"[GOAL]p q : Prop\nh₁ : p → q\nh₂ : p\n⊢ q[PROOFSTEP]{read}"
    assert tokenizer.decode(example["input_ids"][len(shown) :]) == f"{learned}<|endoftext|>"


def test_a_prefix_that_the_tactic_does_not_begin_with_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"goal": "⊢ p", "tactic": "simp", "prefix": "exact"}\n', encoding="utf-8")
    with pytest.raises(RequestError, match=r"The tactic in line 1 of .* does not begin with its prefix"):
        read_pairs(file)


def test_a_name_has_the_same_tokens_wherever_it_stands() -> None:
    tokenizer: Any = train_tokenizer(["hp : p\n⊢ p → q", "intro hp", "exact ⟨hp, hq⟩"] * 20, 340)
    alone = tokenizer("zarko₃'")["input_ids"]
    for text in ("(zarko₃' : p)", "exact zarko₃'", "⟨zarko₃', hq⟩", "h\nzarko₃' : q"):
        ids = tokenizer(text)["input_ids"]
        assert any(ids[i : i + len(alone)] == alone for i in range(len(ids))), text
    for text in ("∀ x, ¬P x\n⊢ a ≠ b ∧ α₁", "𝔸 → ⟨_, λ⟩", "  two  blanks\n\n"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer("[GOAL]p[PROOFSTEP]")["input_ids"][0] == tokenizer.convert_tokens_to_ids("[GOAL]")


@pytest.mark.parametrize("line", ["not json", '{"goal": "⊢ p"}', '["a", "b"]', '{"goal": 1, "tactic": "x"}'])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"goal": "⊢ p", "tactic": "x"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"Line 2 of .*pairs\.jsonl"):
        read_pairs(file)


def test_errors_before_a_run_are_plain(tmp_path: Path, pairs_file: Path) -> None:
    flags = {"train": str(pairs_file), "out": str(tmp_path / "out")}
    with pytest.raises(ModelNotFoundError, match="was not found"):
        run_training(read_config(None, {**flags, "base": str(tmp_path / "nowhere")}))
    with pytest.raises(ModelError, match="byt5-state is for encoder-decoder models, and the base is decoder-only"):
        run_training(read_config(None, {**flags, "base": str(STARTER_DIR), "template": "byt5-state"}))
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    with pytest.raises(RequestError, match="holds no pairs"):
        read_pairs(empty)
