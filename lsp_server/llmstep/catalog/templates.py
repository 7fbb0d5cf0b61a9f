"""The prompt templates by name, and which one a model needs."""

from __future__ import annotations

import difflib
import re

import attrs

from llmstep.catalog import formats
from llmstep.catalog.template import Family, PromptTemplate, Segment
from llmstep.errors import ModelError

__all__ = ["TEMPLATES", "Family", "PromptTemplate", "Segment", "get_template", "guess_template"]


def _ntp(name: str, summary: str, text: str, *, max_prompt_tokens: int, context_tokens: int = 0) -> PromptTemplate:
    return PromptTemplate(
        name=name,
        summary=summary,
        text=text,
        stops=("[/TAC]", "\n\n\n", "---"),
        marks=("[STATE]", "[CTX]"),
        leads=("[TAC]\n", "[TAC]"),
        special="bos",
        max_prompt_tokens=max_prompt_tokens,
        context_tokens=context_tokens,
        context_cut="middle",
    )


_FEW_SHOT = PromptTemplate(
    name="llemma-fewshot",
    summary="main goal, after three examples",
    text=formats.LLEMMA_FEW_SHOT,
    goals="main",
    stops=("---", "\n"),
    special="bos",
    max_prompt_tokens=3968,
)

_CONTINUATION = PromptTemplate(
    name="continuation",
    summary="the file before the goal, and nothing else",
    text=formats.CONTINUATION,
    stops=("---", "\n"),
    special="bos",
    max_prompt_tokens=3968,
    context_tokens=3968,
)

_ALL = (
    PromptTemplate(
        name="starter",
        summary="main goal, with plain names for the local ones",
        text=formats.PYTHIA,
        goals="main",
        plain_names=True,
        marks=("[GOAL]", "[PROOFSTEP]", "<|endoftext|>"),
        max_prompt_tokens=1920,
    ),
    PromptTemplate(
        name="pythia",
        summary="main goal",
        text=formats.PYTHIA,
        goals="main",
        marks=("[GOAL]", "[PROOFSTEP]", "<|endoftext|>"),
        max_prompt_tokens=1920,
    ),
    PromptTemplate(
        name="byt5-state",
        summary="all goals",
        text=formats.STATE_ONLY,
        family="seq2seq",
        prefix_place="decoder",
        erased=("<a>", "</a>"),
        special="eos",
        max_prompt_tokens=2300,
        max_new_tokens=512,
    ),
    PromptTemplate(
        name="byt5-retrieval",
        summary="premises, all goals",
        text=formats.PREMISES_STATE,
        family="seq2seq",
        prefix_place="decoder",
        erased=("<a>", "</a>"),
        special="eos",
        max_prompt_tokens=2301,  # the authors count the bytes of the premises without the end token
        premise_bytes=2300,
        context_tokens=2300,
        max_new_tokens=512,
    ),
    _ntp("ntp-st", "all goals, after an instruction", formats.NTP_STATE, max_prompt_tokens=3968),
    _ntp(
        "ntp-context",
        "the file before the goal, all goals",
        formats.NTP_CONTEXT,
        max_prompt_tokens=16256,
        context_tokens=8000,
    ),
    _FEW_SHOT,
    _CONTINUATION,
    attrs.evolve(
        _FEW_SHOT, name="llemma", summary="main goal, after three examples; and the file before it", also=_CONTINUATION
    ),
    PromptTemplate(
        name="bfs",
        summary="all goals",
        text=formats.BFS,
        marks=(":::", "<|endoftext|>", "<|im_end|>"),
        max_prompt_tokens=3968,
    ),
    PromptTemplate(
        name="internlm-plus",
        summary="all goals, as a chat",
        text=formats.INTERNLM_PLUS,
        prefix_lead=formats.INTERNLM_PLUS_ANSWER,
        stops=("<|im_end|>",),
        leads=("Here is the predicted next tactic:",),
        chat=True,
        special="bos",
        max_prompt_tokens=3968,
    ),
    PromptTemplate(
        name="internlm-step",
        summary="name of the theorem, all goals, as a chat",
        text=formats.INTERNLM_STEP,
        prefix_lead=formats.INTERNLM_STEP_ANSWER,
        stops=("<|im_end|>",),
        leads=(formats.INTERNLM_STEP_ANSWER,),
        chat=True,
        special="bos",
        max_prompt_tokens=3968,
    ),
    PromptTemplate(
        name="internlm25-step",
        summary="name of the theorem, proof so far, all goals, as a chat",
        text=formats.INTERNLM25_STEP,
        stops=("<|im_end|>",),
        chat=True,
        special="bos",
        max_prompt_tokens=3968,
        context_tokens=2000,
    ),
    PromptTemplate(
        name="instruct",
        summary="all goals, with an instruction, as a chat",
        text=formats.INSTRUCT,
        stops=("<|im_end|>",),
        chat=True,
        own_turns=True,
        special="bos",
        max_prompt_tokens=3968,
    ),
    PromptTemplate(
        name="instruct-file",
        summary="the file before the goal, all goals, with an instruction, as a chat",
        text=formats.INSTRUCT_FILE,
        stops=("<|im_end|>",),
        chat=True,
        own_turns=True,
        special="bos",
        max_prompt_tokens=8064,
        context_tokens=6000,
    ),
)

TEMPLATES: dict[str, PromptTemplate] = {template.name: template for template in _ALL}
"""All templates by name."""

_GUESSES: tuple[tuple[str, Family, str], ...] = (
    (r"retriever-tacgen", "seq2seq", "byt5-retrieval"),
    (r"retriever|critic", "causal", ""),  # no step models
    (r"retriever|critic", "seq2seq", ""),
    (r"byt5", "seq2seq", "byt5-state"),
    (r"ntp.*(context|ctx)", "causal", "ntp-context"),
    (r"ntp.*(-st|state)", "causal", "ntp-st"),
    (r"llemma", "causal", "llemma"),
    (r"internlm2[_.]5-step", "causal", "internlm25-step"),
    (r"internlm2-step", "causal", "internlm-step"),
    (r"internlm2-math-plus", "causal", "internlm-plus"),
    (r"bfs-prover|openproof-tactic", "causal", "bfs"),
    (r"(goedel|kimina|deepseek)-prover", "causal", "instruct-file"),
    (r"qwen3-[\d.]+b|gpt-oss", "causal", "instruct"),
    (r"llmstep|pythia", "causal", "pythia"),
)


def get_template(name: str) -> PromptTemplate:
    """The template called `name`.

    Raises:
        ModelError: There is none; the hint lists those there are.
    """
    template = TEMPLATES.get(name)
    if template is None:
        near = difflib.get_close_matches(name, TEMPLATES, n=1)
        raise ModelError(
            f"There is no prompt template {name!r}.",
            hint=(f"Did you mean {near[0]!r}? " if near else "")
            + f"Set llmstep.template to one of {', '.join(TEMPLATES)}.",
        )
    return template


def guess_template(model_id: str, family: Family) -> str | None:
    """The name of the template that a model of this id was most likely trained on, or None."""
    for pattern, of_family, name in _GUESSES:
        if of_family == family and re.search(pattern, model_id.lower()):
            return name or None
    return None
