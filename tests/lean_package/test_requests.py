"""What the server is asked, when, and how; an edit while it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting import wait_until

from .asked import AND, curls

if TYPE_CHECKING:
    from pathlib import Path


def test_the_request(editor: Any, model: Any) -> None:
    document = editor.open(AND + '  have h : "𝔸\\\\" = "𝔸\\\\" := rfl\n  constructor\n  llmstep "exact \\"α\\\\\\n𝔸"\n')
    (request,) = model.requests
    assert request.path == "/"
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    assert request.body == {
        "tactic_state": 'case left\np q : Prop\nhp : p\nhq : q\nh : "𝔸\\\\" = "𝔸\\\\"\n⊢ p\n\n'
        'case right\np q : Prop\nhp : p\nhq : q\nh : "𝔸\\\\" = "𝔸\\\\"\n⊢ q',
        "prefix": 'exact "α\\\n𝔸',
        "context": document.text[: document.text.index("llmstep")],
        "count": 10,
    }


def test_a_string_on_the_next_line_is_not_the_prefix(editor: Any, model: Any) -> None:
    strings = "macro str : tactic => `(tactic| assumption)\n"
    document = editor.open(strings + 'example (p : Prop) (hp : p) : p := by\n  llmstep\n  "no prefix"\n')
    assert model.last["prefix"] == ""
    assert document.errors == []


def test_options(editor: Any, model: Any) -> None:
    options = "set_option llmstep.count 3 in\nset_option llmstep.verbose true in\n"
    model.reset("exact hq")
    model.answer = ["exact ⟨hp, hq⟩", "exact hq", "nonsense"]
    document = editor.open(options + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert model.last["count"] == 3
    assert [m.text for m in document.messages if "rejected\n" in m.text][-1].startswith(
        "llmstep: rejected\n"
        "  exact hq -- Type mismatch hq has type q but is expected to have type p ∧ q\n"
        "  nonsense -- "
    )


def test_long_files_and_nothing_in_the_list_of_processes(editor: Any, model: Any) -> None:
    """Linux refuses an argument of 131072 bytes; and what is proved is no other user's business."""
    model.hold.clear()
    document = editor.start("/-" + "α𝔸" * 60000 + "-/\n" + AND + '  llmstep "secret"\n')
    wait_until(lambda: curls() != [])
    (arguments,) = curls()
    assert arguments[-2:] == ["--noproxy", "*"]
    assert "secret" not in str(arguments)
    assert "theorem" not in str(arguments)
    model.hold.set()
    document.wait()
    context = document.text[: document.text.index("llmstep")]
    assert len(context) > 100000
    assert model.last["context"] == context[-100000:]
    document.close()


def test_an_edit_stops_the_request_at_once(editor: Any, model: Any) -> None:
    model.hold.clear()
    document = editor.start(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert model.asked.wait(60)
    document.change(document.text.replace("  llmstep\n", "")).wait()
    assert document.messages == []
    assert model.dropped.wait(60)
    wait_until(lambda: curls() == [])
    assert len(model.requests) == 1
    document.close()


def test_an_edit_stops_a_check(editor: Any, model: Any, tmp_path: Path) -> None:
    """The first suggestion loops until it is stopped; after an edit the second one is not tried any more."""
    tactics = (
        'elab "loop" : tactic => do\n'
        f'  IO.FS.writeFile "{tmp_path}/started" ""\n'
        '  try\n    while true do\n      Lean.Core.checkSystem "loop"\n      IO.sleep 10\n'
        f'  finally IO.FS.writeFile "{tmp_path}/ended" ""\n'
        f'elab "second" : tactic => IO.FS.writeFile "{tmp_path}/second" ""\n'
    )
    model.reset("loop", "second")
    opened = "open Lean Elab Tactic\n" + tactics + AND + "  llmstep\n  exact ⟨hp, hq⟩\n"
    document = editor.start(opened)
    wait_until((tmp_path / "started").exists)
    document.change(document.text.replace("  llmstep\n", "")).wait()
    assert document.messages == []
    wait_until((tmp_path / "ended").exists)
    document.change(document.text + "\n").wait()  # by now it would have been tried
    assert not (tmp_path / "second").exists()
    document.close()


def test_answers_are_remembered(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩")
    document = editor.open(AND + "  llmstep\n")
    asked = document.text
    for _ in range(2):
        document.change(asked.replace("llmstep", 'llmstep "e"')).wait()
        document.change(asked).wait()
    assert [r.body["prefix"] for r in model.requests] == ["", "e"]
    assert [a.text for a in document.actions] == ["exact ⟨hp, hq⟩"]


def test_typing_a_prefix_asks_once(editor: Any, model: Any) -> None:
    document = editor.open(AND + '  llmstep "e"\n  exact ⟨hp, hq⟩\n')
    text = document.text
    for prefix in ("ex", "exa", "exac", "exact"):
        document.change(text.replace('"e"', f'"{prefix}"'))
    document.wait()
    assert model.last["prefix"] == "exact"
    prefixes = [r.body["prefix"] for r in model.requests]
    assert (prefixes[0], prefixes[-1]) == ("e", "exact")
    assert len(prefixes) < 4  # of five versions
