"""Fields of requests: each is written once, as an attribute of a class, and gives the reading and the description.

A class with such attributes is read from an object of JSON by `decode`, and described by `schema` as JSON Schema, which
`/openapi.json` serves. Unknown fields are ignored, so that clients newer than this server still get an answer; absent
and null mean the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstep.errors import RequestError

T = TypeVar("T")
Schema = dict[str, Any]


class Wrong(ValueError):  # noqa: N818 - becomes an error with the name of the field
    """A value is not what its field takes.

    Args:
        wanted: What it has to be: `a text`.
        got: What it is.
        said: The whole sentence, where that says more than `wanted`.
        hint: What to do.
    """

    def __init__(self, wanted: str, got: Any = None, *, said: str = "", hint: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.got = got
        self.said = said
        self.hint = hint


def field(doc: str, shape: Schema, read: Callable[[Any], Any], *, default: Any = None, required: bool = False) -> Any:
    """An attribute.

    Args:
        doc: What it means, one sentence.
        shape: JSON Schema of its values.
        read: Gives the value for one of JSON, or raises `Wrong`.
        default: Where it is absent.
        required: It must be there; `read` says what is wrong with None.
    """
    shown = {} if default is None or default == () else {"default": default}
    metadata = {"schema": {**shape, "description": doc, **shown}, "read": read, "required": required}
    return attrs.field(default=default, metadata=metadata)


def text(doc: str, *, required: bool = False) -> Any:
    """A text; one that is required is not blank."""
    if not required:
        return field(doc, {"type": "string"}, read_text, default="")

    def read(value: Any) -> str:
        if value is None or not read_text(value).strip():
            raise Wrong("there", value)
        return str(value)

    return field(doc, {"type": "string", "pattern": r"\S"}, read, default="", required=True)


def whole(doc: str, least: int, most: int, default: int | None = None, *, required: bool = False) -> Any:
    """A whole number."""

    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Wrong(f"a whole number from {least} to {most}", value)
        return value

    shape = {"type": "integer", "minimum": least, "maximum": most}
    return field(doc, shape, read, default=default, required=required)


def number(doc: str, least: float, most: float, default: float | None = None, *, required: bool = False) -> Any:
    """A number."""

    def read(value: Any) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
            raise Wrong(f"a number from {least:g} to {most:g}", value)
        return float(value)

    shape = {"type": "number", "minimum": least, "maximum": most}
    return field(doc, shape, read, default=default, required=required)


def flag(doc: str, *, default: bool = False) -> Any:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise Wrong("true or false", value)
        return value

    return field(doc, {"type": "boolean"}, read, default=default)


def part(doc: str, cls: type[T], word: Callable[[str, Wrong], RequestError]) -> Any:
    """An object that is described by a class of its own."""

    def read(value: Any) -> T:
        if not isinstance(value, dict):
            raise Wrong("an object", value)
        return decode(cls, value, word)

    return field(doc, schema(cls), read)


def read_text(value: Any) -> str:
    """A text of whole characters."""
    if not isinstance(value, str):
        raise Wrong("a text", value)
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair; no tokenizer takes it
        raise Wrong("valid Unicode", value) from None
    return value


def decode(cls: type[T], raw: Mapping[str, Any], word: Callable[[str, Wrong], RequestError]) -> T:
    """The record that an object stands for.

    Args:
        word: Gives the error for a field and what is wrong with it.

    Raises:
        RequestError: That of `word`.
    """
    values: dict[str, Any] = {}
    for each in attrs.fields(cls):  # type: ignore[arg-type]
        value = raw.get(each.name)
        if value is not None or each.metadata["required"]:
            try:
                values[each.name] = each.metadata["read"](value)
            except Wrong as wrong:
                raise word(each.name, wrong) from None
    return cls(**values)


def schema(cls: type, *, nullable: bool = True) -> Schema:
    """JSON Schema of the objects that `decode` takes.

    Args:
        nullable: Say that null may stand for what is absent.
    """
    properties = {}
    required = []
    for each in attrs.fields(cls):
        shape = dict(each.metadata["schema"])
        if each.metadata["required"]:
            required.append(each.name)
        elif nullable and "type" in shape:
            shape["type"] = [shape["type"], "null"]
        properties[each.name] = shape
    described = (cls.__doc__ or "").strip().partition("\n")[0]
    return {
        "type": "object",
        "description": described,
        "properties": properties,
        **({"required": required} if required else {}),
    }


def kind_of(value: object) -> str:
    """What a value of JSON is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    return {"dict": "an object", "list": "a list"}.get(type(value).__name__, "a text")
