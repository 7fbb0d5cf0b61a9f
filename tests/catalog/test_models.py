"""The records: complete, consistent, found by every name they have, and true to their sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstep.catalog.models import CATALOG, STARTER
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import PREFERENCE
from llmstep.catalog.templates import TEMPLATES, guess_template


@pytest.mark.parametrize("record", CATALOG, ids=lambda record: record.name)
def test_a_record_is_consistent(record) -> None:
    template = TEMPLATES[record.template]
    assert template.family == record.family
    assert record.summary
    assert (record.score is None) == (record.score_source is None)
    assert record.bundled == (record.repo_id == "")
    assert record.name == record.name.lower()
    if not record.bundled:
        assert guess_template(record.repo_id, record.family) == record.template
        assert record.parameters is not None


@pytest.mark.parametrize("record", CATALOG, ids=lambda record: record.name)
def test_a_record_answers_to_all_its_names(record) -> None:
    for name in record.names:
        assert find_record(name) is record
        assert find_record(f" {name.upper()} ") is record


def test_no_two_records_share_a_name() -> None:
    names = [name for record in CATALOG for name in {name.lower() for name in record.names}]
    assert len(names) == len(set(names))


def test_unknown_names() -> None:
    assert find_record("gpt2") is None
    assert find_record("") is None


def test_the_starter_comes_first() -> None:
    assert CATALOG[0] is STARTER
    assert STARTER.bundled
    assert STARTER.score is None


def test_what_auto_picks_from_is_in_the_catalog() -> None:
    assert len(PREFERENCE) == 8


@pytest.mark.parametrize(
    ("repo_id", "parameters", "licence", "score"),
    [
        ("kaiyuy/leandojo-lean4-tacgen-byt5-small", 0.3e9, "mit", "22.1 %"),
        ("wellecks/llmstep-mathlib4-pythia2.8b", 2.8e9, "mit", "27.9 % (68 of 244)"),
        ("30hzzh/llmstep-mathlib4-Pythia410m", 0.4e9, None, None),
        ("l3lab/ntp-mathlib-st-deepseek-coder-1.3b", 1.3e9, "mit", "29.1 % (71 of 244)"),
        ("l3lab/ntp-mathlib-context-deepseek-coder-1.3b", 1.3e9, "mit", None),
        ("EleutherAI/llemma_7b", 7e9, "llama2", "26.2 %"),
        ("internlm/internlm2-math-plus-1_8b", 1.8e9, "other", "38.9 %"),
        ("internlm/internlm2-math-plus-7b", 7e9, "other", "43.4 %"),
        ("internlm/internlm2-step-prover", 7e9, "other", "54.5 %"),
        ("internlm/internlm2_5-step-prover", 7e9, "other", "65.9 % (with its critic model)"),
        ("ByteDance-Seed/BFS-Prover-V1-7B", 7.6e9, "apache-2.0", "70.83 ± 0.89 %"),
        ("ByteDance-Seed/BFS-Prover-V2-7B", 7.6e9, "apache-2.0", "82.4 %"),
        ("ByteDance-Seed/BFS-Prover-V2-32B", 33e9, "apache-2.0", "86.1 % (95.08 % with a planner)"),
    ],
)
def test_reported_facts(repo_id: str, parameters: float, licence: str | None, score: str | None) -> None:
    record = find_record(repo_id)
    assert record is not None
    assert (record.repo_id, record.parameters, record.licence, record.score) == (repo_id, parameters, licence, score)
    assert record.trust_remote_code == repo_id.startswith("internlm/")


def test_the_documentation_says_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in page.split("\n") if " | " in line]
    for record in CATALOG:
        _, repo_id, weights, licence, template, score, source = next(row for row in rows if row[0] == record.name)
        assert (licence, template) == (record.licence or "not stated", record.template)
        assert (score, source) == (record.score or "–", record.score_source or "–")
        if not record.bundled:
            assert repo_id == record.repo_id
            assert float(weights.removesuffix(" B")) * 1e9 == record.parameters
    assert all(f"`{name}`" in page for name in (*TEMPLATES, *(record.name for record in PREFERENCE)))


def test_size_in_memory() -> None:
    assert find_record("pythia").size_bytes == 2_800_000_000 * 2
    assert find_record("byt5").size_bytes == 300_000_000 * 4
