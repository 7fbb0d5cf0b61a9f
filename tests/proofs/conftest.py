"""A prover whose model is a script at a real server, on the real Lean, and `lean` itself as the judge of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio
from scripted_model import PLAN, ScriptedModel

from llmstep.engine.remote.openai import OpenAiEngine
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import offset_at, position_at
from llmstep.lean.workspace import LeanWorkspace
from llmstep.proofs.prover import WholeProver
from llmstep.search.attempt import Task
from llmstep.settings import LeanSettings, RemoteSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lsprotocol.types import TextEdit
    from scripted_model import Reply, Script

    from llmstep.progress import Progress
    from llmstep.search.attempt import Attempt, Plan


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def workspace(lean_command: tuple[str, ...]) -> AsyncIterator[LeanWorkspace]:
    made = LeanWorkspace(Settings(lean=LeanSettings(command=lean_command)))
    yield made
    await made.close()


@attrs.define
class Run:
    """One attempt with a scripted model."""

    found: Attempt
    model: ScriptedModel
    messages: list[str]
    """Of the progress."""
    text: str
    """The file after the edit of the proof, or of the part of one."""


@pytest.fixture
def run(workspace: LeanWorkspace, tmp_path: Path) -> Callable[..., object]:
    """Attempts at `§` of a text."""

    async def attempt(text: str, script: Script | list[Reply | str], plan: Plan = PLAN, **settings: Any) -> Run:
        cursor = text.index("§")
        plain = text.replace("§", "", 1)
        messages: list[str] = []

        def tell(progress: Progress) -> None:
            messages.append(progress.message)

        with ScriptedModel(script) as model:
            remote = RemoteSettings(url=model.url)
            engine = OpenAiEngine(Settings(engine="openai", remote=remote, device="cpu", **settings))
            try:
                found = await WholeProver(engine, workspace).prove(
                    Task(
                        (tmp_path / "A.lean").as_uri(), plain, find_insertion_points(plain, position_at(plain, cursor))
                    ),
                    plan,
                    tell,
                )
            finally:
                await engine.close()
        edit = found.edit or (found.partial.edit if found.partial else None)
        return Run(found, model, messages, applied(plain, edit) if edit else plain)

    return attempt


def applied(text: str, edit: TextEdit) -> str:
    return text[: offset_at(text, edit.range.start)] + edit.new_text + text[offset_at(text, edit.range.end) :]
