"""The declaration that holds a position, with its full name, as far as text shows."""

from __future__ import annotations

import functools
import re
from typing import Final

import attrs

from llmstep.lean.tokens import NAME

_MODIFIERS: Final = r"(?:(?:private|protected|public|noncomputable|unsafe|partial|nonrec|local|scoped|meta)\s+)*"
_ATTRIBUTES: Final = r"(?:@\[[^\]]*\]\s*)*"
PROVING: Final = ("theorem", "lemma", "example", "def", "abbrev", "instance", "irreducible_def")
"""Commands that may hold a proof."""
_ANYWHERE: Final = (
    *PROVING,
    *(
        "structure",
        "inductive",
        "coinductive",
        "class",
        "axiom",
        "opaque",
        "variable",
        "namespace",
        "section",
        "mutual",
    ),
    "end",
)
"""Commands that no line inside a proof can begin with, so that they count at any indentation."""
_AT_MARGIN: Final = (
    *("open", "universe", "set_option", "attribute", "export", "import", "module", "prelude", "include", "omit"),
    *(
        "deriving",
        "initialize",
        "builtin_initialize",
        "register_option",
        "alias",
        "add_decl_doc",
        "run_cmd",
        "run_meta",
    ),
    *("notation", "infix", "infixl", "infixr", "prefix", "postfix", "macro", "macro_rules", "syntax", "elab"),
    *("elab_rules", "declare_syntax_cat", "simproc", "grind_pattern", "proof_wanted", "library_note", "unif_hint"),
)
"""Commands that may also be tactics, or names: they count where a line has no indentation."""

COMMAND: Final = re.compile(
    rf"""
    ^[ \t]*{_ATTRIBUTES}{_MODIFIERS}(?P<anywhere>{"|".join(_ANYWHERE)})(?![\w'!?.])
  | ^(?:{_ATTRIBUTES}{_MODIFIERS}(?P<margin>{"|".join(_AT_MARGIN)})(?![\w'!?]) | @\[ | \#\w )
    """,
    re.MULTILINE | re.VERBOSE,
)
_AFTER_KEYWORD: Final = re.compile(rf"\s*(?:\(\s*priority\s*:=[^)]*\)\s*)?(?P<name>{NAME})?")


@attrs.frozen
class Declaration:
    """A command that may hold a proof: its extent in the text and its name."""

    start: int
    """Offset of its first line (after comments), attributes and modifiers included."""
    body: int
    """Offset behind its keyword."""
    end: int
    """Offset of the next command, or the end of the text."""
    column: int
    """Column that it starts at."""
    name: str
    """Full name; empty for an example or an instance without a name."""
    short: str
    """The name as written, without `_root_.`."""
    name_at: int = -1
    """Offset of that name in the text; -1 where there is none."""
    mutual: bool = False
    """It is one of several in a `mutual` block."""


def find_declaration(masked: str, offset: int) -> Declaration | None:
    """The declaration around `offset` in masked text; None between declarations and in other commands."""
    scopes: list[str] = []
    mutual = False
    last: re.Match[str] | None = None
    end = len(masked)
    for command, inside in find_commands(masked):
        if command.start() > offset:
            end = command.start()
            break
        last, mutual = command, inside
        _enter(scopes, command)
    keyword = last and last.group("anywhere")
    if last is None or keyword not in PROVING or offset < last.end():
        return None
    start = last.start() + len(last.group()) - len(last.group().lstrip())
    name = _AFTER_KEYWORD.match(masked, last.end())
    short = (name and name.group("name")) or ""
    if keyword == "example" or short in {"where", "by", "from"}:
        short = ""
    column = start - (masked.rfind("\n", 0, start) + 1)
    full = short.removeprefix("_root_.")
    if short and full == short:
        full = ".".join((*(scope for scope in scopes if scope), short))
    written = short.removeprefix("_root_.")
    name_at = name.end("name") - len(written) if name and written else -1
    return Declaration(start, last.end(), end, column, full, written, name_at, mutual)


@functools.lru_cache(maxsize=4)
def find_commands(masked: str) -> tuple[tuple[re.Match[str], bool], ...]:
    """The commands of masked text, and whether each stands in a `mutual` block."""
    found = []
    mutual = False
    for command in COMMAND.finditer(masked):
        if command.group("anywhere") in {"mutual", "end"}:
            mutual = command.group("anywhere") == "mutual"
        found.append((command, mutual))
    return tuple(found)


def _enter(scopes: list[str], command: re.Match[str]) -> None:
    """Keeps the open namespaces, sections (as empty names) and mutual blocks."""
    keyword = command.group("anywhere")
    if keyword not in {"namespace", "section", "mutual", "end"}:
        return
    rest = command.string[command.end() : command.string.find("\n", command.end()) % (len(command.string) + 1)]
    name = re.match(rf"[ \t]*({NAME})?", rest)
    parts = _components((name and name.group(1)) or "")
    if keyword == "namespace":
        scopes += parts
    elif keyword == "end":
        del scopes[max(0, len(scopes) - max(1, len(parts))) :]
    else:
        scopes += [""] * (max(1, len(parts)) if keyword == "section" else 1)


def _components(name: str) -> list[str]:
    return re.findall(r"«[^»]*»|[^.«]+", name)
