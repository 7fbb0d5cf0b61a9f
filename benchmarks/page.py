"""A Lean file that is open in a companion: finished theorems above an unfinished one, and what an editor asks there."""

from __future__ import annotations

import itertools
import string
import time
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.companion import Companion

THEOREM_LINES = 5
_ABOVE = """theorem above{number} (p q : Prop) (hp : p) (hq : q) : q ∧ p := by
  constructor
  · exact hq
  · exact hp

"""
_STATEMENT = "theorem asked ({0} {1} : Prop) (h : {0} ∨ {1}) : {1} ∨ {0} := by"
_GOAL = "{0} {1} : Prop\nh : {0} ∨ {1}\n⊢ {1} ∨ {0}"
_NAMES = tuple(itertools.permutations(string.ascii_lowercase.replace("h", ""), 2))
_BELOW = "\n  sorry\n\n-- The next line is typed into.\n-- "


def file_text(lines: int, goal: int) -> str:
    """A file of so many lines, a multiple of five.

    Args:
        goal: Number of the goal of its last theorem; those up to 599 differ, in the names of their variables.
    """
    above = "".join(_ABOVE.format(number=number) for number in range(lines // THEOREM_LINES - 1))
    return above + _stated(goal) + _BELOW


def _stated(goal: int, form: str = _STATEMENT) -> str:
    return form.format(*_NAMES[goal % len(_NAMES)])


@attrs.define
class Page:
    """Such a file, edited and asked about at its end."""

    companion: Companion
    uri: str
    lines: int
    goal: int
    version: int = 1
    typed: int = 0

    @classmethod
    def open(cls, companion: Companion, path: Path, lines: int, goal: int = 0) -> Page:
        """Open a file, which need not exist on disk."""
        page = cls(companion, path.as_uri(), lines, goal)
        page._tell_goal()
        item = types.TextDocumentItem(page.uri, "lean4", page.version, file_text(lines, goal))
        companion.tell(types.TEXT_DOCUMENT_DID_OPEN, types.DidOpenTextDocumentParams(item))
        return page

    def close(self) -> None:
        params = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(self.uri))
        self.companion.tell(types.TEXT_DOCUMENT_DID_CLOSE, params)

    @property
    def _first(self) -> int:
        """Line of the last theorem."""
        return self.lines - THEOREM_LINES

    def restate(self, goal: int) -> None:
        """Edit the statement of the last theorem, which makes another goal of it."""
        end = types.Position(self._first, len(_stated(self.goal)))
        self.goal = goal
        self._tell_goal()
        self._edit(types.Range(types.Position(self._first, 0), end), _stated(goal))

    async def ask(self, count: int | None = None) -> list[dict[str, Any]]:
        """Ask for suggestions at the `sorry`.

        Raises:
            LlmstepError: The companion gives none, or an edit has ended the work.
        """
        more = {} if count is None else {"count": count}
        argument = {"textDocument": {"uri": self.uri}, "position": {"line": self._first + 1, "character": 4}, **more}
        answer = await self.companion.command("llmstep.suggest", argument)
        return list(answer["suggestions"])

    async def ask_seconds(self) -> tuple[float, int]:
        """How long suggestions at the `sorry` take, and their number."""
        started = time.perf_counter()
        suggestions = await self.ask()
        return time.perf_counter() - started, len(suggestions)

    async def action_seconds(self) -> tuple[float, int]:
        """How long code actions at the `sorry` take, and their number."""
        here = types.Position(self._first + 1, 4)
        context = types.CodeActionContext([], trigger_kind=types.CodeActionTriggerKind.Automatic)
        params = types.CodeActionParams(types.TextDocumentIdentifier(self.uri), types.Range(here, here), context)
        return await self._timed(types.TEXT_DOCUMENT_CODE_ACTION, params)

    async def hint_seconds(self) -> tuple[float, int]:
        """How long the inlay hints of the last screenful take, and their number."""
        return await self._timed(types.TEXT_DOCUMENT_INLAY_HINT, self._hints(max(0, self.lines - 50), self.lines))

    async def change_seconds(self) -> float:
        """How long it takes from typing a character below the theorem until a request without work is answered."""
        end = types.Position(self.lines - 1, 3 + self.typed)
        started = time.perf_counter()
        self._edit(types.Range(end, end), "x")
        self.typed += 1
        await self.companion.ask(types.TEXT_DOCUMENT_INLAY_HINT, self._hints(0, 0))
        return time.perf_counter() - started

    def _hints(self, first: int, last: int) -> types.InlayHintParams:
        where = types.Range(types.Position(first, 0), types.Position(last, 0))
        return types.InlayHintParams(types.TextDocumentIdentifier(self.uri), where)

    async def _timed(self, method: str, params: Any) -> tuple[float, int]:
        started = time.perf_counter()
        answer = await self.companion.ask(method, params)
        return time.perf_counter() - started, len(answer or [])

    def _tell_goal(self) -> None:
        self.companion.goals[self.uri] = _stated(self.goal, _GOAL)

    def _edit(self, where: types.Range, new: str) -> None:
        self.version += 1
        document = types.VersionedTextDocumentIdentifier(version=self.version, uri=self.uri)
        change = types.TextDocumentContentChangePartial(range=where, text=new)
        params = types.DidChangeTextDocumentParams(document, [change])
        self.companion.tell(types.TEXT_DOCUMENT_DID_CHANGE, params)
