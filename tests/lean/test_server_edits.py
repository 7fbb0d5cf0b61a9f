"""Documents that change while a real Lean server works at them."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from lsprotocol.types import Position

from llmstep.errors import CancelledError
from llmstep.lean.documents import wire

from .documents import AND, SLOW, WHOLE, marked, messages, settle

if TYPE_CHECKING:
    from llmstep.lean.server import LeanServer

pytestmark = [pytest.mark.lean, pytest.mark.usefixtures("quiet"), pytest.mark.asyncio(loop_scope="module")]


async def test_each_wait_has_the_diagnostics_of_its_version(server: LeanServer, uri: str) -> None:
    for name in ("hx", "hy", "hz", "hp", "hx"):
        found = await settle(server, uri, AND + f"  exact ⟨{name}, hq⟩\n")
        assert messages(found) == ([] if name == "hp" else [f"Unknown identifier `{name}`"])
    await server.close(uri)


async def test_quick_edits(server: LeanServer, uri: str) -> None:
    """Of many versions sent without waiting, only the last can be waited for; the others say so at once."""
    await settle(server, uri, AND + "  exact ⟨hp, h0⟩\n")
    waits = []
    for number in range(1, 30):
        version = await server.change(uri, AND + f"  exact ⟨hp, h{number}⟩\n")
        waits.append(asyncio.create_task(server.wait(uri, version)))
        await asyncio.sleep(0)
    *old, last = await asyncio.gather(*waits, return_exceptions=True)
    assert isinstance(last, list)
    assert messages(last) == ["Unknown identifier `h29`"]
    assert [type(error) for error in old] == [CancelledError] * 28
    await server.close(uri)


async def test_an_edit_between_an_answer_and_its_reader(server: LeanServer, uri: str) -> None:
    """Of two readers of one version the first edits: the second gets the diagnostics of its version, or none."""

    async def edit(version: int, text: str) -> int:
        await server.wait(uri, version)
        return await server.change(uri, text)

    version = await server.change(uri, AND + "  exact ⟨hp, h0⟩\n")
    for number in range(1, 11):
        newer, found, goal = await asyncio.gather(
            edit(version, AND + f"  exact ⟨hp, h{number}⟩\n"),
            server.wait(uri, version),
            server.plain_goal(uri, Position(1, 2)),
            return_exceptions=True,
        )
        if not isinstance(found, CancelledError):
            assert isinstance(found, list)
            assert messages(found) == [f"Unknown identifier `h{number - 1}`"]
        assert isinstance(goal, CancelledError) or goal == [WHOLE]
        assert isinstance(newer, int)
        version = newer
    await server.close(uri)


async def test_an_edit_ends_a_pending_request(server: LeanServer, uri: str) -> None:
    version = await server.change(uri, AND + f"  exact ⟨hp, hq⟩\n{SLOW}")
    end = Position(6, 0)
    pending = [asyncio.create_task(call) for call in (server.wait(uri, version), server.plain_goal(uri, end))]
    assert await server.plain_goal(uri, Position(1, 2)) == [WHOLE]  # which is asked behind them
    newer = await server.change(uri, AND + "  exact ⟨hp, hq⟩\n")
    for error in await asyncio.gather(*pending, return_exceptions=True):
        assert isinstance(error, CancelledError)
        assert error.message == "The document was edited."
    assert newer == version + 1
    assert messages(await server.wait(uri, newer)) == []
    with pytest.raises(CancelledError, match="The document was edited"):
        await server.wait(uri, version)
    await server.close(uri)


async def test_the_same_text_is_the_same_version(server: LeanServer, uri: str) -> None:
    version = await server.change(uri, AND)
    assert await server.change(uri, AND) == version == await server.change(uri, AND)
    assert await server.change(uri, AND + "  sorry") == version + 1
    await server.close(uri)


@pytest.mark.parametrize("header", ["import Init\n", "import No.Such.Module\n"])
async def test_edits_of_the_imports(server: LeanServer, uri: str, header: str) -> None:
    """Lean starts its worker again for them; requests sent right behind the edit are answered all the same."""
    start = await settle(server, uri, AND + "  skip\n")
    missing = "Such" in header
    for _ in range(2):
        await server.change(uri, header + AND + "  skip\n")
        assert await server.plain_goal(uri, Position(2, 2)) == (None if missing else [WHOLE])
        found = await settle(server, uri, header + AND + "  skip\n")
        assert [message.split("\n")[0] for message in messages(found)] != [] if missing else len(found) == len(start)
        if missing:
            assert "No" in messages(found)[0]
            assert found[0]["range"]["start"] == {"line": 0, "character": 0}
        version = await server.change(uri, AND + "  skip\n")
        assert await server.wait(uri, version) == start
    await server.close(uri)


SYMBOLS = ("a", "b", " ", "∀", "𝔸", "𝕜", "e\u0301", "\u0301", "🙂", "«", "\n", "\r\n", "\t", "--", "/-")


def echo(content: str) -> str:
    """The message of Lean that quotes the string `content`."""
    quoted = content.replace("\r\n", "\n").replace("\n", "\\n").replace("\t", "\\t")
    return f'Type mismatch\n  "{quoted}"'


async def test_random_edits_keep_the_server_in_step(server: LeanServer, uri: str) -> None:
    """Lean has our text after 200 edits: it quotes a string of it, and an error behind that stands where it must."""
    rng = random.Random(20261)
    content: list[str] = list("ab")
    version = 0
    for number in range(200):
        at = rng.randint(0, len(content))
        length = rng.choice((0, 0, 1, 2, 5))
        inserted = rng.choices(SYMBOLS, k=rng.choice((0, 1, 1, 2, 6)))
        content[at : at + length] = inserted
        if len(content) > 40:
            del content[rng.randint(0, 20) : rng.randint(20, 40)]
        body = "".join(content)
        newline = rng.choice(("\n", "\r\n"))
        text = f'theorem t : False := "{body}"{newline}/- {body.replace("/", "|")} -/ #check behind'
        version = await server.change(uri, text)
        if number % 3 == 0 or number > 190:
            found = await server.wait(uri, version)
            starts = {error["message"].partition("\nhas type")[0]: error["fullRange"]["start"] for error in found}
            _, string = marked(text.replace('"', '▮"', 1))
            _, behind = marked(text.replace("behind", "▮behind"))
            assert starts == {echo(body): wire(string), "Unknown identifier `behind`": wire(behind)}, repr(text)
    assert version > 150
    await server.close(uri)
