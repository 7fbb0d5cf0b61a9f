"""How long the companion's event loop is held up by long documents: a table for docs/reliability.md.

    python tests/soak/loop.py [--lean LEAN] [--megabytes 1 10]

The server is the real one in a process of its own (tests/soak/watched.py), with the bundled model and a real Lean.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lsp"))

from client import CAPABILITIES, Editor, Page  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = "theorem last (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
SHAPES: dict[str, Callable[[int], str]] = {
    "theorems": lambda size: "".join(
        f"theorem t{n} (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  exact ⟨hp, hq⟩\n\n" for n in range(size // 78)
    ),
    "brackets": lambda size: "def x : Nat := " + "(" * (size // 2) + ")" * (size // 2) + "\n\n",
    "one line": lambda size: "-- " + "∀ε>0, " * (size // 6) + "\n",
    "a comment": lambda size: "/- " + "word ∧ word\n" * (size // 12) + "-/\n",
}


async def watched(folder: Path, options: dict[str, Any]) -> Editor:
    """An editor at a watched server."""
    editor = Editor()
    await editor.client.start_io(sys.executable, str(HERE / "watched.py"), cwd=folder)
    editor.adopt()
    await editor.introduce(folder, options=options, capabilities=CAPABILITIES)
    await editor.execute("llmstep.status")
    return editor


async def figures(editor: Editor, steps: dict[str, Callable[[], Any]], seconds: float) -> dict[str, dict[str, Any]]:
    """What the loop suffered from each step; a step that takes longer than so many seconds is left alone."""
    found = {}
    await editor.execute("watch.loop")
    for name, step in steps.items():
        waited = step()
        if waited is not None:
            task = asyncio.ensure_future(waited)
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                print(f"    {name}: not done in {seconds:g} s", flush=True)
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            elif (error := task.exception()) is not None:
                print(f"    {name}: {error}"[:200], flush=True)
        found[name] = await editor.execute("watch.loop")
    return found


def steps(editor: Editor, path: Path, text: str) -> dict[str, Callable[[], Any]]:
    """What a user does with a document."""
    page: Page = Page(editor, path.as_uri(), text)

    def opened() -> None:
        page.text = editor.open(path, text).text

    def typed() -> None:
        page.edit(_range(page, "sorry", 0, 0), " ")

    async def many() -> None:
        for _ in range(20):
            page.edit(_range(page, "sorry", 0, 0), " ")

    return {
        "open": opened,
        "type": typed,
        "code actions": lambda: page.actions(page.at("sorry")),
        "suggest": lambda: page.suggest(page.at("sorry"), count=4),
        "code actions after": lambda: page.actions(page.at("sorry")),
        "hints": page.hints,
        "type in front": lambda: page.edit(_range(page, "def x" if "def x" in page.text else "last", 0, 0), ""),
        "type 20 times": many,
        "fill sorries": lambda: editor.execute(
            "llmstep.fillSorries", {"textDocument": {"uri": page.uri}, "seconds": 1}
        ),
        "close": page.close,
    }


def _range(page: Page, mark: str, start: int, end: int) -> Any:
    from lsprotocol import types

    return types.Range(page.at(mark, start), page.at(mark, end))


async def main(lean: str, sizes: list[int], shapes: list[str], seconds: float, *, explain: bool) -> None:
    options = {
        "model": "starter",
        "device": "cpu",
        "lean": {"command": [lean, "--server"], "timeoutSeconds": seconds},
        "http": {"enabled": False},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in sizes:
            for shape in shapes:
                editor = await watched(folder, options)
                small = editor.open(folder / "Small.lean", GOAL)  # what is imported and loaded once is another matter
                await small.suggest(small.at("sorry"), count=4)
                await editor.execute("llmstep.fillSorries", {"textDocument": {"uri": small.uri}, "seconds": 1})
                text = SHAPES[shape](size * 1_000_000) + GOAL
                found = await figures(editor, steps(editor, folder / "A.lean", text), seconds)
                print(f"{size} MB, {shape}", flush=True)
                for step, told in found.items():
                    times = "   ".join(f"{name} {told[name]:7.1f} ms" for name in ("delay", "work", "collection"))
                    print(f"    {step:20} {times}" + (f"   {told['callback'][:400]}" if explain else ""), flush=True)
                assert editor.process is not None
                editor.process.kill()
                await editor.process.wait()
                await editor.disconnect()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lean", default=str(HERE.parents[1] / "build" / "lean" / "bin" / "lean"))
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--explain", action="store_true", help="which callback took longest")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    asyncio.run(
        main(arguments.lean, arguments.megabytes, arguments.shapes, arguments.seconds, explain=arguments.explain)
    )
