"""The ids of a client's own text, short enough for the model.

llmlean sends the whole file before the goal, between `[CTX]` and `[/CTX]`, and has no idea of how much a model reads.
What is far from the goal goes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llmstep.engine.chat_rule import written_chat

if TYPE_CHECKING:
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.text import Text

_OPEN, _CLOSE = "[CTX]\n", "[/CTX]"
_TURN = "<|im_start|>{role}\n{content}<|im_end|>\n"
_TRIES = 12


def fitted_ids(loaded: LoadedModel, template: PromptTemplate, text: Text, max_tokens: int) -> list[int]:
    """The ids that the model continues, without the beginning of a file that they hold where it is too long.

    A text that holds no file, and is not to be cut, comes back as long as it is.

    Args:
        max_tokens: Most tokens to be generated; up to a quarter of the model's places is kept for them.
    """
    ids = prompt_ids(loaded, template, text)
    if loaded.positions is None:
        return ids
    capacity = loaded.positions
    if loaded.start_id is None:
        capacity -= min(max_tokens, loaded.positions // 4)
    if len(ids) <= capacity:
        return ids
    for _ in range(_TRIES):
        shorter = _without_beginning(text, (len(ids) - capacity) / len(ids))
        if shorter is None:
            break
        text = shorter
        ids = prompt_ids(loaded, template, text)
        if len(ids) <= capacity:
            return ids
    if text.cut:
        first = ids[:1] if ids[:1] == [loaded.tokenizer.bos_token_id] else []
        return first + ids[len(ids) - capacity + len(first) :]
    return ids


def prompt_ids(loaded: LoadedModel, template: PromptTemplate, text: Text) -> list[int]:
    """The ids that the model continues, with the special tokens that its tokenizer adds by itself.

    A chat is written by the tokenizer's own rule. Without one, it becomes turns for a template made of turns, and else
    the plain texts, one below the other.
    """
    tokenizer = loaded.tokenizer
    if not text.messages:
        return list(tokenizer(text.prompt, add_special_tokens=True)["input_ids"])
    chat = written_chat(loaded.plan.tokenizer_folder, text.messages)
    if chat is not None:
        return list(tokenizer(chat, add_special_tokens=False)["input_ids"])
    if template.chat:
        turns = [_TURN.replace("{role}", role).replace("{content}", content) for role, content in text.messages]
        chat = "".join(turns) + "<|im_start|>assistant\n"
    else:
        chat = "\n".join(content for _, content in text.messages)
    return list(tokenizer(chat, add_special_tokens=True)["input_ids"])


def _without_beginning(text: Text, part: float) -> Text | None:
    """A text whose file has lost lines of its beginning; None where it holds no file, or no more of one.

    Args:
        part: How much of the whole text has to go; a little more does.
    """
    contents = [text.prompt, *(content for _, content in text.messages)]
    max_tokens = max(range(len(contents)), key=lambda number: len(contents[number]))
    content = contents[max_tokens]
    start = content.find(_OPEN) + len(_OPEN)
    end = content.rfind(_CLOSE)
    if start < len(_OPEN) or end <= start:
        return None
    place = min(end, start + int(sum(map(len, contents)) * part) + 16)
    line = content.find("\n", place, end)
    contents[max_tokens] = content[:start] + content[line + 1 if line >= 0 else place :]
    messages = tuple((role, said) for (role, _), said in zip(text.messages, contents[1:], strict=True))
    return attrs.evolve(text, prompt=contents[0], messages=messages)
