"""A record class as a TypeScript interface, and as rows of a table; the texts are its own."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Literal

import attrs
from schemas import SIMPLE, about, fields

from llmstep.setting_values import wire_name
from llmstep.wire.records import is_protocol

if typing.TYPE_CHECKING:
    from collections.abc import Mapping


def type_text(kind: Any) -> str:
    """A type as TypeScript writes it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return type_text(arguments[0])
    if kind is Any:
        return "unknown"
    if kind in SIMPLE:
        return {"integer": "number"}.get(SIMPLE[kind], SIMPLE[kind])
    if origin is Literal:
        return " | ".join(f"'{each}'" for each in arguments)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(type_text, arguments))
    if origin in (list, tuple):
        inner = type_text(arguments[0])
        return f"readonly ({inner})[]" if "|" in inner else f"readonly {inner}[]"
    if origin is dict:
        return "Readonly<Record<string, unknown>>"
    return str(kind.__name__)


def interface(cls: type, aliases: Mapping[Any, str]) -> str:
    """The TypeScript interface of what an editor gets or sends.

    Args:
        aliases: Types that have names of their own.
    """
    base = next((each for each in cls.__mro__[1:] if attrs.has(each)), None)
    inherited = {name for name, *_ in fields(base, wire_name)} if base else set()
    extends = f" extends {base.__name__}" if base else ""
    lines = [f"/** {about(cls)} */", f"export interface {cls.__name__}{extends} {{"]
    for name, kind, text, required in fields(cls, wire_name):
        if name not in inherited:
            lines += [f"  /** {text} */"] if text else []
            lines.append(f"  readonly {name}{'' if required else '?'}: {aliases.get(kind) or type_text(kind)};")
    return "\n".join([*lines, "}"])


def rows(cls: type, named: Any = wire_name) -> list[str]:
    """A Markdown table of the fields of an object."""
    lines = ["| name | type | meaning |", "|---|---|---|"]
    for name, kind, text, required in fields(cls, named):
        shown = type_text(kind).replace("readonly ", "").replace("|", "\\|")
        lines.append(f"| `{name}`{'' if required else ', optional'} | `{shown}` | {text} |")
    return lines


def parts(kind: Any) -> list[type]:
    """The record classes that a type is made of, from outside inwards, each once; none of the protocol's own."""
    found: list[type] = []

    def visit(each: Any) -> None:
        if attrs.has(each) and not is_protocol(each):
            if each not in found:
                found.append(each)
                for _, inner, *_ in fields(each, str):
                    visit(inner)
        else:
            for inner in typing.get_args(each):
                visit(inner)

    visit(kind)
    return found
