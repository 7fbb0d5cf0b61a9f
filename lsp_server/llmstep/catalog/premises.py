"""Premises in front of a goal, as ReProver was trained on them (https://github.com/lean-dojo/ReProver, `common.py`)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmstep.types import Premise

GAP = "\n\n"
"""Behind each premise."""


def marked(premise: Premise) -> str:
    """The code of a premise with its full name, in marks, in the place of the name that it is defined by.

    That is the longest end of the name which occurs in the code behind a blank: `theorem add_comm …` in the namespace
    `Nat` becomes `theorem <a>Nat.add_comm</a> …`.
    """
    name = f"<a>{premise.name}</a>"
    code = premise.code.replace(f"_root_.{premise.name}", name)
    parts = premise.name.split(".")
    for index in range(len(parts)):
        end = re.escape(".".join(parts[index:]))
        changed = re.sub(rf"(?<=\s)«?{end}»?", lambda _: name, code)
        if changed != code:
            return changed
    return code


def in_front(state: str, premises: Sequence[Premise], max_bytes: int) -> str:
    """The premises that go in front of a state, the best next to it.

    Taken in their order as long as premises and state together have at most so many bytes in UTF-8. One that is too
    long is passed over, and shorter ones behind it still come.
    """
    capacity = max_bytes - len(state.encode())
    text = ""
    for premise in premises:
        one = marked(premise) + GAP
        size = len(one.encode())
        if size <= capacity:
            capacity -= size
            text = one + text
    return text
