"""A chat template in a model's own words: the rule of its tokenizer gives the markers around the turns.

The rule writes a chat once, with a mark for what the user says. What stands before the mark and behind it becomes part
of the template, so that cutting, prefixes and stops work as with any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from llmstep.catalog.cleaning import has_thought
from llmstep.catalog.template import ASSISTANT, USER, PromptTemplate
from llmstep.errors import GenerationError

SAID: Final = "What-the-user-says-stands-here"
_ANSWERED: Final = "What-the-model-answers-stands-here"
_OPEN: Final = re.compile(r"(<think>|<thinking>|<thought>|<reasoning>|<seed:think>|\[THINK\]|◁think▷)\s*\Z")
_CLOSED: Final = {"[THINK]": "[/THINK]", "◁think▷": "◁/think▷"}
_PLACE: Final = re.compile(r"\{\w+\}")
_MAX_LENGTH: Final = 20_000
"""Characters around what the user says; a system prompt may be long."""


Rule = Callable[..., "str | None"]
"""Writes a chat, as `written_chat` does for its folder."""


@attrs.frozen
class ChatForm:
    """The markers around the one turn of a user."""

    before: str
    after: str
    """The end of that turn, and the beginning of the model's."""
    end: str = ""
    """What ends the model's turn; empty where that is not known."""
    thinks: bool = False
    """The rule has something to say about thoughts, so that the model may write one."""


def chat_form(rule: Rule, template: PromptTemplate) -> ChatForm | None:
    """The form that a rule gives to the turns of a template; None where there is no rule, or one that does not fit."""
    values = rule_values(template)
    try:
        written = rule([("user", SAID)], answer=True, values=values)
    except GenerationError:
        return None
    if written is None or written.count(SAID) != 1 or len(written) > _MAX_LENGTH or _PLACE.search(written):
        return None
    before, _, after = written.partition(SAID)
    return ChatForm(before, after, _end(rule, values), _thinks(rule, written))


def in_own_words(template: PromptTemplate, form: ChatForm) -> PromptTemplate:
    """A template whose turns have the markers of a model; one without turns of its own stays as it is."""
    if not template.own_turns:
        return template
    said = template.text.removeprefix(USER).partition(ASSISTANT)[0]
    opened = _OPEN.search(form.after)
    closing = ""
    if opened:
        mark = opened[1]
        closing = f"\n{_CLOSED.get(mark, mark.replace('<', '</'))}\n\n"
    silent = bool(opened) and not template.thinking_tokens  # a model that is made to think is given an empty thought
    return attrs.evolve(
        template,
        thinking_tokens=template.thinking_tokens if form.thinks else 0,
        text=form.before + said + form.after + (closing if silent else "") + "{prefix}",
        prefix_lead="" if silent else closing,
        stops=tuple(dict.fromkeys((*template.stops, *([form.end] if form.end else [])))),
        special="none",
        own_turns=False,
        in_thought=bool(opened) and not silent,
    )


def rule_values(template: PromptTemplate) -> dict[str, Any]:
    """What rules ask for about thoughts; they have no common name for it."""
    values: dict[str, Any] = {"reasoning_effort": template.effort} if template.effort else {}
    return values if template.thinking_tokens else {**values, **NO_THOUGHT}


NO_THOUGHT: Final = {"enable_thinking": False, "thinking": False}


def _thinks(rule: Rule, written: str) -> bool:
    """Whether a rule opens a thought, or writes another prompt where none is wanted."""
    if _OPEN.search(written) or has_thought(written) or "<|channel|>" in written:
        return True
    try:
        with_one, without = (rule([("user", SAID)], answer=True, values=values) for values in ({}, NO_THOUGHT))
    except GenerationError:
        return False
    return with_one != without


def _end(rule: Rule, values: dict[str, Any]) -> str:
    try:
        whole = rule([("user", SAID), ("assistant", _ANSWERED)], answer=False, values=values)
    except GenerationError:
        return ""
    end = (whole or "").rpartition(_ANSWERED)[2].strip()
    return end if len(end) < 40 and re.search(r"\W", end) and not re.search(r"\s", end) else ""
