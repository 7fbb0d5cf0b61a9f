"""`llmstep prove` and `llmstep bench search` on the real Lean with the fixed list: what is printed and what refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from output_schema import checked
from scripted_model import ScriptedModel, fenced

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

TEXT = (
    "theorem t (A B : Prop) (h : A ∧ B) : B ∧ A := by\n  sorry\n\ntheorem u (p q : Prop) (h : p) : q := by\n  sorry\n"
)
THEOREMS = [
    {"name": "one", "statement": "(p : Prop) (h : p) : p"},
    {"name": "false", "statement": "(p q : Prop) (h : p) : q"},
    {"name": "two", "statement": "(p q : Prop) (h : p) (k : q) : p ∧ q"},
]


@pytest.mark.lean
def test_prove_prints_the_proof(llmstep: Run, tmp_path: Path, lean: Path) -> None:
    file = tmp_path / "A.lean"
    file.write_text(TEXT, encoding="utf-8")
    options = ("--tactics", "list", "--lean", str(lean))
    ended = llmstep("prove", str(file), "--line", "2", "--column", "3", *options, "--json")
    assert ended.status == 0
    answer = checked("prove", ended.out)
    whole = ["outcome", "strategy", "rounds", "tokens", "partial"]
    assert list(answer) == ["proof", "expansions", "seconds", "model", *whole]
    assert (answer["proof"], answer["expansions"], answer["model"]) == ("simp_all", 1, None)
    assert 0 < answer["seconds"] < 300
    assert "Searching: 0 expanded" in ended.err

    ended = llmstep("prove", str(file), "--line", "2", *options)
    shown = ended.out.splitlines()
    assert shown[:5] == ["  A B : Prop", "  h : A ∧ B", "  ⊢ B ∧ A", "", "  simp_all"]
    assert shown[6].startswith("A proof of 1 step, accepted by Lean (1 state expanded, ")
    assert shown[6].endswith(", steps from the fixed list).")


@pytest.mark.lean
def test_prove_finds_none(llmstep: Run, tmp_path: Path, lean: Path) -> None:
    file = tmp_path / "A.lean"
    file.write_text(TEXT, encoding="utf-8")
    place = ("prove", str(file), "--line", "5", "--tactics", "list", "--expansions", "1", "--lean", str(lean))
    ended = llmstep(*place, "--json")
    assert ended.status == 1
    answer = checked("prove", ended.out)
    assert (answer["proof"], answer["expansions"], answer["model"]) == (None, 1, None)
    ended = llmstep(*place)
    assert ended.out.splitlines()[-1].startswith("No proof: the limit of expansions is reached (1 state expanded, ")


HARD = "theorem t (r : Nat → Nat → Prop) (h0 : r 0 7) (k : ∀ i n, r i n → r (i + 1) n) : r 9 7"
PART = "theorem t (p q : Prop) (hp : p) : p ∧ q"


@pytest.mark.lean
def test_a_written_proof_is_repaired(llmstep: Run, tmp_path: Path, lean: Path) -> None:
    """The model is a script that makes a mistake first; then one that proves all but a goal."""
    file = tmp_path / "A.lean"
    file.write_text(f"{HARD} := by\n  sorry\n", encoding="utf-8")
    answers = [fenced(f"{HARD} := by\n  iterate 9 apply {name}\n  exact h0") for name in ("step", "k")]
    with ScriptedModel(list(answers)) as model:
        options = ("--engine", "openai", "--remote-url", model.url, "--lean", str(lean), "--expansions", "2")
        ended = llmstep("prove", str(file), "--line", "2", *options, "--json")
        assert ended.status == 0, ended.err
        answer = json.loads(ended.out)
        assert (answer["proof"], answer["strategy"], answer["rounds"]) == ("iterate 9 apply k\nexact h0", "write", 2)
        assert answer["model"] == model.name
        assert "Writing a proof (round 1 of 4)" in ended.err

        model.script = [fenced(f"{PART} := by\n  constructor\n  · exact hp\n  · exact hq")]
        file.write_text(f"{PART} := by\n  sorry\n", encoding="utf-8")
        ended = llmstep("prove", str(file), "--line", "2", *options, "--rounds", "0", "--strategy", "write")
        shown = ended.out.splitlines()
        assert shown[4:7] == ["  constructor", "  · exact hp", "  · sorry"]
        assert shown[8].startswith("Proves it except for 1 goal (1 round, ")
        assert shown[8].endswith(f"written by {model.name}):")
        assert shown[-1] == "  ⊢ q"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--line", "9"), "There is no line 9 in A.lean."),
        (("--line", "2", "--tactics", "magic"), "'magic' is not one of"),
        (
            ("--line", "2", "--strategy", "guess"),
            "The setting llmstep.proveStrategy is 'guess'. It must be one of auto, search, write, sketch.",
        ),
        (("--line", "2", "--strategy", "write", "--tactics", "list"), "The strategy write needs a model"),
        (("--line", "2", "--lean", "no-such-lean"), "The program no-such-lean"),
        (("--line", "2", "--model", "no-such-model", "--tactics", "model"), ""),
    ],
)
def test_prove_says_what_is_wrong(
    llmstep: Run, tmp_path: Path, arguments: tuple[str, ...], message: str, lean: Path
) -> None:
    (tmp_path / "A.lean").write_text(TEXT, encoding="utf-8")
    given = arguments if "--lean" in arguments else (*arguments, "--lean", str(lean))
    ended = llmstep("prove", str(tmp_path / "A.lean"), *given)
    assert ended.status == (3 if "Lean" in message or "program" in message else 2)
    assert ended.out == ""
    assert message in " ".join(ended.err.split())


@pytest.mark.lean
def test_bench_search(llmstep: Run, tmp_path: Path, lean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard, then the whole, for which the results of the shard are used: by their file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(each) + "\n" for each in THEOREMS), encoding="utf-8")
    options = ("--theorems", "some.jsonl", "--lean-project", ".", "--tactics", "list", "--expansions", "1")
    ended = llmstep("bench", "search", *options, "--shard", "1/2", "--lean", str(lean), "--json")
    assert ended.status == 0
    summary = checked("bench search", ended.out)
    assert (summary["theorems"], summary["proved"], summary["errors"], summary["rate"]) == (2, 2, 0, 1.0)
    assert (summary["shard"], summary["results"]) == ("1/2", "some.1of2.results.jsonl")
    assert summary["interval"] == [0.3424, 1.0]
    assert summary["method"] == {"tactics": "list", "expansions": 1, "timeout": 600.0, "length_power": 0.0}
    assert ended.err.splitlines()[0].startswith("[1/2] one: proved, 1 expansions, ")
    lines = (tmp_path / "some.1of2.results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["one", "two"]

    ended = llmstep("bench", "search", *options, "--out", "some.1of2.results.jsonl", "--lean", str(lean))
    assert ended.status == 0
    assert ended.out.startswith("2 of 3 proved: 66.7% (95 % confidence: 20.8% to 93.8%); 3 expansions, ")
    told = ended.err.splitlines()
    assert [line.startswith(f"[{n}/3] ") for n, line in enumerate(told, start=1)] == [True] * 3
    assert [line.endswith(", known") for line in told] == [True, False, True]


def test_bench_search_says_what_is_wrong(llmstep: Run, tmp_path: Path) -> None:
    ended = llmstep("bench", "search", "--theorems", str(tmp_path / "no.jsonl"), "--lean-project", str(tmp_path))
    assert (ended.status, ended.out) == (2, "")
    assert "no.jsonl cannot be read" in ended.err
    ended = llmstep("bench", "search", "--theorems", "a.jsonl", "--lean-project", str(tmp_path / "none"))
    assert (ended.status, ended.out) == (2, "")
    assert "none is no folder." in ended.err
