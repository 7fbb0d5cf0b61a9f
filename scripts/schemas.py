"""A record class as JSON Schema; the descriptions are its own texts."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import textwrap
import types
import typing
from typing import Annotated, Any, Literal

import attrs

from llmstep.wire.records import is_protocol

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


@functools.cache
def docs(cls: type) -> dict[str, str]:
    """What stands below each field, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        if not attrs.has(base):
            continue
        [node] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = typing.cast("ast.ClassDef", node).body
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[typing.cast("ast.Name", field.target).id] = " ".join(str(text.value.value).split())
    return found


def about(cls: type) -> str:
    """The first sentence of a class."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())


def fields(cls: type, named: Any) -> list[tuple[str, Any, str, bool]]:
    """Name, type, text and whether it has to be there, of each field."""
    hints = typing.get_type_hints(cls, include_extras=True)
    texts = docs(cls)
    return [
        (named(each.name), hints[each.name], texts.get(each.name, ""), each.default is attrs.NOTHING)
        for each in attrs.fields(cls)
    ]


def schema(kind: Any, named: Any = str, *, nullable: bool = False) -> dict[str, Any]:
    """The JSON Schema of what is sent or answered, as a document; an object stands at its top, and its parts below.

    Args:
        named: Gives the name on the wire for a field's own.
        nullable: Whether null may stand for what is absent, as it may in what clients send; defaults are told then.
    """
    parts: dict[str, Any] = {}
    made = part(kind, parts, named, nullable=nullable)
    if "$ref" in made:
        made = parts.pop(kind.__name__)
    return {**made, "$defs": parts} if parts else made


def part(
    kind: Any,
    parts: dict[str, Any],
    named: Any = str,
    where: str = "#/$defs/",
    *,
    nullable: bool = False,
    closed: bool = True,
) -> dict[str, Any]:
    """The JSON Schema of a type; the classes that it refers to are added to `parts`.

    Args:
        named: Gives the name on the wire for a field's own.
        where: Where `parts` will be in the document.
        nullable: Whether null may stand for what is absent; defaults are told then.
        closed: Say that there are no other fields.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)

    def inner(each: Any) -> dict[str, Any]:
        return part(each, parts, named, where, nullable=nullable, closed=closed)

    if origin is Annotated:
        bounds = [bound.schema for bound in arguments[1:]]
        return functools.reduce(lambda one, other: one | other, bounds, inner(arguments[0]))
    if kind is Any:
        return {}
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [inner(each) for each in arguments]}
    if origin in (list, tuple) and (origin is list or arguments[-1] is Ellipsis):
        return {"type": "array", "items": inner(arguments[0])}
    if origin is tuple:
        shapes = [inner(each) for each in arguments]
        return {"type": "array", "prefixItems": shapes, "items": False, "minItems": len(shapes)}
    if origin is dict or is_protocol(kind):
        return {"type": "object"}
    if kind.__name__ not in parts:
        parts[kind.__name__] = {}
        found = fields(kind, named)
        defaults = {named(each.name): each.default for each in attrs.fields(kind)} if nullable else {}
        properties = {}
        for name, each, text, required in found:
            absent = nullable and not required and type(None) not in typing.get_args(each)
            properties[name] = inner(each | None if absent else each) | ({"description": text} if text else {})
            if not required and defaults.get(name) not in (None, ()):
                properties[name]["default"] = defaults[name]
        parts[kind.__name__] = {
            "type": "object",
            "description": about(kind),
            "properties": properties,
            "required": [name for name, _, _, required in found if required],
            **({"additionalProperties": False} if closed else {}),
        }
    return {"$ref": f"{where}{kind.__name__}"}
