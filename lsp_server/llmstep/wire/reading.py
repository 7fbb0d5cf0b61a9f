"""From JSON that others sent to records: whatever is wrong becomes one error that names the field.

Null stands for what is absent. A whole number may be written as 3.0, which to JSON is the same.
"""

from __future__ import annotations

import contextlib
import functools
import math
import types
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

from llmstep.errors import LlmstepError, RequestError
from llmstep.setting_values import shown, wire_name
from llmstep.wire.bounds import WrongValue, number
from llmstep.wire.records import is_protocol

T = TypeVar("T")

MISSING: typing.Final = "there"
"""`WrongValue.wanted` of what has to be there and is not."""
UNKNOWN: typing.Final = "no field"
"""`WrongValue.wanted` of a field that there is not."""

_Line = Annotated[int, number(0, 2**31 - 1)]
_SIMPLE: Mapping[Any, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


class FieldError(RequestError):
    """A field of a request is wrong.

    Args:
        field: Its name; empty for the request as a whole.
    """

    def __init__(self, field: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class Reader:
    """Reads records.

    Args:
        named: Gives the name in JSON for a field's own.
        strict: Refuse unknown fields.
    """

    def __init__(self, named: Callable[[str], str] = str, *, strict: bool) -> None:
        self._named = named
        self._strict = strict
        self._converter = converter = Converter()
        for kind in (int, float, str, bool):
            converter.register_structure_hook(kind, lambda value, _, kind=kind: _unicode(simple(value, kind)))
        converter.register_structure_hook_factory(_is_made, self._checked)

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

    def _checked(self, kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
        fill = self._filler(kind, converter)

        def read(value: Any, _: Any) -> Any:
            if not is_of(kind, value):
                raise WrongValue(wanted(kind), value)
            return fill(value, kind)

        return read

    def _filler(self, kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
        """What reads a value that looks as its type has to."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple:
            return homogenous_tuple_structure_factory(kind, converter)
        if origin is Literal:
            return lambda value, _: value
        if origin is Annotated:
            return functools.partial(_bounded, converter, arguments[1:])
        if origin in (typing.Union, types.UnionType):
            return lambda value, _: converter.structure(value, next(each for each in arguments if is_of(each, value)))
        of_protocol = is_protocol(kind)
        names: dict[str, Any] = {each.name: override(rename=self._named(each.name)) for each in attrs.fields(kind)}
        for each in attrs.fields(kind) if of_protocol else ():
            # Fields that may be absent are the protocol's, and left to it.
            needed = each.default is attrs.NOTHING
            line = override(struct_hook=converter.get_structure_hook(_Line))
            names[each.name] = (line if each.type in (int, "int") else override()) if needed else override(omit=True)
        fill = make_dict_structure_fn(
            kind, converter, _cattrs_forbid_extra_keys=self._strict and not of_protocol, **names
        )
        return lambda raw, _: fill({name: value for name, value in raw.items() if value is not None}, kind)

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
            fields = ", ".join(self._named(each.name) for each in attrs.fields(error.cl))
            return f"{path}.{name}" if path else name, WrongValue(UNKNOWN, name, hint=fields)
        return path, error if isinstance(error, WrongValue) else WrongValue(MISSING, hint=wanted(kind))


def _is_made(kind: Any) -> bool:
    made: tuple[Any, ...] = (Annotated, Literal, tuple, typing.Union, types.UnionType)
    return attrs.has(kind) or typing.get_origin(kind) in made


def _bounded(converter: Converter, bounds: Any, value: Any, kind: Any) -> Any:
    made = converter.structure(value, typing.get_args(kind)[0])
    if not all(bound.holds(made) for bound in bounds):
        raise WrongValue(wanted(kind), value)
    return made


def is_of(kind: Any, value: Any) -> bool:
    """Whether a value of JSON is of a type, as far as can be seen without looking into it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(is_of(each, value) for each in arguments)
    if origin is Annotated:
        return is_of(arguments[0], value)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if origin is tuple:
        return isinstance(value, (list, tuple))
    if kind in _SIMPLE:
        try:
            simple(value, kind)
        except WrongValue:
            return False
        return True
    return isinstance(value, Mapping) if attrs.has(kind) else kind is not type(None)


def simple(value: Any, kind: type) -> Any:
    """A number that is finite, a text, or true or false; raises WrongValue for anything else."""
    if kind in (int, float) and isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError, ValueError):  # of infinities, and of what is no number
            if kind is int and value == int(value):
                return int(value)
            if kind is float and math.isfinite(value):
                return float(value)
    elif kind in (str, bool) and isinstance(value, kind):
        return value
    raise WrongValue(_SIMPLE[kind], value)


def wanted(kind: Any) -> str:
    """What a value of a type has to be, in words."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return wanted(arguments[0]) + "".join(bound.words for bound in arguments[1:])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(wanted(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(map(str, arguments))
    if origin is tuple:
        return "a list"
    return _SIMPLE.get(kind, "an object")


def kind_of(value: object) -> str:
    """What a value of JSON is, for a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return "a text"


def argument_error(of: str) -> Callable[[str, WrongValue], RequestError]:
    """The errors for the arguments of a command or a tool, by its name; with an empty one for the fields of a body."""
    return functools.partial(_error, of)


def _error(of: str, name: str, wrong: WrongValue) -> FieldError:
    what = f"The argument {name} of {of}" if of else f'The field "{name}"'
    if not name:
        what = f"The argument of {of}" if of else "The body"
    if wrong.wanted == UNKNOWN:
        return FieldError(name, f"{of} takes no argument {shown(name)}.", hint=f"It takes {wrong.hint}.")
    if wrong.wanted == MISSING:
        return FieldError(name, f"{what} is missing.", hint=f"It must be {wrong.hint}.")
    plain = name and isinstance(wrong.got, (str, int, float)) and not isinstance(wrong.got, bool)
    got = shown(wrong.got) if plain else kind_of(wrong.got)
    return FieldError(name, f"{what} is {got}.", hint=f"It must be {wrong.wanted}.")


field_error = argument_error("")


def _unicode(value: T) -> T:
    """A text of whole characters: JSON can escape half of a surrogate pair, which no tokenizer takes."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise WrongValue("valid Unicode", value) from None
    return value


EDITORS: typing.Final = Reader(wire_name, strict=True)
"""For arguments of LSP commands: `text_document` is `textDocument`."""
TOOLS: typing.Final = Reader(strict=True)
"""For the arguments of tools."""
CLIENTS: typing.Final = Reader(wire_name, strict=False)
"""For requests and answers of llmstep's own that editors send, with fields of their own."""
BODIES: typing.Final = Reader(strict=False)
"""For bodies of HTTP requests, which clients of other programs send with fields of their own."""
