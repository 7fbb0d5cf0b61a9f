"""Chats in a model's own words: by the rules of several families, with transformers, the own decoder and a prefix."""

from __future__ import annotations

import json
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llmstep.catalog.cleaning import without_thought
from llmstep.catalog.templates import get_template
from llmstep.engine import decode as answer_module
from llmstep.engine.chat_form import in_own_words, written_chat
from llmstep.engine.postprocess import RawSample, endings, finish
from llmstep.engine.router import EngineRouter
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.prompt import EncodedPrompt

GOAL = Goal("p q : Prop\nhp : p\n⊢ p ∨ q")
TURNS = "{% for m in messages %}"
CHATML = TURNS + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
RULES = {
    "chatml": CHATML + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "a switch for thoughts": CHATML + "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
    "an open thought": "{{ bos_token }}" + TURNS + "<｜{{ m.role }}｜>{{ m.content }}"
    "{% if m.role == 'assistant' %}<end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜assistant｜><think>\n{% endif %}",
    "headers": "{{ bos_token }}" + TURNS + "<|head|>{{ m.role }}<|/head|>\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}",
    "brackets": "{{ bos_token }}" + TURNS + "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} "
    "{{ m.content }}</s>{% endif %}{% endfor %}",
    "a system prompt": "{% if messages[0].role != 'system' %}<s>You are helpful.</s>{% endif %}"
    + TURNS
    + "<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
}


def instruct(thinking: int = 64) -> PromptTemplate:
    return attrs.evolve(get_template("instruct"), thinking_tokens=thinking)


def told(folder: Path, rule: str) -> Path:
    """The folder with a tokenizer's configuration that has the rule."""
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": rule}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("thinking", [0, 64])
@pytest.mark.parametrize("name", RULES)
def test_the_prompt_is_that_of_apply_chat_template(tmp_path: Path, name: str, thinking: int) -> None:
    from transformers import ByT5Tokenizer

    theirs = ByT5Tokenizer(bos_token="<s>")
    theirs.chat_template = RULES[name]
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": RULES[name], "bos_token": "<s>"}), encoding="utf-8"
    )
    template = instruct(thinking)
    said = template.text.partition("user\n")[2].partition("<|im_end|>")[0].replace("{goal}", GOAL.text)
    switch: dict[str, Any] = {} if thinking else {"enable_thinking": False}
    expected = theirs.apply_chat_template(
        [{"role": "user", "content": said}], add_generation_prompt=True, tokenize=False, **switch
    )
    if name == "an open thought" and not thinking:
        expected += "\n</think>\n\n"
    own = in_own_words(template, partial(written_chat, tmp_path))
    assert not own.own_turns
    assert own.prompt(PromptInput(GOAL)) == expected
    assert own.special == "none"
    assert own.in_thought == (name == "an open thought" and thinking > 0)
    assert bool(own.thinking_tokens) == (thinking > 0 and "thought" in name)


@pytest.mark.parametrize(
    ("name", "end"),
    [("chatml", "<|im_end|>"), ("headers", "<|eot|>"), ("brackets", "</s>"), ("a system prompt", "</assistant>")],
)
def test_what_ends_the_models_turn_ends_a_step(tmp_path: Path, name: str, end: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": RULES[name]}), encoding="utf-8")
    own = in_own_words(instruct(), partial(written_chat, tmp_path))
    assert end in own.stops
    assert own.clean(f"```lean\nomega\n```{end}\nand more") == "omega"


@pytest.mark.parametrize(
    "rule",
    [
        "{{ raise_exception('no') }}",
        "{{ messages[0].content | upper }}",
        TURNS + "{{ m.content }}{{ m.content }}{% endfor %}",
        TURNS + "{goal}{{ m.content }}{% endfor %}",
        "{{ 'x' * 30000 }}" + TURNS + "{{ m.content }}{% endfor %}",
        "{% for",
    ],
)
def test_a_rule_that_does_not_fit_leaves_the_template_as_it_is(tmp_path: Path, rule: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": rule}), encoding="utf-8")
    assert in_own_words(instruct(), partial(written_chat, tmp_path)) == instruct()


def test_templates_whose_models_were_trained_on_their_markers_keep_them() -> None:
    def rule(messages: list[tuple[str, str]], **_: object) -> str:
        return f"[INST] {messages[0][1]} [/INST]"

    for name in ("internlm-plus", "internlm-step", "internlm25-step", "bfs"):
        assert in_own_words(get_template(name), rule) == get_template(name)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])  # the own decoder; transformers
@pytest.mark.parametrize("prefix", ["", "exact "])
async def test_a_model_is_asked_in_its_own_words(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: Any, prefix: str
) -> None:
    folder = told(shutil.copytree(tiny_models["neox"], tmp_path / "chat"), RULES["headers"])
    prompts: list[str] = []
    encode = answer_module.encode

    def noted(template: PromptTemplate, ask: PromptInput, tokenizer: Any, limit: int) -> EncodedPrompt:
        made = encode(template, ask, tokenizer, 4096)
        prompts.append(tokenizer.decode(made.input_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
        return attrs.evolve(made, input_ids=made.input_ids[-64:])

    monkeypatch.setattr(answer_module, "encode", noted)
    engine = EngineRouter(Settings(model=str(folder), template="instruct", device="cpu", dtype=dtype))
    answer = await engine.generate(PromptInput(GOAL, prefix=prefix), SamplingParams(3, 1.0, 1.0, 4, 1))
    await engine.close()
    [prompt] = prompts
    assert prompt.startswith("<|endoftext|><|head|>user<|/head|>\n\nThis is the state")
    assert prompt.endswith(f"<|eot|><|head|>assistant<|/head|>\n\n{prefix.strip()}")
    assert "cut off at the limit of tokens" in answer.endings


@pytest.mark.parametrize(
    ("text", "inside", "step"),
    [
        ("<think>hm</think>\nomega", False, "omega"),
        ("hm, perhaps simp</think>\nomega", False, "omega"),
        ("hm, perhaps simp</think>\nomega", True, "omega"),
        ("<think>hm, perhaps", False, ""),
        ("hm, perhaps", True, ""),
        ("<think>hm <think> again", True, ""),
        ("[THINK]hm[/THINK]omega", False, "omega"),
        ("<think>a</think>b<think>c</think>omega", False, "omega"),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>omega", False, "omega"),
        ("◁think▷hm◁/think▷omega", False, "omega"),
        ("omega", False, "omega"),
    ],
)
def test_thoughts_are_told_apart(text: str, inside: bool, step: str) -> None:
    assert without_thought(text, inside=inside).strip() == step


def test_how_samples_ended_is_a_sentence() -> None:
    template = instruct()
    samples = [
        RawSample("<think>hm", -1.0, 9, cut=True),
        RawSample("", None, 9, thought="hm"),
        RawSample("<think>hm</think>omega", -1.0, 9),
        RawSample("simp", -1.0, 2),
    ]
    assert endings([(template, samples)]) == (
        "1 cut off at the limit of tokens, 2 with a thought and no step (raise llmstep.maxThinkingTokens)"
    )
    assert endings([(template, samples[2:])]) == ""
    found = finish(template, PromptInput(GOAL), samples)
    assert [(each.text, each.score) for each in found] == [("simp", -0.5), ("omega", None)]
