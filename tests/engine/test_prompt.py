"""Prompts as ids, with real tokenizers of the three kinds that the catalog's models use."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from llmstep.catalog.local_names import local_names
from llmstep.catalog.templates import TEMPLATES, get_template
from llmstep.decoder.rows import written as continuation
from llmstep.engine.prompt import encode
from llmstep.errors import ModelError
from llmstep.types import Goal, PromptInput

TEXT = [
    "theorem and_of (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  exact ⟨hp, hq⟩\n",
    "[GOAL]a b : ℕ\nh : a ≤ b\n⊢ a < b + 1[PROOFSTEP]exact Nat.lt_succ_of_le h",
    "exact exact_mod_cast intro intros rw [h] simp only [Nat.add_comm] constructor",
]
GOAL = Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q", ("case right\n⊢ q",))
LONG = Goal("\n".join(f"h{i} : a{i} ≤ 𝔸{i} + ∑ k, f k" for i in range(200)) + "\n⊢ a₀ ≤ 𝔸 + 1")
FILE = "\n".join(f"theorem t{i} : {i} ∣ 𝔸 {i} := by exact h{i}" for i in range(3000))


def byte_level() -> PreTrainedTokenizerFast:
    """Byte-level BPE, as GPT-NeoX and Qwen have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        TEXT * 20,
        trainers.BpeTrainer(
            vocab_size=500, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"
    )


def sentencepiece() -> PreTrainedTokenizerFast:
    """BPE with `▁` for blanks, byte fallback, and a `bos` put in front, as Llama has it."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.train_from_iterator(TEXT * 20, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"]))
    description = json.loads(trained.to_str())
    vocabulary = description["model"]["vocab"]
    vocabulary.update({f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)})
    description["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


TOKENIZERS = {"byte-level": byte_level(), "sentencepiece": sentencepiece(), "bytes": ByT5Tokenizer()}


@pytest.fixture(params=["byte-level", "sentencepiece"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return TOKENIZERS[request.param]


def ids_of(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def text_of(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


CAUSAL = [name for name, template in TEMPLATES.items() if template.family == "causal"]


@pytest.mark.parametrize("prefix", ["", "exact ⟨", "exact ", "exa"])
@pytest.mark.parametrize("name", CAUSAL)
def test_nothing_cut_means_the_ids_of_the_whole_text(
    name: str, prefix: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    template = get_template(name)
    ask = PromptInput(GOAL, prefix, "import Mathlib\n", "t", "intro x")
    encoded = encode(template, ask, tokenizer, 10_000)
    expected = ids_of(tokenizer, template.prompt(ask))
    if template.special == "bos" and tokenizer is TOKENIZERS["sentencepiece"]:
        expected = [tokenizer.bos_token_id, *expected]
        assert expected == tokenizer(template.prompt(ask))["input_ids"]
    assert encoded.input_ids == expected
    assert encoded.decoder_ids == []
    assert encoded.cut is False


def test_a_blank_at_the_end_of_a_prefix_would_be_a_token_of_its_own_and_is_held_back() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    pythia = get_template("pythia")
    together = ids_of(tokenizer, "exact h")
    assert ids_of(tokenizer, "exact ") != together[: len(ids_of(tokenizer, "exact "))]  # the reason
    assert encode(pythia, PromptInput(GOAL, "exact "), tokenizer, 500) == encode(
        pythia, PromptInput(GOAL, "exact"), tokenizer, 500
    )


def test_bytes_with_the_prefix_at_the_decoder() -> None:
    tokenizer = TOKENIZERS["bytes"]
    encoded = encode(get_template("byt5-state"), PromptInput(GOAL, "exact ⟨"), tokenizer, 10_000)
    assert encoded.input_ids == [byte + 3 for byte in GOAL.state.encode()] + [tokenizer.eos_token_id]
    assert encoded.decoder_ids == [byte + 3 for byte in "exact ⟨".encode()]
    assert not encoded.cut
    assert (
        encode(get_template("byt5-state"), PromptInput(GOAL, "exact "), tokenizer, 10_000).decoder_ids[-1]
        == ord(" ") + 3
    )
    assert encode(get_template("byt5-state"), PromptInput(GOAL), tokenizer, 10_000).decoder_ids == []


def test_the_byte_budget_of_the_encoder() -> None:
    tokenizer = TOKENIZERS["bytes"]
    encoded = encode(get_template("byt5-state"), PromptInput(LONG, "exact h"), tokenizer, 10_000)
    assert encoded.cut
    assert 2300 - 30 < len(encoded.input_ids) <= 2300
    assert encoded.input_ids[-1] == tokenizer.eos_token_id
    text = bytes(i - 3 for i in encoded.input_ids[:-1]).decode()  # strict: no character is split
    assert text.endswith("\n⊢ a₀ ≤ 𝔸 + 1")
    assert LONG.text.endswith("\n" + text)
    assert encoded.decoder_ids == [byte + 3 for byte in b"exact h"]


@pytest.mark.parametrize("limit", [2000, 240])
@pytest.mark.parametrize("name", [name for name in CAUSAL if name != "continuation"])
def test_a_goal_that_is_too_long_loses_hypotheses_from_the_top(
    name: str, limit: int, tokenizer: PreTrainedTokenizerFast
) -> None:
    template = get_template(name)
    fixed = len(ids_of(tokenizer, template.prompt(PromptInput(Goal("⊢ a₀ ≤ 𝔸 + 1"), "exact le_of"))))
    limit += fixed
    encoded = encode(template, PromptInput(LONG, "exact le_of "), tokenizer, limit)
    assert encoded.cut
    assert len(encoded.input_ids) <= min(limit, template.max_prompt_tokens)
    assert len(encoded.input_ids) > min(limit, template.max_prompt_tokens) - 60  # a hypothesis is about 40 tokens
    text = text_of(tokenizer, encoded.input_ids)
    before, _, behind = template.prompt(PromptInput(Goal("GOAL"), "exact le_of")).rpartition("GOAL")
    assert text.startswith(before)
    assert text.endswith("\n⊢ a₀ ≤ 𝔸 + 1" + behind)
    kept = text[len(before) : len(text) - len(behind)].split("\n")
    shown = local_names(LONG.text).hidden(LONG.text) if template.plain_names else LONG.text
    assert kept == shown.split("\n")[-len(kept) :]


def test_the_end_of_what_is_to_be_shown_goes_last(tokenizer: PreTrainedTokenizerFast) -> None:
    goal = Goal("h : p\n⊢ " + " + ".join(f"x{i} * 𝔸" for i in range(300)))
    template = get_template("pythia")
    encoded = encode(template, PromptInput(goal, "ring"), tokenizer, 100)
    text = text_of(tokenizer, encoded.input_ids)
    assert 92 < len(encoded.input_ids) <= 100
    assert text.startswith("[GOAL]⊢ x0 * 𝔸 + x1 * 𝔸 +")
    assert text.endswith("[PROOFSTEP]ring")
    assert "�" not in text
    assert goal.text.endswith(
        goal.text.removeprefix("h : p\n" + text.removeprefix("[GOAL]").removesuffix("[PROOFSTEP]ring"))
    )
    assert goal.text.startswith("h : p\n" + text.removeprefix("[GOAL]").removesuffix("[PROOFSTEP]ring"))


def test_no_room_for_any_goal(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ModelError, match=r"^The prompt needs \d+ tokens before any goal is in it") as caught:
        encode(get_template("llemma-fewshot"), PromptInput(GOAL), tokenizer, 50)
    assert "the model has room for" in caught.value.message
    assert "shorter prefix" in caught.value.hint
    with pytest.raises(ModelError):
        encode(get_template("pythia"), PromptInput(GOAL), tokenizer, -5)
    with pytest.raises(ModelError):
        encode(get_template("pythia"), PromptInput(GOAL, "exact " + "h " * 3000), tokenizer, 2000)


def context_in(text: str) -> str:
    return text.split("[CTX]\n", 1)[1].split("\n[/CTX]\n[STATE]", 1)[0]


def test_a_long_file_keeps_its_first_and_last_4000_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    template = get_template("ntp-context")
    encoded = encode(template, PromptInput(GOAL, "exact", FILE), tokenizer, 100_000)
    assert encoded.cut
    kept = context_in(text_of(tokenizer, encoded.input_ids))
    first, dots, last = kept.partition("...")
    assert dots
    assert FILE.startswith(first)
    assert FILE.endswith(last)
    assert 3990 <= len(ids_of(tokenizer, first)) <= 4000
    assert 3990 <= len(ids_of(tokenizer, last)) <= 4000


def test_a_file_that_fits_is_kept_whole(tokenizer: PreTrainedTokenizerFast) -> None:
    file = "\n".join(FILE.split("\n")[:40])
    encoded = encode(get_template("ntp-context"), PromptInput(GOAL, "", file), tokenizer, 100_000)
    assert not encoded.cut
    assert context_in(text_of(tokenizer, encoded.input_ids)) == file


@pytest.mark.parametrize("limit", [3000, 1000, 400])
def test_context_goes_before_the_goal(limit: int, tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode(get_template("ntp-context"), PromptInput(GOAL, "exact", FILE), tokenizer, limit)
    text = text_of(tokenizer, encoded.input_ids)
    assert limit - 20 < len(encoded.input_ids) <= limit
    assert text.endswith(f"\n[/CTX]\n[STATE]\n{GOAL.state}\n[/STATE]\n[TAC]\nexact")
    first, _, last = context_in(text).partition("...")
    assert FILE.startswith(first)
    assert FILE.endswith(last)


def test_without_room_for_context_the_goal_is_cut_too(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode(get_template("ntp-context"), PromptInput(LONG, "exact", FILE), tokenizer, 900)
    text = text_of(tokenizer, encoded.input_ids)
    assert len(encoded.input_ids) <= 900
    assert context_in(text) == ""
    assert text.endswith("\n⊢ a₀ ≤ 𝔸 + 1\n[/STATE]\n[TAC]\nexact")


@pytest.mark.parametrize("prefix", ["", "exact"])
def test_the_continuation_keeps_the_end_of_the_file(tokenizer: PreTrainedTokenizerFast, prefix: str) -> None:
    template = get_template("continuation")
    file = FILE + "\ntheorem last (p : Prop) (h : p) : p := by\n  "
    encoded = encode(template, PromptInput(GOAL, prefix, file), tokenizer, 1000)
    assert encoded.cut
    assert 990 <= len(encoded.input_ids) <= 1000
    kept = text_of(tokenizer, encoded.input_ids)
    assert "\ufffd" not in kept
    assert kept.endswith("theorem last (p : Prop) (h : p) : p := by\n" + ("  exact" if prefix else " "))
    assert (file + "exact" if prefix else file.removesuffix(" ")).endswith(kept)
    longest = len(encode(template, PromptInput(GOAL, prefix, file), tokenizer, 100_000).input_ids)
    assert template.max_prompt_tokens - 10 <= longest <= template.max_prompt_tokens


def test_never_half_a_character() -> None:
    """Two bytes of room for a letter of three: the byte is left empty."""
    template, tokenizer = get_template("continuation"), TOKENIZERS["bytes"]
    prompts = [encode(template, PromptInput(GOAL, "", "∀∀∀ε"), tokenizer, size).input_ids for size in range(2, 12)]
    texts = [bytes(number - 3 for number in ids).decode() for ids in prompts]  # strict
    assert texts == ["ε", "ε", "ε", "∀ε", "∀ε", "∀ε", "∀∀ε", "∀∀ε", "∀∀ε", "∀∀∀ε"]


def test_the_continuation_needs_a_file() -> None:
    with pytest.raises(ModelError, match="reads the file before the goal, and there is none") as caught:
        encode(get_template("continuation"), PromptInput(GOAL), TOKENIZERS["bytes"], 1000)
    assert caught.value.hint == "Ask at a place in a file, or choose another template."


def test_a_chat_about_a_file_keeps_the_end_of_the_file(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode(get_template("instruct-file"), PromptInput(GOAL, "", FILE), tokenizer, 2000)
    text = text_of(tokenizer, encoded.input_ids)
    assert 1980 < len(encoded.input_ids) <= 2000
    kept = text.split("goes:\n```lean\n", 1)[1].split("\n```\nThis is the state", 1)[0]
    assert FILE.endswith(kept)
    assert f"place:\n```lean\n{GOAL.state}\n```\nWhat is the next tactic?" in text


def test_a_long_proof_keeps_its_end(tokenizer: PreTrainedTokenizerFast) -> None:
    proof = "\n".join(f"have h{i} : {i} ≤ 𝔸 := by simp" for i in range(400))
    encoded = encode(get_template("internlm25-step"), PromptInput(GOAL, "", "", "t", proof), tokenizer, 100_000)
    text = text_of(tokenizer, encoded.input_ids)
    kept = text.split("PROOF_BEFORE: ", 1)[1].split("\n\n---\nSTATE_BEFORE", 1)[0]
    assert encoded.cut
    assert proof.endswith(kept)
    assert 1980 <= len(ids_of(tokenizer, kept)) <= 2000


@pytest.mark.parametrize("name", ["byte-level", "sentencepiece", "bytes"])
@pytest.mark.parametrize("added", [" h", "h", "\n  exact ⟨hp, hq⟩", " 𝔸∀", ", rfl⟩", "", " n't . , !"])
def test_continuation_is_the_text_behind_the_prompt(name: str, added: str) -> None:
    tokenizer = TOKENIZERS[name]
    prompt = "[GOAL]⊢ p ∧ q[PROOFSTEP]exact"
    prompt_ids = ids_of(tokenizer, prompt)
    whole = ids_of(tokenizer, prompt + added)
    if whole[: len(prompt_ids)] != prompt_ids:
        pytest.fail("the prompt's ids are not a prefix here; choose another text")
    assert continuation(tokenizer, prompt_ids, whole[len(prompt_ids) :]) == added


def test_continuation_keeps_a_blank_that_decoding_alone_loses_and_shows_special_tokens() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    prompt_ids = ids_of(tokenizer, "exact")
    new = ids_of(tokenizer, "exact h")[len(prompt_ids) :]
    assert text_of(tokenizer, new) == "h"
    assert continuation(tokenizer, prompt_ids, new) == " h"
    assert continuation(tokenizer, prompt_ids, [*new, tokenizer.eos_token_id]) == " h</s>"
    assert continuation(tokenizer, [], new) == "h"
