"""Two windows: the second one's companion uses the model of the first, and takes over when that goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from vscode_lean import OR
from vscode_window import until, window_of_workbench
from vscode_workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import psutil
    from vscode_window import NewWindow, Window

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workbench(
    tmp_path_factory: pytest.TempPathFactory,
    program: Path,
    vsix: Path,
    user_settings: dict[str, Any],
    machine_settings: Callable[..., dict[str, Any]],
) -> AsyncIterator[Workbench]:
    """A workbench that no window has used yet."""
    made = Workbench(
        tmp_path_factory.mktemp("windows"), program, extensions=[vsix], user=user_settings, machine=machine_settings()
    )
    async with made:
        yield made


def has_read_weights(process: psutil.Process) -> bool:
    """Whether the library that computes with a model's weights is in a process's memory."""
    return "_multiarray_umath" in Path(f"/proc/{process.pid}/maps").read_text()


async def suggested(window: Window, name: str) -> str:
    """The best step in the menu, after a run in a new file."""
    file = await window.open(name, OR)
    await file.place("/ sorry", 2)
    best = (await window.suggest())[0]
    await window.press("Escape")
    return best


window = window_of_workbench("module")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other_window(workbench: Workbench, new_window: NewWindow) -> AsyncIterator[Window]:
    """One that shows nothing yet."""
    async with new_window(workbench) as made:
        yield made


async def test_one_model_for_two_windows(
    workbench: Workbench, window: Window, other_window: Window, tmp_path: Path
) -> None:
    assert (await suggested(window, "First.lean")).endswith("✓")
    await window.status_says("^starter · cpu idle")
    [first] = workbench.companions()
    assert has_read_weights(first)

    (tmp_path / "other").mkdir()
    await other_window.load(tmp_path / "other")
    assert (await suggested(other_window, "Second.lean")).endswith("✓")
    await other_window.status_says("^starter · cpu · shared idle")
    [second] = [each for each in workbench.companions() if each.pid != first.pid]
    assert not has_read_weights(second)
    await other_window.picture("10-second-window")

    # The first one goes; the second loads the model itself.
    await window.command("llmstep: Stop the Server")
    await until("the first companion to end", lambda: not first.is_running())
    assert (await suggested(other_window, "Third.lean")).endswith("✓")
    await other_window.status_says("^starter · cpu idle")
    assert workbench.companions() == [second]
    assert has_read_weights(second)

    # And the first, started again, uses the second's.
    await window.command("llmstep: Restart the Server")
    assert (await suggested(window, "Fourth.lean")).endswith("✓")
    await window.status_says("^starter · cpu · shared idle")
    [third] = [each for each in workbench.companions() if each.pid != second.pid]
    assert not has_read_weights(third)
