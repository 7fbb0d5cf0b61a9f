"""A real VS Code: code-server in a headless Chromium, the built extension, the real Lean, the bundled model.

Chromium is driven by Playwright's Python package. It brings the same Node driver that playwright-core is, so there is
no second language between a test and the page, and pytest's fixtures hold workbench, window and files. Its asynchronous
interface is used, because its other one would keep pytest-asyncio's loop of the other suites from running.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))

from install import InstallError, install
from ports import free_port
from vscode_lean import Judge
from vscode_panel import Panel
from vscode_window import Window, window_of_workbench
from vscode_workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import Browser
    from vscode_window import NewWindow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "vscode"
CHROMIUM = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
]


def absent(message: str) -> None:
    """Fail in CI; elsewhere skip with one sentence."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def program() -> Path:
    """The installed code-server; `LLMSTEP_TEST_VSCODE` is one that is there already."""
    try:
        return install(Path(os.environ.get("LLMSTEP_TEST_VSCODE") or BUILD / "workbench"))
    except InstallError as error:
        absent(str(error))
        raise


@pytest.fixture(scope="session")
def vsix() -> Path:
    """The packed extension, built anew; `LLMSTEP_TEST_VSIX` is one that is there already."""
    if given := os.environ.get("LLMSTEP_TEST_VSIX"):
        return Path(given)
    subprocess.run(["make", "vsix"], cwd=ROOT, check=True, capture_output=True)
    [found] = (ROOT / "build").glob("llmstep-*.vsix")
    return found


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small grammar of Lean, packed, so that pictures are in colours."""
    out = tmp_path_factory.mktemp("colours") / "lean-colours.vsix"
    vsce = ROOT / "vscode-extension" / "node_modules" / ".bin" / "vsce"
    flags = ["--no-dependencies", "--skip-license", "--allow-missing-repository", "--out", str(out)]
    subprocess.run([str(vsce), "package", *flags], cwd=HERE / "lean-colours", check=True, capture_output=True)
    return out


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where the pictures of this run go."""
    folder = BUILD / "screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    from playwright.async_api import async_playwright

    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        absent("Chromium is missing: apt-get install chromium-headless-shell fonts-dejavu-core")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=found, headless=True, args=CHROMIUM)
        yield made
        await made.close()


@pytest.fixture(scope="session")
def strangers() -> set[str]:
    """Hosts other than this machine that any page has asked for anything."""
    return set()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def new_window(browser: Browser, pictures: Path, strangers: set[str]) -> AsyncIterator[NewWindow]:
    """Opens windows and closes them again; what their pages ask for is watched."""

    def watch(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            strangers.add(str(parts.hostname))

    @contextlib.asynccontextmanager
    async def make(
        workbench: Workbench, width: int = 1280, height: int = 800, scale: float = 1
    ) -> AsyncIterator[Window]:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale, reduced_motion="reduce"
        )
        context.on("request", lambda request: watch(request.url))
        page = await context.new_page()
        page.on("websocket", lambda socket: watch(socket.url))
        yield Window(workbench, page, pictures)
        # Else the page of a workbench that has ended goes on trying to reach it, beside the other tests.
        await context.close()

    yield make
    assert strangers == set()


@pytest.fixture(scope="session")
def user_settings() -> dict[str, Any]:
    """The user's settings in the tests: the bundled model, so warm that it gives several steps, no panel by itself."""
    return {
        "llmstep.model": "starter",
        "llmstep.count": 32,
        "llmstep.temperature": 1.5,
        "llmstep.maxNewTokens": 48,
        "llmstep.panel.openOnRun": False,
    }


@pytest.fixture(scope="session")
def machine_settings(lean_command: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
    """Makes settings of the machine: the project's own Python, the real Lean, a port of its own, no other threads."""

    def make(**more: Any) -> dict[str, Any]:
        return {
            "llmstep.python": sys.executable,
            "llmstep.device": "cpu",
            "llmstep.lean.command": list(lean_command),
            "llmstep.http.port": free_port(),
            **more,
        }

    return make


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def workbench(
    tmp_path_factory: pytest.TempPathFactory,
    program: Path,
    vsix: Path,
    user_settings: dict[str, Any],
    machine_settings: Callable[..., dict[str, Any]],
) -> AsyncIterator[Workbench]:
    """The workbench of most tests."""
    home = tmp_path_factory.mktemp("vscode")
    made = Workbench(home, program, extensions=[vsix], user=user_settings, machine=machine_settings())
    async with made:
        yield made


window = window_of_workbench("session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting a workbench, a model and Lean on a busy machine takes longer than other tests may."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remember on the item how each phase went."""
    outcome = yield
    report = outcome.get_result()
    setattr(item, f"report_{report.when}", report)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def picture_of_failure(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """What the window showed when a test failed."""
    yield
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for name in ("window", "other_window"):
            window = request.node.funcargs.get(name)
            if isinstance(window, Window):
                await window.picture(f"failed-{request.node.name}-{name}")


@pytest.fixture(scope="session")
def judge(lean: Path) -> Judge:
    """Lean's word on files."""
    return Judge(lean)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def panel(window: Window, workbench: Workbench) -> AsyncIterator[Panel]:
    """The panel, which stays open; runs would open it as well."""
    workbench.configure(llmstep__panel__openOnRun=True, llmstep__automation="off")
    made = Panel(window)
    await window.command("llmstep: Show the Suggestions")
    await made.frame()
    yield made
    workbench.configure(llmstep__panel__openOnRun=None, llmstep__automation=None)
    if await made.shown():
        await window.command("View: Hide Panel")
