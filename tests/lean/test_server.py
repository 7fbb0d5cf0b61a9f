"""Documents, diagnostics and goals through a real Lean server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from lsprotocol.types import Position

from llmstep.errors import CancelledError, LeanError, LeanTimeoutError

from .documents import AND, LEFT, RIGHT, SLOW, WHOLE, marked, messages, settle

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.lean.server import LeanServer

pytestmark = [pytest.mark.lean, pytest.mark.usefixtures("quiet"), pytest.mark.asyncio(loop_scope="module")]


async def test_initialized(server: LeanServer) -> None:
    assert server.alive
    others = [found for found in server.processes() if found.role != "worker"]  # of files that are still open
    assert [(found.pid, found.role) for found in others] == [(server.pid, "watchdog")]
    assert server.processes()[0].rss_bytes > 10_000_000


@pytest.mark.parametrize(
    ("text", "goals"),
    [
        pytest.param(AND[:-3] + "▮by\n  exact ⟨hp, hq⟩\n", [WHOLE], id="at-by"),
        pytest.param(AND[:-1] + "▮\n  exact ⟨hp, hq⟩\n", [WHOLE], id="end-of-the-line-of-by"),
        pytest.param(AND + "  ▮constructor\n  exact hp\n  exact hq\n", [WHOLE], id="first-column-of-a-tactic"),
        pytest.param(AND + "▮  constructor\n  exact hp\n  exact hq\n", [WHOLE], id="indentation-of-the-first-tactic"),
        pytest.param(AND + "  constructor\n ▮ exact hp\n  exact hq\n", [LEFT, RIGHT], id="indentation"),
        pytest.param(AND + "  const▮ructor\n  exact hp\n  exact hq\n", [LEFT, RIGHT], id="inside-a-tactic"),
        pytest.param(AND + "  constructor▮\n  exact hp\n  exact hq\n", [LEFT, RIGHT], id="end-of-a-tactic"),
        pytest.param(AND + "  constructor\n  exact hp\n  ▮exact hq\n", [RIGHT], id="before-the-last-tactic"),
        pytest.param(AND + "  constructor\n  exact hp\n  exact hq▮\n", [], id="end-of-the-last-tactic"),
        pytest.param("example (a b : Nat) (h : a = b) : b = a := by\n  rw [▮h]\n",
                     ["a b : Nat\nh : a = b\n⊢ b = a"], id="before-a-rule-of-rw"),
        pytest.param("example (a b c : Nat) (h : a = b) (k : c = b) : c = a := by\n  rw [h▮]\n  exact k\n",
                     ["a b c : Nat\nh : a = b\nk : c = b\n⊢ c = b"], id="after-a-rule-of-rw"),
        pytest.param(AND + "  ▮sorry\n", [WHOLE], id="at-sorry"),
        pytest.param(AND + "  sorry▮\n", [], id="after-sorry"),
        pytest.param(AND + "  ▮exact hr\n", [WHOLE], id="at-a-failing-tactic"),
        pytest.param(AND + "  exact hr▮\n", [], id="after-a-failing-tactic"),
        pytest.param(AND + "  constructor▮\n", [LEFT, RIGHT], id="end-of-an-incomplete-proof"),
        pytest.param(AND + "  constructor\n▮", [LEFT, RIGHT], id="line-behind-an-incomplete-proof"),
        pytest.param(AND + "  constructor\n\n  ▮\n", [LEFT, RIGHT], id="indented-blank-line-behind"),
        pytest.param("theorem ▮" + AND[8:] + "  exact ⟨hp, hq⟩\n", None, id="statement"),
        pytest.param(AND[:-1] + "▮\n", [WHOLE], id="by-without-tactics"),
        pytest.param(AND + "▮\n", [WHOLE], id="line-behind-by-without-tactics"),
        pytest.param(AND + "  ▮exact (hp\n", [WHOLE], id="start-of-a-tactic-with-a-parse-error"),
        pytest.param(AND + "  exact (hp▮\n", [WHOLE], id="end-of-a-tactic-with-a-parse-error"),
        pytest.param("theorem 𝔸𝔸 (p : Prop) (hp : p) : p := by /- e\u0301∀𝔸 -/ ▮exact hp\n",
                     ["p : Prop\nhp : p\n⊢ p"], id="behind-characters-of-two-units"),
        pytest.param("theorem 𝔸𝔸 (p : Prop) (hp : p) : p := by /- e\u0301∀𝔸 -/ exact hp▮\n", [], id="their-end"),
    ],
)  # fmt: skip
async def test_goals(server: LeanServer, text: str, goals: list[str] | None) -> None:
    """The rows share a document, which one edit turns from row to row."""
    uri = (server.root / "Goals.lean").as_uri()
    whole, position = marked(text)
    await server.change(uri, whole)
    assert await server.plain_goal(uri, position) == goals


async def test_a_column_past_the_end_of_a_blank_line_has_no_goal(server: LeanServer, uri: str) -> None:
    await server.change(uri, AND + "  constructor\n\n")
    assert await server.plain_goal(uri, Position(2, 0)) == [LEFT, RIGHT]
    assert await server.plain_goal(uri, Position(2, 2)) is None
    await server.close(uri)


async def test_diagnostics_are_what_lean_sent(server: LeanServer, uri: str) -> None:
    text = (
        AND + "  constructor\n\n" + AND.replace("both", "done") + "  exact ⟨hp, hq⟩\n\nexample : True := by\n  sorry\n"
    )
    unsolved, warning = sorted(await settle(server, uri, text), key=lambda found: found["severity"])
    assert unsolved["message"] == f"unsolved goals\n{LEFT}\n\n{RIGHT}"
    assert unsolved["leanTags"] == [1]
    assert unsolved["range"] == {"start": {"line": 0, "character": 55}, "end": {"line": 1, "character": 0}}
    assert unsolved["fullRange"] == {"start": {"line": 0, "character": 55}, "end": {"line": 1, "character": 13}}
    assert warning["message"] == "declaration uses `sorry`"
    await server.close(uri)


async def test_closed_documents(server: LeanServer, uri: str) -> None:
    with pytest.raises(LeanError, match="is not open"):
        await server.plain_goal(uri, Position(0, 0))
    version = await server.change(uri, AND + f"  exact ⟨hp, hq⟩\n{SLOW}")
    pending = asyncio.create_task(server.wait(uri, version))
    assert await server.plain_goal(uri, Position(1, 2)) == [WHOLE]  # which is asked behind it
    await server.close(uri)
    await server.close(uri)
    with pytest.raises(CancelledError, match="The document was closed"):
        await pending
    with pytest.raises(LeanError, match="is not open"):
        await server.wait(uri, version)


async def test_documents_are_apart(server: LeanServer, uri: str) -> None:
    others = [uri.replace(".lean", f"{number}.lean") for number in range(3)]
    versions = [await server.change(other, f"#check nothing{number}\n") for number, other in enumerate(others)]
    found = await asyncio.gather(*(server.wait(other, versions[0]) for other in others))
    assert [messages(one) for one in found] == [[f"Unknown identifier `nothing{number}`"] for number in range(3)]
    workers = {member.uri: member.role for member in server.processes() if member.uri in others}
    assert workers == dict.fromkeys(others, "worker")
    for other in others:
        await server.close(other)


async def test_a_slow_proof_times_out_and_the_next_edit_works(server: LeanServer, uri: str) -> None:
    version = await server.change(uri, AND + "  exact ⟨hp, hq⟩\n" + SLOW)
    with pytest.raises(LeanTimeoutError, match=r"Lean did not answer within 0\.5 seconds"):
        await server.wait(uri, version, timeout=0.5)
    with pytest.raises(LeanTimeoutError):
        await server.plain_goal(uri, Position(6, 2), timeout=0.3)
    assert await server.plain_goal(uri, Position(1, 2)) == [WHOLE], "what stands above can still be asked for"
    worker = [member.pid for member in server.processes() if member.uri == uri]
    found = await settle(server, uri, AND + "  exact ⟨hp, hr⟩\n")
    assert messages(found) == ["Unknown identifier `hr`"]
    assert await server.plain_goal(uri, Position(1, 2)) == [WHOLE]
    assert [member.pid for member in server.processes() if member.uri == uri] == worker, "it stopped by itself"
    await server.close(uri)


async def test_cancelling_the_caller(server: LeanServer, uri: str) -> None:
    version = await server.change(uri, AND + f"  exact ⟨hp, hq⟩\n{SLOW}")
    for call in (server.wait(uri, version), server.plain_goal(uri, Position(6, 2))):
        task = asyncio.create_task(call)
        assert await server.plain_goal(uri, Position(1, 2)) == [WHOLE]  # which is asked behind it
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert messages(await settle(server, uri, "#check nothing\n")) == ["Unknown identifier `nothing`"]
    await server.close(uri)


async def test_a_document_at_a_place_with_unusual_characters(server: LeanServer, tmp_path: Path) -> None:
    uri = (tmp_path / "Sätze 𝔸 100%.lean").as_uri()
    await server.change(uri, AND + "  exact ⟨hp, hr⟩\n")
    assert await server.plain_goal(uri, Position(1, 2)) == [WHOLE]
    assert messages(await server.wait(uri, 1)) == ["Unknown identifier `hr`"]
    assert [member.uri for member in server.processes() if member.role == "worker" and "100" in member.uri] == [uri]
    await server.close(uri)
