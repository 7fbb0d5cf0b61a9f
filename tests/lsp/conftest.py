"""One editor with one server for most of the suite, and a Lean server of the tests' own to judge what comes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from client import Editor, Page, editor
from lean_judge import Judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture(scope="session")
def options(lean_command: tuple[str, ...]) -> dict[str, Any]:
    """Initialization options: the bundled model, the real Lean, no port."""
    return {
        "model": "starter",
        "device": "cpu",
        "count": 32,
        "maxNewTokens": 48,
        "automation": "off",
        "lean": {"command": list(lean_command)},
        "http": {"enabled": False},
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the documents are; they need not exist on disk."""
    return tmp_path_factory.mktemp("project")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(folder: Path, options: dict[str, Any]) -> AsyncIterator[Editor]:
    """An editor and its server, for all tests that leave them as they were."""
    async with editor(folder, options=options) as made:
        yield made


@pytest.fixture
def opened(shared: Editor, folder: Path) -> Iterator[Callable[..., Page]]:
    """Opens documents in the shared editor, and closes them after the test."""
    pages: list[Page] = []
    shared.messages.clear()

    def open_(text: str, **more: Any) -> Page:
        pages.append(shared.open(folder / f"Page{len(pages)}.lean", text, **more))
        return pages[-1]

    yield open_
    for page in pages:
        page.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def judge(lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Judge]:
    made = Judge(lean_command, tmp_path_factory.mktemp("judge"))
    yield made
    await made.lean.stop()
