"""Records of the wire read what clients send: right values, one sentence that names the field for wrong ones."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstep.errors import RequestError
from llmstep.http.ollama import OllamaChatBody, OllamaGenerateBody
from llmstep.http.openai_requests import ChatBody, CompletionBody
from llmstep.setting_values import wire_name
from llmstep.wire import tools
from llmstep.wire.commands import COMMANDS, ProveParams, SuggestParams
from llmstep.wire.http import CandidatesBody, GenerateBody, TacticBody
from llmstep.wire.reading import BODIES, EDITORS, TOOLS, Reader, argument_error

DOCUMENT = {"textDocument": {"uri": "file:///a.lean"}}
PLACE = {**DOCUMENT, "position": {"line": 1, "character": 0}}
RIGHT: dict[type, dict[str, Any]] = {
    tools.Place: {"file": "A.lean", "line": 3},
    tools.Check: {"file": "A.lean", "line": 3, "step": "simp"},
    tools.Suggest: {"file": "A.lean", "line": 3},
    tools.Prove: {"file": "A.lean", "line": 3},
    tools.Premises: {"file": "A.lean", "line": 3},
}
PARAMS = list(dict.fromkeys(each.params for each in COMMANDS if each.params))
STRICT = [*((EDITORS, each) for each in PARAMS), *((TOOLS, each) for each in RIGHT)]
BODIES_READ = [TacticBody, GenerateBody, CandidatesBody, CompletionBody, ChatBody, OllamaGenerateBody, OllamaChatBody]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def right(cls: type) -> dict[str, Any]:
    """An argument without anything that may be absent."""
    names = {wire_name(each.name) for each in attrs.fields(cls) if each.default is attrs.NOTHING}
    return RIGHT.get(cls) or {name: value for name, value in {**PLACE, "model": "starter"}.items() if name in names}


def sentence(reader: Reader, cls: type, raw: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        reader.read(cls, raw, argument_error("a.command"))
    assert caught.value.hint.startswith("It ")
    return caught.value


def is_read_or_refused(reader: Reader, cls: type, raw: object) -> bool:
    try:
        return isinstance(reader.read(cls, raw, argument_error("a.command")), cls)
    except RequestError as error:
        return error.message.endswith(".") and "\n" not in error.message


@pytest.mark.parametrize(("reader", "cls"), STRICT)
def test_every_field_is_named_when_it_is_wrong(reader: Reader, cls: type) -> None:
    whole = right(cls)
    reader.read(cls, whole, argument_error("a.command"))
    assert sentence(reader, cls, [1]).message == "The argument of a.command is a list."
    assert sentence(reader, cls, {**whole, "cuont": 3}).message == "a.command takes no argument 'cuont'."
    for name in whole:
        for absent in ({}, {name: None}):
            rest = {other: value for other, value in whole.items() if other != name}
            assert sentence(reader, cls, rest | absent).message == f"The argument {name} of a.command is missing."
    for each in attrs.fields(cls):
        name = wire_name(each.name) if reader is EDITORS else each.name
        wrong = sentence(reader, cls, {**whole, name: {"no": 1} if name not in ("textDocument", "position") else 3})
        assert wrong.message.startswith(f"The argument {name} of a.command is ")


def test_what_is_read() -> None:
    sent = {**PLACE, "count": 3.0, "prefix": None, "diagnostics": [{"range": {"start": PLACE["position"]}}]}
    wrong = sentence(EDITORS, SuggestParams, sent)
    assert wrong.message == "The argument diagnostics[0].range.end of a.command is missing."
    range_ = {"start": PLACE["position"], "end": {"line": 2.0, "character": 1}}
    sent["diagnostics"] = [{"range": range_, "message": "unsolved goals", "severity": 1, "data": {"of": "Lean"}}]
    read = EDITORS.read(SuggestParams, sent, argument_error("a.command"))
    assert (read.count, read.prefix, read.more, read.position.line) == (3, None, False, 1)
    assert (read.diagnostics[0].message, read.diagnostics[0].range.end.line) == ("unsolved goals", 2)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("expansions", 0, "It must be a whole number from 1 to 10000."),
        ("expansions", 1.5, "It must be a whole number from 1 to 10000."),
        ("seconds", 1e999, "It must be a number from 0.1 to 86400."),
        ("seconds", 10**400, "It must be a number from 0.1 to 86400."),
        ("tactics", "all", "It must be one of model, list, both."),
        ("diagnostics", [{}] * 1001, "It must be an object."),
    ],
)
def test_bounds(name: str, value: Any, hint: str) -> None:
    assert sentence(EDITORS, ProveParams, {**PLACE, name: value}).hint == hint


@given(st.sampled_from(STRICT), JSON, st.dictionaries(st.sampled_from(["file", "line", "count", "position"]), JSON))
def test_whatever_comes_is_read_or_refused(kind: tuple[Reader, type], raw: Any, more: dict[str, Any]) -> None:
    reader, cls = kind
    for sent in (raw, {**right(cls), **more}):
        assert is_read_or_refused(reader, cls, sent)


@given(st.sampled_from(BODIES_READ), st.data())
def test_so_are_bodies(cls: type, data: st.DataObject) -> None:
    names = [each.name for each in attrs.fields(cls)]
    sent = data.draw(st.dictionaries(st.sampled_from(names), JSON))
    assert is_read_or_refused(BODIES, cls, sent)
