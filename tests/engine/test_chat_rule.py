"""A chat by the rule of a tokenizer's files: the same text as transformers makes of it, and rules that are hostile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmstep.engine.chat_form import RULE, written_chat
from llmstep.errors import GenerationError

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = (("system", "Be brief."), ("user", "Hi ∀"))
CHATML = (
    "{{ bos_token }}{% for m in messages %}\n"
    "    {%- if m.role == 'system' and not loop.first %}{{ raise_exception('late') }}{% endif %}\n"
    "<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write(folder: Path, **settings: object) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.mark.parametrize("place", ["configuration", "file", "named"])
def test_the_text_is_that_of_transformers(tmp_path: Path, place: str) -> None:
    from transformers import ByT5Tokenizer

    tokens = {"bos_token": {"content": "<s>", "special": True}, "eos_token": "</s>"}
    if place == "configuration":
        write(tmp_path, chat_template=CHATML, **tokens)
    elif place == "named":
        rules = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHATML}]
        write(tmp_path, chat_template=rules, **tokens)
    else:
        (write(tmp_path, chat_template="wrong", **tokens) / RULE).write_text(CHATML, encoding="utf-8")
    theirs = ByT5Tokenizer(bos_token="<s>")
    theirs.chat_template = CHATML
    messages = [{"role": role, "content": content} for role, content in MESSAGES]
    expected = theirs.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert written_chat(tmp_path, MESSAGES) == expected
    assert expected.startswith("<s><|im_start|>system\nBe brief.<|im_end|>")


@pytest.mark.parametrize(
    "rule",
    [
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
        "{% for m in messages %}{%- generation %}{{ m.content }}{% endgeneration -%} {% endfor %}",
        "{{ strftime_now('%Y') }}{% if tools is not none %}tools{% endif %}{% if documents is none %}!{% endif %}",
        "{{ messages | tojson }}",
    ],
)
def test_a_rule_has_what_transformers_gives_it(tmp_path: Path, rule: str) -> None:
    from transformers import ByT5Tokenizer

    theirs = ByT5Tokenizer()
    theirs.chat_template = rule
    messages = [{"role": role, "content": content} for role, content in MESSAGES]
    expected = theirs.apply_chat_template(messages, tokenize=False)
    assert written_chat(write(tmp_path, chat_template=rule), MESSAGES, answer=False) == expected


def test_a_tokenizer_without_a_rule(tmp_path: Path) -> None:
    assert written_chat(tmp_path, MESSAGES) is None
    assert written_chat(write(tmp_path, bos_token="<s>"), MESSAGES) is None


@pytest.mark.parametrize(
    "rule",
    [
        "{{ raise_exception('no system') }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for m in messages %}{{ 1 / 0 }}{% endfor %}",
        "{% if %}",
        "{{ missing.field.deeper }}",
    ],
)
def test_a_rule_that_refuses_or_reaches_out(tmp_path: Path, rule: str) -> None:
    with pytest.raises(GenerationError, match="chat template does not accept these messages"):
        written_chat(write(tmp_path, chat_template=rule), MESSAGES)
