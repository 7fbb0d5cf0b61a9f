"""The pictures of README, site and marketplace, and the animation; `make pictures` puts them into the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from PIL import Image, ImageChops, ImageStat
from playwright.async_api import expect
from vscode_panel import Panel
from vscode_pictures import MEDIA, SITE, animation, keep, publish, shot
from vscode_window import plain
from vscode_workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from playwright.async_api import Browser, FloatRect
    from vscode_lean import Judge
    from vscode_window import NewWindow, OpenFile, Window

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

THEMES = {"light": "Default Light Modern", "dark": "Default Dark Modern"}
CALM = {
    "workbench.activityBar.location": "hidden",
    "workbench.layoutControl.enabled": False,
    "window.commandCenter": False,
    "window.menuBarVisibility": "hidden",
    "remote.autoForwardPorts": False,
    "breadcrumbs.enabled": False,
    "editor.fontSize": 15,
    "editor.lineHeight": 24,
    "editor.folding": False,
    "editor.guides.indentation": False,
    "editor.occurrencesHighlight": "off",
    "editor.renderLineHighlight": "none",
    "editor.scrollbar.vertical": "hidden",
    "editor.overviewRulerBorder": False,
    "screencastMode.keyboardOverlayTimeout": 2000,
    "screencastMode.fontSize": 24,
    "screencastMode.verticalOffset": 2,
    "screencastMode.keyboardOptions": {"showKeys": False, "showKeybindings": True, "showCommands": False},
}
"""Settings that leave the editor and what llmstep shows."""
SWAPS = """/-- The two sides of a disjunction may change places. -/
theorem or_swap (p q : Prop) (h : p ∨ q) : q ∨ p :=
  h.elim Or.inr Or.inl

/-- So may those of a conjunction. -/
theorem and_swap (p q : Prop) (h : p ∧ q) : q ∧ p := by
  obtain ⟨hp, hq⟩ := h
  exact ⟨hq, hp⟩
"""
ZERO = """/-- Zero is neutral on the left. -/
theorem zero_add' (n : Nat) : 0 + n = n := by
  induction n with
  | zero => rfl
  | succ n ih => sorry
"""
"""Several steps close the goal, others leave goals."""
NAT = f"{SWAPS}\n{ZERO}"
"""The menu of results leaves the line of the goal free."""
LOW: FloatRect = {"x": 0, "y": 0, "width": 900, "height": 440}
KEYS = ".screencast-keyboard *"
"""What VS Code shows of keys in its screencast mode."""
SWAP = """/-- Two properties of one thing, in the other order. -/
theorem exists_swap {α : Type} (p q : α → Prop)
    (h : ∃ x, p x ∧ q x) : ∃ x, q x ∧ p x := by
  sorry
"""
"""Some steps change a hypothesis, and Lean rejects several."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workbench(
    tmp_path_factory: pytest.TempPathFactory,
    program: Path,
    vsix: Path,
    colours: Path,
    user_settings: dict[str, Any],
    machine_settings: Callable[..., dict[str, Any]],
) -> AsyncIterator[Workbench]:
    """A workbench of its own, since what it hides others want to see."""
    home = tmp_path_factory.mktemp("pictures")
    user = {**user_settings, **CALM}
    made = Workbench(home, program, extensions=[vsix, colours], user=user, machine=machine_settings())
    async with made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def studio(workbench: Workbench, new_window: NewWindow) -> AsyncIterator[Window]:
    """A window for pictures."""
    async with new_window(workbench, 900, 500, 2) as window:
        await window.load()
        await window.command("View: Close Primary Side Bar")
        yield window


@pytest.mark.parametrize("theme", THEMES)
async def test_menu_hint_and_models(studio: Window, workbench: Workbench, theme: str) -> None:
    await themed(studio, workbench, theme)
    await studio.page.set_viewport_size({"width": 900, "height": 600})
    file = await studio.open(f"Menu{theme.title()}.lean", NAT)
    await file.place("sorry", 2)
    await studio.suggest()
    await away(studio)
    keep(studio, await shot(studio, LOW), f"vscode-suggestions-{theme}", SITE)
    await studio.press("Escape")
    await file.close()
    await studio.page.set_viewport_size({"width": 900, "height": 500})
    file = await studio.open(f"Zero{theme.title()}.lean", f"{ZERO}\n{SWAPS}")
    await file.place("sorry", 2)
    await studio.suggest()
    await studio.press("Escape")
    await hovered(studio, file)
    keep(studio, await shot(studio, LOW), f"vscode-hint-{theme}", *places(theme))
    await away(studio)
    await studio.command("llmstep: Select Model…")
    await studio.picks(until_one_has="byt5-small")
    keep(studio, await shot(studio, {**LOW, "height": 260}), f"vscode-models-{theme}", *places(theme))
    await studio.press("Escape")
    await file.close()


@pytest.mark.parametrize("theme", THEMES)
async def test_panel_with_what_a_step_changes(studio: Window, workbench: Workbench, theme: str) -> None:
    await themed(studio, workbench, theme)
    await studio.page.set_viewport_size({"width": 900, "height": 640})
    file = await studio.open(f"Swap{theme.title()}.lean", SWAP)
    await file.place("sorry", 2)
    await studio.suggest(until_one_has="→")
    await studio.press("Escape", "Alt+m", "Alt+s")
    panel = Panel(studio)
    await expect((await panel.locator("li.progress summary")).first).to_be_attached()
    await studio.page.mouse.move(450, await edge(studio))
    await studio.page.mouse.down()
    await studio.page.mouse.move(450, 170, steps=5)
    await studio.page.mouse.up()
    assert await edge(studio) < 200
    await studio.page.mouse.move(450, 620)
    await (await panel.locator("li.progress details")).first.evaluate("details => { details.open = true; }")
    await expect((await panel.locator("li.progress .changed")).first).to_be_visible()
    keep(studio, await shot(studio), f"vscode-panel-{theme}", *places(theme))
    await studio.command("View: Hide Panel")
    await file.close()
    await studio.page.set_viewport_size({"width": 900, "height": 500})


async def test_keys_and_the_animation(studio: Window, workbench: Workbench, judge: Judge) -> None:
    """From a goal by the lightbulb's key to an accepted step that Lean accepts; keys are shown by VS Code itself."""
    await themed(studio, workbench, "dark")
    await studio.page.set_viewport_size({"width": 720, "height": 520})
    file = await studio.open("Animated.lean", NAT)
    await file.place("sorry", 2)
    await studio.command("Developer: Toggle Screencast Mode")
    frames = [(await shot(studio), 1200)]
    await studio.menu(until_it_has="llmstep: suggest")
    frames.append((await shot(studio), 1500))
    await studio.choose("llmstep: suggest the next step")
    best = (await studio.results(until_one_has="✓"))[0]
    await expect(studio.page.locator(KEYS)).to_have_count(0)
    frames.append((await shot(studio), 2500))
    await studio.press("Enter")
    await expect(file.tab).to_be_visible()
    await expect(studio.page.locator(KEYS)).to_have_count(0)  # a menu's Enter is shown with all that it may go with
    frames.append((await shot(studio), 3000))
    assert await file.saved() == NAT.replace("sorry", plain(best.removesuffix("✓")))
    assert judge(file.path) == []
    with Image.open(animation(studio, frames, "vscode-steps", SITE, MEDIA)) as picture:
        assert picture.n_frames == len(frames)

    # The same by keys, for the walkthrough.
    await studio.press("Control+z")
    file.text = NAT
    await file.place("sorry", 2)
    await expect(studio.page.locator(KEYS)).to_have_count(0)
    await studio.suggest()
    await studio.page.locator(KEYS).first.wait_for()
    keep(studio, await shot(studio), "suggest", MEDIA)
    await studio.press("Escape")
    await expect(studio.page.locator(KEYS)).to_have_count(0)
    await studio.press("Alt+m", "Alt+a")
    await expect(file.hint("✓")).to_have_count(0)
    keep(studio, await shot(studio), "accept", MEDIA)
    await studio.command("Developer: Toggle Screencast Mode")
    await file.close()


def places(theme: str) -> tuple[Path, ...]:
    """Where pictures of a theme go: to the site, and dark ones into the extension, which has room for one of a kind."""
    return (SITE, MEDIA) if theme == "dark" else (SITE,)


async def themed(studio: Window, workbench: Workbench, theme: str) -> None:
    workbench.configure(workbench__colorTheme=THEMES[theme])
    await expect(studio.page.locator(f".monaco-workbench.vs{'-dark' * (theme == 'dark')}")).to_be_visible()


async def hovered(studio: Window, file: OpenFile) -> None:
    """The hint, with what it tells of its step."""
    await file.hint("✓").hover()
    await studio.page.locator(".monaco-hover:visible").filter(has_text="generated").wait_for()


async def away(studio: Window) -> None:
    """Move the mouse to where nothing happens, and wait until the hover has gone."""
    await studio.page.mouse.move(880, 480)
    await expect(studio.page.locator(".monaco-hover:visible")).to_have_count(0)


async def edge(studio: Window) -> float:
    """Where the edge above the panel can be dragged, in CSS pixels from above."""
    panel = await studio.page.locator(".part.panel").bounding_box()
    assert panel is not None
    sashes = await studio.page.locator(".monaco-sash.horizontal:not(.disabled)").evaluate_all(
        "sashes => sashes.map(each => each.getBoundingClientRect()).filter(each => each.width > 600)"
        ".map(each => each.top + each.height / 2)"
    )
    return float(min(sashes, key=lambda middle: abs(middle - panel["y"])))


async def test_the_icon_is_its_drawing(browser: Browser, pictures: Path) -> None:
    drawing = (MEDIA.parent / "icon.svg").read_text(encoding="utf-8")
    page = await browser.new_page(viewport={"width": 256, "height": 256})
    await page.set_content(f"<style>body {{ margin: 0; background: none }} svg {{ display: block }}</style>{drawing}")
    file = pictures / "icon.png"
    await page.screenshot(path=file, omit_background=True)
    await page.close()
    publish(file, MEDIA)
    with Image.open(file) as drawn, Image.open(MEDIA / "icon.png") as kept:
        assert kept.size == (256, 256)
        away = ImageChops.difference(drawn.convert("RGBA"), kept.convert("RGBA"))
        assert max(ImageStat.Stat(away).mean) < 1
