"""What a model is asked at a place in a file: the goal, the text before it, the theorem's name, the proof so far.

The same for a cursor in an editor, for a client that sends the text before the goal, and for a training pair that was
taken from a file: what a model is trained on is what it will be asked.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from llmstep.lean.place import PLACEHOLDER
from llmstep.lean.site import find_site
from llmstep.lean.text import mask, position_at
from llmstep.types import Ask

if TYPE_CHECKING:
    from llmstep.lean.place import Site
    from llmstep.types import Goal

_STATEMENT: Final = re.compile(r"[\[({⟨\])}⟩]|:=\s*(?:by\b[ \t]*\n?)?")
"""What can stand between the keyword of a declaration and the `:=` of its proof."""


def ask_at(text: str, site: Site, goal: Goal, prefix: str) -> Ask:
    """The ask at a site of a file."""
    return Ask(
        goal=goal,
        prefix=prefix,
        context=(text[: site.start] + site.lead).replace("\r\n", "\n"),  # as Lean reads it
        declaration=site.declaration,
        proof=proof_so_far(text, site),
    )


def ask_behind(context: str, goal: Goal, prefix: str) -> Ask:
    """The ask at the end of a file, for those who have only the text before the goal: the same as at that place.

    Args:
        context: The text up to the place where the next step goes; it may be a part of the file, or empty.
    """
    site = site_behind(context)
    return ask_at(context, site, goal, prefix) if site else Ask(goal, prefix, context)


def site_behind(context: str) -> Site | None:
    """The site of a `sorry` behind the text before a goal; None where the text shows no proof there."""
    site = find_site(context + PLACEHOLDER, position_at(context, len(context))) if context.strip() else None
    return site if site is not None and site.start == len(context) else None


def proof_so_far(text: str, site: Site) -> str:
    """The steps between the `:= by` of the declaration and the site, without the indentation that all have."""
    masked = mask(text[site.scope : site.start])
    depth = 0
    for match in _STATEMENT.finditer(masked):
        token = match.group()
        if token in "([{⟨":
            depth += 1
        elif token in ")]}⟩":
            depth -= 1
        elif depth == 0:
            written = text[site.scope + match.end() : site.start].replace("\r\n", "\n")
            return textwrap.dedent(written.rstrip()).strip("\n")
    return ""
