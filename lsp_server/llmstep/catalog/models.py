"""The models that llmstep knows by name.

Sizes, licences and scores are what the models' cards and READMEs state; nothing here was measured by this project. A
score is the share of the 244 problems of miniF2F-test proved by a search that asks the model for every step, under a
protocol that differs from model to model; it says little about single steps in an editor. Models of whole proofs were
asked for many of them.
"""

from __future__ import annotations

from llmstep.catalog.record import Dtype as Dtype
from llmstep.catalog.record import ModelRecord as ModelRecord
from llmstep.catalog.record import ProofStyle as ProofStyle
from llmstep.catalog.whole_proofs import WHOLE_PROOF_MODELS

STARTER = ModelRecord(
    name="starter",
    repo_id="",
    template="starter",
    summary="Comes with llmstep; trained by it for logic, equality and simple facts about Nat",
    dtype="float32",
    licence="mit",
    bundled=True,
)

_STEP_MODELS: tuple[ModelRecord, ...] = (
    STARTER,
    ModelRecord(
        name="byt5-small",
        repo_id="kaiyuy/leandojo-lean4-tacgen-byt5-small",
        template="byt5-state",
        summary="LeanDojo's tactic generator without retrieval; small enough for a CPU",
        family="seq2seq",
        parameters=300_000_000,
        dtype="float32",
        licence="mit",
        score="22.1 %",
        score_source="README of wellecks/llmstep",
        aliases=("byt5", "leandojo"),
    ),
    ModelRecord(
        name="reprover",
        repo_id="kaiyuy/leandojo-lean4-retriever-tacgen-byt5-small",
        template="byt5-retrieval",
        summary="LeanDojo's tactic generator with retrieval; wants premises, from an index for example",
        family="seq2seq",
        parameters=300_000_000,
        dtype="float32",
        licence="mit",
        score="25.0 to 26.5 %",
        score_source="model card and README of InternLM",
    ),
    ModelRecord(
        name="llmstep-pythia-410m",
        repo_id="30hzzh/llmstep-mathlib4-Pythia410m",
        template="pythia",
        summary="A small model in the format of the first llmstep, by a third party",
        parameters=400_000_000,
        dtype="float32",
        aliases=("pythia-410m",),
    ),
    ModelRecord(
        name="ntp-state-1.3b",
        repo_id="l3lab/ntp-mathlib-st-deepseek-coder-1.3b",
        template="ntp-st",
        summary="DeepSeek-Coder trained on Mathlib, reads the goals",
        parameters=1_300_000_000,
        licence="mit",
        score="29.1 % (71 of 244)",
        score_source="its model card",
        aliases=("ntp-st",),
    ),
    ModelRecord(
        name="ntp-context-1.3b",
        repo_id="l3lab/ntp-mathlib-context-deepseek-coder-1.3b",
        template="ntp-context",
        summary="DeepSeek-Coder trained on Mathlib, reads the goals and the file before them",
        parameters=1_300_000_000,
        licence="mit",
        aliases=("ntp-context",),
    ),
    ModelRecord(
        name="openproof-tactic-2b",
        repo_id="markm39/openproof-tactic-2b",
        template="bfs",
        summary="A LoRA adapter for Qwen3.5-2B of 2026; needs the extra `lora`, and its base besides",
        parameters=1_900_000_000,
        licence="mit",
        aliases=("openproof",),
    ),
    ModelRecord(
        name="internlm2-math-plus-1.8b",
        repo_id="internlm/internlm2-math-plus-1_8b",
        template="internlm-plus",
        summary="A model for mathematics in general, asked by chat",
        parameters=1_800_000_000,
        licence="other",
        score="38.9 %",
        score_source="README of InternLM/InternLM-Math",
        trust_remote_code=True,
    ),
    ModelRecord(
        name="llmstep-pythia-2.8b",
        repo_id="wellecks/llmstep-mathlib4-pythia2.8b",
        template="pythia",
        summary="The model of the first llmstep",
        parameters=2_800_000_000,
        dtype="float16",
        licence="mit",
        score="27.9 % (68 of 244)",
        score_source="README of wellecks/llmstep",
        aliases=("pythia", "pythia-2.8b"),
    ),
    ModelRecord(
        name="qwen3-4b-instruct",
        repo_id="Qwen/Qwen3-4B-Instruct-2507",
        template="instruct",
        summary="A general model that follows instructions, asked by chat; was not made for Lean",
        parameters=4_000_000_000,
        licence="apache-2.0",
    ),
    ModelRecord(
        name="llemma-7b",
        repo_id="EleutherAI/llemma_7b",
        template="llemma",
        summary="A base model for mathematics, asked twice: with three examples, and with the file before the goal",
        parameters=7_000_000_000,
        licence="llama2",
        score="26.2 %",
        score_source="README of InternLM/InternLM-Math",
        aliases=("llemma",),
    ),
    ModelRecord(
        name="internlm2-math-plus-7b",
        repo_id="internlm/internlm2-math-plus-7b",
        template="internlm-plus",
        summary="A model for mathematics in general, asked by chat",
        parameters=7_000_000_000,
        licence="other",
        score="43.4 %",
        score_source="README of InternLM/InternLM-Math",
        trust_remote_code=True,
    ),
    ModelRecord(
        name="internlm2-step-prover",
        repo_id="internlm/internlm2-step-prover",
        template="internlm-step",
        summary="A step prover, asked by chat, reads the theorem's name",
        parameters=7_000_000_000,
        licence="other",
        score="54.5 %",
        score_source="README of InternLM/InternLM-Math",
        trust_remote_code=True,
    ),
    ModelRecord(
        name="internlm2.5-step-prover",
        repo_id="internlm/internlm2_5-step-prover",
        template="internlm25-step",
        summary="A step prover, asked by chat, reads the theorem's name and the proof so far",
        parameters=7_000_000_000,
        licence="other",
        score="65.9 % (with its critic model)",
        score_source="model card of BFS-Prover",
        trust_remote_code=True,
    ),
    ModelRecord(
        name="bfs-prover-v1-7b",
        repo_id="ByteDance-Seed/BFS-Prover-V1-7B",
        template="bfs",
        summary="A step prover made for best-first search",
        parameters=7_600_000_000,
        licence="apache-2.0",
        score="70.83 ± 0.89 %",
        score_source="its model card",
        aliases=("bfs-prover-v1",),
    ),
    ModelRecord(
        name="bfs-prover-v2-7b",
        repo_id="ByteDance-Seed/BFS-Prover-V2-7B",
        template="bfs",
        summary="Its successor, trained further by reinforcement learning",
        parameters=7_600_000_000,
        licence="apache-2.0",
        score="82.4 %",
        score_source="its model card",
        aliases=("bfs-prover-v2", "bfs-prover"),
    ),
    ModelRecord(
        name="bfs-prover-v2-32b",
        repo_id="ByteDance-Seed/BFS-Prover-V2-32B",
        template="bfs",
        summary="The large form of the successor; wants a large GPU or several",
        parameters=33_000_000_000,
        licence="apache-2.0",
        score="86.1 % (95.08 % with a planner)",
        score_source="its model card",
    ),
)

CATALOG: tuple[ModelRecord, ...] = tuple(
    sorted((*_STEP_MODELS, *WHOLE_PROOF_MODELS), key=lambda record: record.parameters or 0)
)
"""All records, small models first."""

_BY_NAME = {name.lower(): record for record in CATALOG for name in record.names}


def find_in_catalog(name_or_id: str) -> ModelRecord | None:
    """The record of the catalog with this name, alias or hub id; upper and lower case are the same."""
    return _BY_NAME.get(name_or_id.strip().lower())
