"""The models that llmstep knows by name.

Sizes, licences and scores are what the models' cards and READMEs state; nothing here was measured by this project. A
score is the share of the 244 problems of miniF2F-test proved by a search that asks the model for every step, under a
protocol that differs from model to model; it says little about single steps in an editor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from llmstep.catalog.memory import BYTES, needed_bytes, weight_bytes

if TYPE_CHECKING:
    from llmstep.catalog.template import Family

Dtype = Literal["float32", "bfloat16", "float16"]


@attrs.frozen(kw_only=True)
class ModelRecord:
    """What is known about a model before it is loaded."""

    name: str
    """Name in the settings and on the command line."""
    repo_id: str
    """Id on the Hugging Face hub; empty for the model that comes with the package."""
    template: str
    """Name of its prompt template."""
    summary: str
    family: Family = "causal"
    parameters: int | None = None
    """Number of weights, rounded as its card or paper rounds it."""
    dtype: Dtype = "bfloat16"
    """Number format that it is run in on an accelerator."""
    licence: str | None = None
    """As its card states it; None where no licence is stated."""
    score: str | None = None
    """Reported result on miniF2F-test, with what was special about the search; None where none is reported."""
    score_source: str | None = None
    trust_remote_code: bool = False
    """Whether it brings Python code of its own, which the user has to allow."""
    aliases: tuple[str, ...] = ()
    bundled: bool = False
    added: bool = False
    """By the user; see `llmstep.catalog.added`. `repo_id` may then be a folder."""
    stops: tuple[str, ...] = ()
    """Texts that end an answer of this model, beside those of its template."""

    @property
    def size_bytes(self) -> int | None:
        """Memory for its weights in its own number format, from the rounded number of weights."""
        return None if self.parameters is None else round(self.parameters * BYTES[self.dtype])

    def needed_bytes(self, device: str) -> int | None:
        """Memory that it needs on a device, by the format that is taken there by itself; None where that is unknown."""
        if self.bundled or self.parameters is None:
            return None
        return needed_bytes(weight_bytes(self.parameters, device, own=self.dtype))

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it answers to: its name, aliases, hub id, and the hub id without its owner."""
        ids = (self.repo_id, self.repo_id.rpartition("/")[2]) if self.repo_id and not self.added else ()
        return (self.name, *self.aliases, *ids)


STARTER = ModelRecord(
    name="starter",
    repo_id="",
    template="starter",
    summary="Comes with llmstep; trained by it for logic, equality and simple facts about Nat",
    dtype="float32",
    licence="mit",
    bundled=True,
)

CATALOG: tuple[ModelRecord, ...] = (
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
"""All records, small models first."""

_BY_NAME = {name.lower(): record for record in CATALOG for name in record.names}


def find_in_catalog(name_or_id: str) -> ModelRecord | None:
    """The record of the catalog with this name, alias or hub id; upper and lower case are the same."""
    return _BY_NAME.get(name_or_id.strip().lower())
