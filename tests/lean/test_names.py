"""Names that Lean does not have, and what is tried in their place: on the real Lean, from candidate to suggestion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import pytest_asyncio

from llmstep.app import App
from llmstep.cli.suggest import Answer, as_record
from llmstep.engine.interface import Generation
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.text import position_at
from llmstep.lean.workspace import LeanWorkspace
from llmstep.lsp.code_actions import title
from llmstep.lsp.known import record
from llmstep.lsp.messages import listing
from llmstep.memory import Document
from llmstep.settings import LeanSettings, Settings
from llmstep.types import Candidate, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.memory import SuggestionSet

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

HEAD = """\
theorem Nat.plus_comm (a b : Nat) : a + b = b + a := Nat.add_comm a b
@[deprecated Nat.plus_comm (since := "2024-01-01")]
theorem Nat.plusComm (a b : Nat) : a + b = b + a := Nat.add_comm a b
@[deprecated "see the manual" (since := "2024-01-01")]
theorem Nat.plus_old (a b : Nat) : a + b = b + a := Nat.add_comm a b
namespace Deep.Inner
theorem moved_fact (a : Nat) : a + 0 = a := rfl
end Deep.Inner
structure Pt where
  x : Nat
theorem Pt.same (p : Pt) : p.x = p.x := rfl
@[deprecated Pt.same (since := "2024-01-01")]
theorem Pt.alike (p : Pt) : p.x = p.x := rfl
@[deprecated Pt.same (since := "2024-01-01")]
theorem Pt.Old.alike (p : Pt) : p.x = p.x := rfl

"""
ADD = "theorem t (a b : Nat) (hab : a = b) : a + b = b + a"
ZERO = "theorem t (a : Nat) : a + 0 = a"
POINT = "theorem t (h : Pt) : h.x = h.x"

CASES = {
    "a deprecated name": (ADD, "exact Nat.plusComm a b", "exact Nat.plus_comm a b"),
    "a deprecated name in a list": (ADD, "simp [Nat.plusComm]", "simp [Nat.plus_comm]"),
    "a letter too few": (ADD, "rw [Nat.add_com]", "rw [Nat.add_comm]"),
    "letters exchanged": (ADD, "exact Nat.plus_cmom a b", "exact Nat.plus_comm a b"),
    "words exchanged": (ADD, "exact Nat.comm_plus a b", "exact Nat.plus_comm a b"),
    "a missing namespace": (ADD, "exact plus_comm a b", "exact Nat.plus_comm a b"),
    "Lean 3's capitals": (ADD, "exact nat.plus_comm a b", "exact Nat.plus_comm a b"),
    "a moved name": (ZERO, "exact Deep.moved_fact a", "exact Deep.Inner.moved_fact a"),
    "a name without its namespaces": (ZERO, "rw [moved_fact]", "rw [Deep.Inner.moved_fact]"),
    "a hypothesis": (ADD, "rw [habb]", "rw [hab]"),
    "two names": (ADD, "rw [← Nat.add_com, habb]", "rw [← Nat.add_comm, hab]"),
    "in the third line": (
        ADD,
        "have y : a = a := rfl\nhave z := by\n  exact Nat.add_com a b\nexact z",
        "have y : a = a := rfl\nhave z := by\n  exact Nat.add_comm a b\nexact z",
    ),
    "behind astral characters": (
        ADD,
        'have 𝔸 : "𝔸𝔸" = "𝔸𝔸" := rfl; exact Nat.add_com a b',
        'have 𝔸 : "𝔸𝔸" = "𝔸𝔸" := rfl; exact Nat.add_comm a b',
    ),
    "the same name in a string and a comment": (
        ADD,
        'have x := "Nat.add_com" -- Nat.add_com\nexact Nat.add_com a b',
        'have x := "Nat.add_com" -- Nat.add_com\nexact Nat.add_comm a b',
    ),
    "a field": (POINT, "exact h.samee", "exact h.same"),
    "a deprecated field": (POINT, "exact h.alike", "exact h.same"),
    "a deprecated field in brackets": (POINT, "exact (h).alike", "exact (h).same"),
    "a deprecated field behind a pipe": (POINT, "exact h |>.alike", "exact h |>.same"),
    "a deprecated name of another namespace": (POINT, "exact Pt.Old.alike h", "exact Pt.same h"),
    "a name that a hypothesis hides": (
        "theorem t (h : Pt) (Pt : Prop) (hp : Pt) : h.x = h.x",
        "exact _root_.Pt.alike h",
        "exact _root_.Pt.same h",
    ),
    "a name behind a dot": (
        "theorem t (a b c : Nat) (h : a = b) (k : b = c) : a = c",
        "exact .tran h k",
        "exact .trans h k",
    ),
}


class Scripted:
    """An engine that writes given candidates."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def configure(self, settings: Settings) -> None: ...

    async def generate(self, *_: object, **__: object) -> Generation:
        found = [Candidate(text, -0.1 * number, 8) for number, text in enumerate(self.texts, 1)]
        return Generation(found, "scripted", len(found), 1.0)


@pytest.fixture(scope="module")
def settings(lean_command: tuple[str, ...]) -> Settings:
    return Settings(automation="off", lean=LeanSettings(command=lean_command))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(settings: Settings) -> AsyncIterator[LeanWorkspace]:
    workspace = LeanWorkspace(settings)
    yield workspace
    await workspace.close()


@pytest.fixture
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (tmp_path_factory.getbasetemp() / "Names.lean").as_uri()


async def ask(
    workspace: LeanWorkspace, settings: Settings, uri: str, statement: str, *texts: str, prefix: str | None = None
) -> SuggestionSet:
    text = f"{HEAD}{statement} := by\n  sorry\n"
    app = App(settings, engine=Scripted(*texts), lean=workspace)  # type: ignore[arg-type]
    return await app.suggest(Document(uri, 1, text), position_at(text, text.rindex("sorry")), prefix=prefix)


@pytest.mark.parametrize("case", CASES)
async def test_a_name_is_repaired(workspace: LeanWorkspace, settings: Settings, uri: str, case: str) -> None:
    statement, written, wanted = CASES[case]
    found = await ask(workspace, settings, uri, statement, written)
    [step] = found.suggestions
    assert (step.text, step.candidate.source, step.candidate.repaired_from) == (wanted, "repaired", written)
    assert step.check.verdict in (Verdict.CLOSES, Verdict.PROGRESS)
    assert step.candidate.score == -0.1
    assert "1 generated, 1 distinct, 1 with a name repaired" in found.summary()


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        pytest.param(
            "theorem Nat.plus_assoc (a b : Nat) : a + b + 0 = a + (b + 0)", "exact Nat.plus_asoc a b", id="own"
        ),
        pytest.param("theorem Deep.own (a b : Nat) : a + b = b + a", "exact own a b", id="own short"),
        pytest.param(POINT, 'have s : "a" = "Nat.add_com" := rfl', id="string"),
        pytest.param(POINT, "exact h.zork", id="nothing like it"),
        pytest.param(ADD, "exact Nat.plus_old a b", id="deprecated without another"),
        pytest.param(ADD, "constructor <;> exact Nat.add_com a b", id="fails before the name"),
        pytest.param(ADD, "exact zork (Nat.add_com a b)", id="one of two names"),
        pytest.param(ADD, "sorry; exact Nat.add_com a b", id="refused before Lean sees it"),
    ],
)
async def test_nothing_is_put_in_its_place(
    workspace: LeanWorkspace, settings: Settings, uri: str, statement: str, written: str
) -> None:
    found = await ask(workspace, settings, uri, statement, written)
    everything = (*found.suggestions, *found.rejected)
    assert [each.candidate.source for each in everything] == ["model"]
    assert all("own" not in other.text for each in everything for other in each.tried)


async def test_what_was_tried_in_vain_is_told_with_leans_reason(
    workspace: LeanWorkspace, settings: Settings, uri: str
) -> None:
    found = await ask(workspace, settings, uri, "theorem t (a b : Nat) : a = b", "exact Nat.add_com a b")
    [refused] = found.rejected
    assert 1 <= len(refused.tried) <= 2
    assert refused.tried[0].text == "exact Nat.add_comm a b"
    assert refused.tried[0].message.startswith("Type mismatch")
    assert "Tried with another name, `exact Nat.add_comm a b`: Type mismatch" in listing(found)
    [told] = as_record(Answer(found.goal, "", 0.0, (), "", found.rejected)).rejected
    assert told.tried[0].text == "exact Nat.add_comm a b"
    assert told.reason == "Unknown constant `Nat.add_com`"


async def test_a_refused_step_stays_among_the_refused_when_another_name_saves_it(
    workspace: LeanWorkspace, settings: Settings, uri: str
) -> None:
    found = await ask(workspace, settings, uri, ADD, "exact Nat.add_com a b", "exact Nat.plusComm a b")
    assert [each.text for each in found.suggestions] == ["exact Nat.add_comm a b", "exact Nat.plus_comm a b"]
    assert [each.text for each in found.rejected] == ["exact Nat.add_com a b"]
    assert "Lean accepts it" in found.rejected[0].reason
    assert title(found.suggestions[0]) == "exact Nat.add_comm a b ✓ (name repaired)"
    shown = record(Document(uri, 1, f"{HEAD}{ADD} := by\n  sorry\n"), found)
    assert [each.repaired_from for each in shown.suggestions] == [
        "exact Nat.add_com a b",
        "exact Nat.plusComm a b",
    ]
    assert "Lean accepts it" in shown.rejected[0].reason
    answer = Answer(found.goal, "", 0.0, found.suggestions, "", found.rejected)
    assert as_record(answer).suggestions[0].repaired_from == "exact Nat.add_com a b"


async def test_a_text_that_the_model_wrote_itself_is_not_shown_twice(
    workspace: LeanWorkspace, settings: Settings, uri: str
) -> None:
    found = await ask(workspace, settings, uri, ADD, "exact Nat.add_comm a b", "exact Nat.add_com a b")
    assert [(each.text, each.candidate.source) for each in found.suggestions] == [("exact Nat.add_comm a b", "model")]


async def test_another_name_has_to_begin_with_the_prefix(
    workspace: LeanWorkspace, settings: Settings, uri: str
) -> None:
    kept = await ask(workspace, settings, uri, ADD, "exact Nat.add_com a b", prefix="exact Nat.add")
    assert [each.text for each in kept.suggestions] == ["exact Nat.add_comm a b"]
    lost = await ask(workspace, settings, uri, ADD, "exact plus_comm a b", prefix="exact plus")
    assert not lost.suggestions


async def test_a_setting_switches_it_off(workspace: LeanWorkspace, settings: Settings, uri: str) -> None:
    off = attrs.evolve(settings, repair_names="off")
    found = await ask(workspace, off, uri, ADD, "exact Nat.plusComm a b", "exact Nat.add_com a b")
    assert [each.text for each in found.suggestions] == ["exact Nat.plusComm a b"]
    assert found.rejected[0].tried == ()


async def test_a_candidate_that_does_not_end_is_left(workspace: LeanWorkspace, settings: Settings, uri: str) -> None:
    text = f"{HEAD}{ADD} := by\n  sorry\n"
    point = find_insertion_point(text, position_at(text, text.rindex("sorry")))
    assert point is not None
    assert await workspace.renamed(uri, text, point, "repeat (first | skip | exact Nat.add_com a b)") == []
