"""Where the commands are: title and context menu of the editor, code lenses, status item; ghost text; Cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from vscode_lean import OR
from vscode_window import NOTIFICATION, PICK, RESULTS, plain, until

if TYPE_CHECKING:
    from playwright.async_api import Locator
    from vscode_lean import Judge
    from vscode_window import Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ENTRIES = "[role=menu] .action-label"
"""Entries of an open menu."""
BLANK = "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  \n\ntheorem u : True := trivial\n"
ENDLESS = """theorem t (f g : Nat → Nat) (h : ∀ n, f (n + 1) = f n) : (∃ n, g n = f n) → f 7 = g 3 := by
  sorry
"""
"""Nobody can prove it, and there is always another step to try."""


async def entries(window: Window) -> list[str]:
    """What the open menu has, except for keys."""
    await window.page.locator(ENTRIES).first.wait_for()
    return [plain(text) for text in await window.page.locator(ENTRIES).all_inner_texts() if plain(text)]


async def found(window: Window) -> list[str]:
    """The steps in the menu that a run opens."""
    titles = await window.results(until_one_has="✓")
    await window.press("Escape")
    return titles


async def test_the_title_of_the_editor_has_a_button_and_a_menu(window: Window) -> None:
    file = await window.open("Title.lean", OR)
    await file.place("/ sorry", 2)
    title = window.page.locator(".editor-group-container.active .editor-actions .action-label")
    await title.and_(window.page.locator("[aria-label^='Suggest the Next Step']")).click()
    await window.results(until_one_has="✓")
    await window.page.locator(PICK).filter(has_text="More suggestions").click()
    await expect(window.page.locator(RESULTS)).to_have_count(0)
    assert await found(window)
    await title.and_(window.page.locator("[aria-label^='llmstep']")).click()
    assert await entries(window) == [
        "Suggest the Next Step",
        "Suggest the Next Step with a Prefix…",
        "Complete the Proof",
        "Fill the Sorries in This File",
        "Show the Suggestions",
        "Toggle Suggestions When Idle",
        "Select Model…",
        "Doctor",
        "Open Settings",
        "Report an Issue…",
    ]
    await window.picture("30-title-menu")
    await window.page.locator(ENTRIES).filter(has_text="with a Prefix").click()
    await window.page.locator(".quick-input-title").filter(has_text="prefix").wait_for()
    await window.press("Escape")
    await file.close()


async def test_the_context_menu_has_the_commands_for_a_goal(window: Window) -> None:
    file = await window.open("Context.lean", OR)
    await file.place("/ sorry", 2)
    await file.editor.locator(".view-line").filter(has_text="sorry").click(button="right")
    shown = await entries(window)
    ours = [
        "Suggest the Next Step",
        "Suggest the Next Step with a Prefix…",
        "Complete the Proof",
        "Show the Suggestions",
    ]
    assert [entry for entry in shown if entry in ours] == ours
    await window.picture("31-context-menu")
    await window.page.locator(ENTRIES).filter(has_text="Complete the Proof").click()
    assert await found(window)
    await file.close()


async def test_code_lenses_at_a_sorry(window: Window, workbench: Workbench) -> None:
    workbench.configure(llmstep__codeLens=True)
    file = await window.open("Lenses.lean", OR)
    lenses = file.editor.locator(".codelens-decoration a")
    try:
        await expect(lenses).to_have_count(2)
        assert [plain(text) for text in await lenses.all_inner_texts()] == ["suggest", "prove"]
        await window.picture("32-code-lens")
        await lenses.first.click()
        assert await found(window)
        await lenses.last.click()
        assert await found(window)
    finally:
        workbench.configure(llmstep__codeLens=None)
    await expect(lenses).to_have_count(0)
    await file.close()


async def test_the_status_item_switches_suggestions_when_idle(window: Window, workbench: Workbench) -> None:
    file = await window.open("Idle.lean", OR)
    hint = file.hint("✓")
    await file.place("-- 𝔸 first")
    await window.status_says("idle")
    await actions(window, "Suggest when the cursor rests on a goal")
    await until("the setting", lambda: workbench.settings().get("llmstep.trigger") == "onIdle")
    await file.place("/ sorry", 2)
    await expect(hint).to_have_count(1)
    await actions(window, "Suggest on demand only")
    await until("the setting", lambda: workbench.settings().get("llmstep.trigger") == "onDemand")
    await file.close()


async def actions(window: Window, entry: str) -> None:
    """Take an entry of the status item's actions, by mouse."""
    await window.page.locator('[id="status.languageStatus"]').hover()
    await window.page.locator(".hover-language-status").get_by_text("Actions…").click()
    await window.page.locator(PICK).filter(has_text=entry).click()
    await window.page.mouse.move(640, 400)


async def test_ghost_text_is_accepted_word_by_word_and_whole(
    window: Window, workbench: Workbench, judge: Judge
) -> None:
    workbench.configure(llmstep__inlineCompletion__enabled=True, llmstep__automation="off")
    file = await window.open("Ghost.lean", BLANK)
    try:
        await file.place("  \n", 2)
        step = (await window.suggest())[0].removesuffix("✓").strip()
        await window.press("Escape")
        first, rest = step.split(" ", 1)
        await shown(window, file.editor.locator(".ghost-text-decoration, .ghost-text"), step)
        await window.picture("33-ghost-text")
        await window.press("Control+ArrowRight")
        await until("the first word", lambda: has(file.editor, first))
        await window.press("Tab")
        assert await file.saved() == BLANK.replace("  \n", f"  {first} {rest}\n", 1)
        assert judge(file.path) == []
    finally:
        workbench.configure(llmstep__inlineCompletion__enabled=None, llmstep__automation=None)
    await file.close()


async def has(editor: Locator, word: str) -> bool:
    """Whether a line of the editor is one word, except for ghost text."""
    lines = await editor.locator(".view-line").evaluate_all(
        "lines => lines.map(line => [...line.querySelectorAll('span > span:not([class*=ghost])')]"
        ".map(each => each.textContent).join(''))"
    )
    return any(plain(line) == word for line in lines)


async def shown(window: Window, ghost: Locator, step: str) -> None:
    """Wait for a step as ghost text; it is asked for again where it came before the setting."""

    async def there() -> bool:
        await window.command("Trigger Inline Suggestion")
        await window.page.wait_for_timeout(500)
        return step in plain("".join(await ghost.all_inner_texts()))

    await until("the ghost text", there)


async def test_a_proof_search_ends_where_its_progress_is_shown(window: Window) -> None:
    file = await window.open("Endless.lean", ENDLESS)
    await file.place("sorry", 2)
    await window.press("Alt+m", "Alt+c")
    progress = window.notification("Completing the proof")
    await progress.get_by_role("button", name="Cancel").click()
    await expect(window.page.locator(NOTIFICATION)).to_have_count(0)
    await window.status_says("idle")
    assert await window.page.locator(RESULTS).count() == 0
    await file.close()


async def test_the_report_of_a_fault_is_read_before_it_goes_anywhere(window: Window) -> None:
    await window.command("llmstep: Report an Issue…")
    said = await window.message("Nothing of this report has been sent.")
    assert said.endswith("Read it, say what happened, and take out what is private.")
    await window.picture("34-report")
    await expect(window.notification("Nothing of this report").get_by_role("button", name="Copy")).to_have_count(1)
    await window.clear_messages()
    await window.command("View: Revert and Close Editor")


async def test_a_link_in_the_hover_of_a_hint_inserts_another_step(window: Window, judge: Judge) -> None:
    file = await window.open("Links.lean", OR)
    await file.place(" sorry", 1)
    best = (await window.suggest())[0].removesuffix("✓").strip()
    await window.press("Escape")
    await file.hint("✓").hover()
    link = window.page.locator(".monaco-hover:visible a").filter(has_text="✓").first
    other = plain(await link.inner_text()).removesuffix("✓").strip()
    assert other != best
    await link.click()
    assert await file.saved() == OR.replace("sorry", other)
    assert judge(file.path) == []
    await file.close()
