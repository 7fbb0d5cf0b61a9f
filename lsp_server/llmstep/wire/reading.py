"""From JSON that others sent to records: whatever is wrong becomes one error that names the field.

Null stands for what is absent. A whole number may be written as 3.0, which to JSON is the same.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import attrs
from cattrs import (
    AttributeValidationNote,
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.gen import make_dict_structure_fn, override
from lsprotocol import types

from llmstep.errors import LlmstepError, RequestError
from llmstep.setting_values import shown, wire_name
from llmstep.wire.bounds import Form, Number, WrongValue
from llmstep.wire.schema import same
from llmstep.wire.values import is_list, kind_of, origin_of, read_flag, read_number, read_text, read_whole, wanted

T = TypeVar("T")

MISSING: typing.Final = "there"
"""`WrongValue.wanted` of what has to be there and is not."""
UNKNOWN: typing.Final = "no field"
"""`WrongValue.wanted` of a field that there is not."""

_Line = Annotated[int, Number(0, 2**31 - 1)]


@attrs.frozen
class _Position:
    line: _Line
    character: _Line


@attrs.frozen
class _Range:
    start: types.Position
    end: types.Position


@attrs.frozen
class _Document:
    uri: str


@attrs.frozen
class _Diagnostic:
    range: types.Range
    message: str


_PROTOCOL: Mapping[type, type] = {
    types.Position: _Position,
    types.Range: _Range,
    types.TextDocumentIdentifier: _Document,
    types.Diagnostic: _Diagnostic,
}
"""Which fields of the protocol's own objects are read; others are left, for they are the protocol's."""


class Reader:
    """Reads records.

    Args:
        named: Gives the name in JSON for a field's own.
        strict: Refuse unknown fields.
    """

    def __init__(self, named: Callable[[str], str] = same, *, strict: bool) -> None:
        self._named = named
        self._strict = strict
        self._converter = converter = Converter()
        for kind, read in ((int, read_whole), (float, read_number), (str, read_text), (bool, read_flag)):
            converter.register_structure_hook(kind, lambda value, _, read=read: read(value))
        converter.register_structure_hook_factory(lambda kind: origin_of(kind) is Literal, _word)
        converter.register_structure_hook_factory(is_list, _list)
        converter.register_structure_hook_factory(attrs.has, self._object)
        converter.register_structure_hook_factory(_PROTOCOL.__contains__, _protocol)
        converter.register_structure_hook_factory(lambda kind: origin_of(kind) is Annotated, _bounded)

    def read(self, cls: type[T], raw: object, word: Callable[[str, WrongValue], LlmstepError]) -> T:
        """The record that a value of JSON stands for.

        Args:
            word: Gives the error for a field, by its name from the outermost object (empty for that object itself), and
                what is wrong with it.

        Raises:
            LlmstepError: That of `word`.
        """
        try:
            return self._converter.structure(raw, cls)
        except (ClassValidationError, WrongValue) as error:
            path, wrong = self._first(error)
            raise word(path, wrong) from None

    def _object(self, cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
        own = cls not in _PROTOCOL.values()
        names: dict[str, Any] = {}
        if own:
            names = {each.name: override(rename=self._named(each.name)) for each in attrs.fields(cls)}
        fill = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=self._strict and own, **names)

        def read(raw: Any, _: Any) -> Any:
            if not isinstance(raw, Mapping):
                raise WrongValue("an object", raw)
            return fill({name: value for name, value in raw.items() if value is not None}, cls)

        return read

    def _first(self, error: Any) -> tuple[str, WrongValue]:
        """Where the first thing is wrong, and how."""
        path, kind = "", None
        while isinstance(error, (ClassValidationError, IterableValidationError)):
            noted, others = error.group_exceptions()
            error, note = noted[0] if noted else (others[0], None)
            if isinstance(note, AttributeValidationNote):
                path += f".{self._named(note.name)}" if path else self._named(note.name)
                kind = note.type
            elif note is not None:
                path += f"[{note.index}]"
        if isinstance(error, ForbiddenExtraKeysError):
            name = min(map(str, error.extra_fields))
            fields = tuple(self._named(each.name) for each in attrs.fields(error.cl))
            return f"{path}.{name}" if path else name, WrongValue(UNKNOWN, name, hint=", ".join(fields))
        return path, error if isinstance(error, WrongValue) else WrongValue(MISSING, hint=wanted(kind))


def argument_error(of: str) -> Callable[[str, WrongValue], RequestError]:
    """The errors for the arguments of a command or a tool.

    Args:
        of: Its name.
    """

    def word(name: str, wrong: WrongValue) -> RequestError:
        if wrong.wanted == UNKNOWN:
            return RequestError(f"{of} takes no argument {shown(name)}.", hint=f"It takes {wrong.hint}.")
        if not name:
            return RequestError(f"The argument of {of} is {kind_of(wrong.got)}.", hint=f"It must be {wrong.wanted}.")
        if wrong.wanted == MISSING:
            return RequestError(f"The argument {name} of {of} is missing.", hint=f"It must be {wrong.hint}.")
        plain = isinstance(wrong.got, (str, int, float)) and not isinstance(wrong.got, bool)
        got = shown(wrong.got) if plain else kind_of(wrong.got)
        return RequestError(f"The argument {name} of {of} is {got}.", hint=f"It must be {wrong.wanted}.")

    return word


def _word(kind: Any) -> Callable[[Any, Any], Any]:
    words = typing.get_args(kind)

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, str) or value not in words:
            raise WrongValue("one of " + ", ".join(words), value)
        return value

    return read


def _list(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    fill = homogenous_tuple_structure_factory(kind, converter)

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise WrongValue("a list", value)
        return fill(value, kind)

    return read


def _protocol(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    fields = _PROTOCOL[kind]

    def read(value: Any, _: Any) -> Any:
        found: Any = converter.structure(value, fields)
        return kind(**{each.name: getattr(found, each.name) for each in attrs.fields(fields)})

    return read


def _bounded(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    base, *bounds = typing.get_args(kind)
    form = next((bound for bound in bounds if isinstance(bound, Form)), None)
    if form is not None:
        return lambda value, _: form.read(value)
    inner = converter.get_structure_hook(base)

    def read(value: Any, _: Any) -> Any:
        try:
            made = inner(value, base)
        except WrongValue as wrong:
            if wrong.wanted not in ("a whole number", "a number", "a text"):
                raise
            raise WrongValue(bounds[0].wanted(base), value) from None
        for bound in bounds:
            if not bound.holds(made):
                raise WrongValue(bound.wanted(base), value)
        return made

    return read


EDITORS: typing.Final = Reader(wire_name, strict=True)
"""For arguments of LSP commands: `text_document` is `textDocument`."""
TOOLS: typing.Final = Reader(strict=True)
"""For the arguments of tools."""
CLIENTS: typing.Final = Reader(wire_name, strict=False)
"""For requests and answers of llmstep's own that editors send, with fields of their own."""
BODIES: typing.Final = Reader(strict=False)
"""For bodies of HTTP requests, which clients of other programs send with fields of their own."""
