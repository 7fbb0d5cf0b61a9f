"""Hypothesis plays an editor: it does what users do in any order, at a real server with a real Lean.

What must hold after each step: each request was answered (with a result, or with an error of the protocol's), and where
the client looks, the server's text is the client's own. At the end the server has no more descriptors, threads and
processes than a rested one has. `LLMSTEP_SOAK_STEPS` says how many steps in all (`make soak`: 10 000).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from lsprotocol import types

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lsp"))

from lsp_page import Page, offset, position

from .played_world import World

pytestmark = pytest.mark.lean

STEPS = int(os.environ.get("LLMSTEP_SOAK_STEPS", "240"))
STEPS_OF_A_RUN = 60
FILES = 3
HEAD = "theorem t{n} (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n\n"
START = "".join(HEAD.format(n=n) for n in range(3))
PIECES = st.one_of(
    st.sampled_from(
        ["\n", "\r\n", "  sorry\n", "by", "⟨", "(", "/-", "-/", '"', "𝔸", "🙂", "\u2028", "\f", "\r", "constructor\n  "]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
    st.sampled_from([HEAD.format(n=9), "import Nope\n", 's!"{1}"', "exact ⟨hp, hq⟩"]),
)


class Machine(RuleBasedStateMachine):
    """An editor with some files."""

    world: World

    @initialize()
    def begin(self) -> None:
        for page in self.world.pages.values():
            page.close()
        self.world.pages.clear()

    @invariant()
    def counted(self) -> None:
        self.world.steps += 1
        self.world.loop.run_until_complete(asyncio.sleep(0.005))

    def page(self, number: int) -> Page:
        pages = self.world.pages
        if number not in pages:
            pages[number] = self.world.editor.open(self.world.folder / f"Soak{number}.lean", START)
        return pages[number]

    @rule(number=st.integers(0, FILES - 1), at=st.floats(0, 1), length=st.integers(0, 30), new=PIECES)
    def edit(self, number: int, at: float, length: int, new: str) -> None:
        page = self.page(number)
        start, end = _whole(page.text, int(at * len(page.text))), 0
        end = _whole(page.text, min(len(page.text), start + length))
        if len(page.text) > 20_000:
            page.set(START)
        else:
            page.edit(types.Range(position(page.text, start), position(page.text, end)), new)

    @rule(number=st.integers(0, FILES - 1), crlf=st.booleans())
    def replace_all(self, number: int, crlf: bool) -> None:
        self.page(number).set(START.replace("\n", "\r\n") if crlf else START)

    @rule(number=st.integers(0, FILES - 1), new=st.lists(PIECES, max_size=5))
    def several_changes(self, number: int, new: list[str]) -> None:
        """In one message; each is in the text that those before it have made."""
        page = self.page(number)
        changes: list[types.TextDocumentContentChangeEvent] = []
        for piece in new:
            place = position(page.text, _whole(page.text, len(page.text) // 2))
            where = types.Range(place, place)
            at = offset(page.text, place)
            page.text = page.text[:at] + piece + page.text[at:]
            changes.append(types.TextDocumentContentChangePartial(range=where, text=piece))
        page.version += 1
        self.world.editor.client.text_document_did_change(
            types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(page.version, page.uri), changes)
        )

    @rule(number=st.integers(0, FILES - 1))
    def close(self, number: int) -> None:
        if page := self.world.pages.pop(number, None):
            page.close()

    @rule(number=st.integers(0, FILES - 1), line=st.integers(0, 12), character=st.integers(0, 70))
    def code_actions(self, number: int, line: int, character: int) -> None:
        place = types.Position(line, character)
        self.world.ask(
            types.TEXT_DOCUMENT_CODE_ACTION,
            types.CodeActionParams(self.page(number).id, types.Range(place, place), types.CodeActionContext([])),
        )

    @rule(number=st.integers(0, FILES - 1))
    def hints(self, number: int) -> None:
        whole = types.Range(types.Position(0, 0), types.Position(1000, 0))
        self.world.ask(types.TEXT_DOCUMENT_INLAY_HINT, types.InlayHintParams(self.page(number).id, whole))

    @rule(number=st.integers(0, FILES - 1), line=st.sampled_from([1, 4, 7, 2]), cancel=st.booleans())
    def suggest(self, number: int, line: int, cancel: bool) -> None:
        place = {"line": line, "character": 2}
        argument = {"textDocument": {"uri": self.page(number).uri}, "position": place, "count": 2}
        self.command("llmstep.suggest", argument, cancel)

    @rule(number=st.integers(0, FILES - 1), name=st.sampled_from(["choose", "accept"]))
    def choose(self, number: int, name: str) -> None:
        place = {"line": 1, "character": 2}
        self.command(f"llmstep.{name}", {"textDocument": {"uri": self.page(number).uri}, "position": place}, False)

    @rule(number=st.integers(0, FILES - 1), cancel=st.booleans())
    def prove(self, number: int, cancel: bool) -> None:
        argument = {"textDocument": {"uri": self.page(number).uri}, "position": {"line": 1, "character": 2}}
        limits = {"tactics": "list", "seconds": 1, "expansions": 1, "samples": 1}
        self.command("llmstep.prove", {**argument, **limits}, cancel)

    @rule(chance=st.integers(0, 9))
    def stop(self, chance: int) -> None:
        if not chance:
            self.command("llmstep.stop", None, False)

    @rule(seconds=st.sampled_from([0.1, 0.5]))
    def rest(self, seconds: float) -> None:
        self.world.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(number=st.integers(0, FILES - 1), line=st.sampled_from([1, 4, 7]))
    def suggest_and_accept(self, number: int, line: int) -> None:
        """To the end, in a text that Lean understands; the first step goes into the text."""
        page = self.page(number)
        page.set(START)
        self.world.settle()
        self.suggest(number, line, False)
        self.world.settle()
        place = types.Position(line, 2)
        actions = self.world.run(page.actions(place))
        if actions[0].edit is not None:
            page.set(page.accept(actions[0]))

    @rule(count=st.integers(1, 4), checked=st.booleans(), hinted=st.booleans())
    def configure(self, count: int, checked: bool, hinted: bool) -> None:
        changed = {**self.world.options, "count": count, "check": {"enabled": checked}, "inlayHints.enabled": hinted}
        settings = types.DidChangeConfigurationParams({"llmstep": changed})
        self.world.editor.client.workspace_did_change_configuration(settings)

    def command(self, name: str, argument: Any, cancel: bool) -> None:
        params = types.ExecuteCommandParams(name, [] if argument is None else [argument])
        identifier = self.world.ask(types.WORKSPACE_EXECUTE_COMMAND, params)
        if cancel:
            self.world.cancelled += 1
            self.world.editor.cancel(identifier)

    @rule(number=st.integers(0, FILES - 1))
    def compare(self, number: int) -> None:
        """The server replaces a `sorry` at the end where the client has it, however the text in front of it came."""
        page = self.page(number)
        end = position(page.text, len(page.text))
        page.edit(types.Range(end, end), '\n-/ "\n-/\nexample : True := by\n  sorry')
        where = position(page.text, len(page.text) - 5)
        actions = self.world.run(page.actions(where))
        for action in actions:
            if action.command and action.command.arguments:
                assert action.command.arguments[0]["position"] == {"line": where.line, "character": where.character}
        self.same_text(page)

    def same_text(self, page: Page) -> None:
        told = self.world.run(self.world.editor.execute("watch.text", {"uri": page.uri}))
        assert told == page.text, "the server's text is another one"
        self.world.compared += 1

    def teardown(self) -> None:
        self.world.settle()
        for page in self.world.pages.values():
            self.same_text(page)


def _whole(text: str, index: int) -> int:
    """An offset that parts no line break of two characters, as editors see to."""
    return index - 1 if text[index - 1 : index + 1] == "\r\n" else index


def test_any_order_of_a_users_doings(lean_command: tuple[str, ...], tmp_path: Path) -> None:
    options = {
        "model": "starter",
        "device": "cpu",
        "count": 2,
        "lean": {"command": list(lean_command), "timeoutSeconds": 20},
        "http": {"enabled": False},
    }
    world = Machine.world = World(tmp_path, options)
    try:
        page = world.editor.open(tmp_path / "Warm.lean", START)
        world.run(page.suggest(types.Position(1, 2)))
        page.close()
        _play(min(STEPS, 2 * STEPS_OF_A_RUN))
        rested = world.size()
        while world.steps < STEPS:
            _play(STEPS - world.steps)
        ended = world.size()
        print(
            f"\n{world.steps} steps, {world.requests} requests, {world.cancelled} cancelled, "
            f"{world.compared} comparisons; {rested} -> {ended}"
        )
        for outcome, times in world.outcomes.most_common(25):
            print(f"  {times:6} {outcome}")
        for name, most in {"descriptors": 8, "threads": 6, "processes": 6, "megabytes": 150}.items():
            assert ended[name] <= rested[name] + most, name
    finally:
        world.close()


def _play(steps: int) -> None:
    runs = settings(
        max_examples=max(1, steps // STEPS_OF_A_RUN),
        stateful_step_count=STEPS_OF_A_RUN,
        deadline=None,
        phases=[Phase.generate],  # a server has a past: a shorter way to the same failure is another one
        database=None,
        derandomize=os.environ.get("LLMSTEP_SOAK_STEPS") is None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=runs)
