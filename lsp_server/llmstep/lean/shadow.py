"""The shadow document of a file on a Lean server: one candidate after the other at the end of the text."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lsprotocol.types import Position

from llmstep.errors import LeanError, LeanTimeoutError, LlmstepError
from llmstep.lean.imports import Imports, header_error, imports_of
from llmstep.lean.insertion_point import ShadowText
from llmstep.lean.process import spinning
from llmstep.lean.server import LeanServer
from llmstep.lean.verdict import Diagnostic, Outcome

GRACE_SECONDS = 4.0
"""How long Lean may take to come back from a candidate that was given up."""
PATIENCE = 3
"""Versions in a row that may come to their time limit at one line before Lean's worker is replaced."""

_REST = 10
"""The pause between two looks at the imports, in multiples of what a look takes: Mathlib has thousands of files."""

_NEXT = "\n\nexample : True := by\n"
_PROBE = "\n\nexample : 0 = 1 := by\n  decide +kernel\n"
"""Behind a placeholder stands what only the kernel refuses: without an error there the kernel checks nothing."""
_AFTER_A_PAUSE = _NEXT + "  iterate 100 sleep 2\n  trivial\n"
"""Behind a candidate stands a command that takes Lean a fifth of a second, asleep. When the report comes to it, all
about the candidate is known, and the next edit ends it. Without it Lean would be done, and would make its index of the
whole file for every candidate, which in long files costs far more than the candidate."""

_NEXT_TOKEN = re.compile(r"\Aunexpected token '(?:example|#print)'")
_END = "unexpected end of input"
"""What Lean says of a candidate that stops short, when nothing stands behind it."""

_SCOPE = re.compile(
    r"[ \t]*(?:(?:noncomputable|public|private|meta|@\[[^\]\n]*\])[ \t]+)*(?:namespace|section|mutual)(?![\w.'])"
)
"""A line that begins a part of a file, which holds commands of its own."""

T = TypeVar("T")
U = TypeVar("U")


class Shadow:
    """One document of a Lean server. Calls must not overlap.

    Args:
        uri: That of the file itself, so that Lean sees it in its project; the server is ours alone.
        patience: Longest wait in seconds for what stands above the candidates.
    """

    def __init__(self, server: LeanServer, uri: str, patience: float) -> None:
        self.server = server
        self.uri = uri
        self.patience = patience
        self._ready: tuple[str, int | None] | None = None
        """The text up to the candidates that Lean has elaborated, and the process that did."""
        self._given_up: str | None = None
        """The text that was ready for a candidate that Lean may still be at."""
        self._timeouts = 0
        """Versions in a row that came to their time limit while Lean got nowhere."""
        self._late_at = (0, -1)
        """The last of them, and the line that Lean was at."""
        self.is_open = False
        self._imports = Imports()
        self._read_for: tuple[int | None, list[str]] | None = None
        """The opening of the document, and its imports, that `_imports` are those of."""
        self._look_again = 0.0
        self.is_outdated = False
        """What the imports said is no longer known, so that Lean has to read them again."""

    async def settle(self, prefix: str, rest: ShadowText, question: str = "") -> tuple[Outcome, tuple[str, ...] | None]:
        """Has Lean elaborate a document to its end, however long it takes (up to `patience`).

        Args:
            prefix: The text up to the candidate.
            rest: The document with the placeholder; a question may stand behind it.

        Returns:
            The outcome, and the goals at the placeholder.
        """
        await self._recover()
        self._ready = None
        self.is_open = True
        version = await self.server.change(self.uri, rest.text + (_asked(question) + _PROBE if rest.whole else ""))
        try:
            found = await self.server.wait(self.uri, version, self.patience)
            goals = await self.goals_at(rest.start, self.patience)
            left = await self.goals_at(rest.probe, self.patience)
        except LeanTimeoutError:
            await self._note_timeout()
            raise
        self._timeouts = 0
        await self._read_imports(rest.text, found)
        self._ready = (prefix, self.server.pid)
        return _outcome(rest, found, left, question), goals

    async def _note_timeout(self) -> None:
        """Replaces a worker that gets nowhere; one that is slow, or asked for the same once more, goes on."""
        version, line = self.server.reached(self.uri) or (0, -1)
        before, self._late_at = self._late_at, (version, line)
        if version != before[0]:
            self._timeouts = self._timeouts + 1 if line == before[1] else 1
        if self._timeouts >= PATIENCE:
            self._timeouts = 0
            await self.server.close(self.uri)

    async def _read_imports(self, text: str, said: Sequence[Diagnostic]) -> None:
        """Notes what the imports were read from, where Lean has just read them; raises LeanError where it could not."""
        opening = (self.server.opening(self.uri), imports_of(text))
        if error := header_error(said, text, self.server.root, self.server.stderr):
            self.is_outdated = True
            raise error
        if self._read_for != opening:
            worker = await asyncio.to_thread(self.server.worker, self.uri)
            self._imports = await asyncio.to_thread(Imports.read, worker, text, self.server.root)
            self._read_for = opening

    async def look_at_imports(self) -> None:
        """Notes whether the imports have changed since they were read."""
        if self.is_outdated or time.monotonic() < self._look_again:
            return
        self.is_outdated, took = await asyncio.to_thread(_timed, self._imports.changed)
        self._look_again = time.monotonic() + _REST * took

    def rests_on(self, file: Path) -> bool:
        """Whether a file is among the imports."""
        return self._imports.rest_on(file)

    def is_ready(self, prefix: str) -> bool:
        """Whether an edit behind `prefix` is all that Lean has to elaborate."""
        return self._ready == (prefix, self.server.pid)

    async def _recover(self) -> None:
        """Has Lean come back from a candidate that was given up.

        An edit ends it, as a rule, but not compiled code (`native_decide`), which blocks a worker sooner or later. A
        worker that does not come back soon, or that goes on computing, is replaced.
        """
        if self._given_up is None:
            return
        try:
            version = await self.server.change(self.uri, self._given_up)
            await self.server.settled(self.uri, version, GRACE_SECONDS)
            worker = await asyncio.to_thread(self.server.worker, self.uri)
            stuck = worker is not None and await spinning(worker)
        except LeanTimeoutError:
            stuck = True
        if stuck:
            await self.server.close(self.uri)
        self._given_up = None  # not before, since the caller may be cancelled

    def forget(self) -> None:
        """Lean has to elaborate more than a candidate, since the text above was changed."""
        self._ready = None

    async def run(self, shadow: ShadowText, seconds: float, question: str | None = None) -> Outcome:
        """Has Lean elaborate a candidate behind the text that is ready, for so many seconds at most.

        When it takes longer or the caller is cancelled, the candidate is taken back, which stops Lean.

        Args:
            question: A command behind the candidate; with one, an empty one included, goals are not asked for.
        """
        try:
            version = await self._change(shadow, question or "")
            settled = self.server.settled(self.uri, version, seconds)
            if question is not None:
                return _outcome(shadow, await settled, None, question)
            return _outcome(shadow, *await _both(settled, self.goals_at(shadow.probe, seconds)), "")
        except (LeanError, asyncio.CancelledError):
            self._given_up, self._ready = (self._ready[0] if self._ready else ""), None
            with contextlib.suppress(LlmstepError):
                await self.server.change(self.uri, self._given_up)
            raise

    async def read(self, text: str) -> list[Diagnostic]:
        """What Lean has to say about a whole text, however long that takes (up to `patience`)."""
        await self._recover()
        self._ready = None
        self.is_open = True
        try:
            said = await self.server.wait(self.uri, await self.server.change(self.uri, text), self.patience)
            await self._read_imports(text, said)
            return said
        except (LeanError, asyncio.CancelledError):
            self._given_up = ""
            raise

    async def goals_at(self, position: Position, seconds: float) -> tuple[str, ...] | None:
        """The goals at another place of the document."""
        goals = await self.server.plain_goal(self.uri, position, seconds)
        return None if goals is None else tuple(goals)

    async def command_line(self, shadow: ShadowText) -> int:
        """The first line of the command that the candidate's place is in, its doc comment perhaps included."""
        found = await self.server.ask(self.uri, "textDocument/foldingRange", self.patience)
        regions = [each for each in found or () if each.get("kind") == "region"]  # no command of one line has one
        line, lines = shadow.start.line, shadow.text.split("\n")
        around = [each["startLine"] for each in regions if each["startLine"] <= line <= each["endLine"]]
        return max((each for each in around if not _SCOPE.match(lines[each])), default=line)

    async def close(self) -> None:
        """Closes the document, which frees its worker's memory. It may be used again."""
        self._ready = None
        self.is_open = False
        await self.server.close(self.uri)

    async def reopen(self) -> None:
        """Closes the document, so that Lean reads the imports again at its next use."""
        await self.close()
        self.is_outdated, self._imports, self._read_for = False, Imports(), None

    async def _change(self, shadow: ShadowText, question: str) -> int:
        if not shadow.whole:
            return await self.server.change(self.uri, shadow.text)
        asked = _asked(question)
        until = shadow.text.count("\n") + asked.count("\n") + _NEXT.index("example")
        return await self.server.change(self.uri, shadow.text + asked + _AFTER_A_PAUSE, until)


def _outcome(shadow: ShadowText, found: list[Diagnostic], goals: tuple[str, ...] | None, question: str) -> Outcome:
    if shadow.whole:
        found = [{**each, "message": _NEXT_TOKEN.sub(_END, each["message"])} for each in found]
    asked = shadow.text.count("\n") + _asked(question).index(question) if question and shadow.whole else None
    return Outcome(shadow, found, goals, asked)


def _asked(question: str) -> str:
    """A question as it stands behind a candidate; its text begins on the line with the number of its offset."""
    return f"\n\n{question}" if question else ""


def _timed(look: Callable[[], bool]) -> tuple[bool, float]:
    """What it says, and the seconds of work that it took."""
    started = time.thread_time()
    return look(), time.thread_time() - started


async def _both(first: Awaitable[T], second: Awaitable[U]) -> tuple[T, U]:
    """Waits for two things at once; when one fails, the other is cancelled."""
    tasks = (asyncio.ensure_future(first), asyncio.ensure_future(second))
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
