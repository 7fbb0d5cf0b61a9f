"""What a prompt template is: how a goal becomes the text a model continues, and how its answer becomes a step.

A template belongs to a way of training, not to one model: every model in the catalog names its template, and
`llmstep.template` names one for any other model.

A prefix that the user typed is put where the answer begins: at the end of the prompt, or, for an encoder-decoder model,
at the start of the decoder's output. Blanks at its end are *held back* at the end of a prompt: tokenizers made from
ordinary text join a blank to the word behind it (`·h` is one token), so that a prompt that ends in a blank asks for a
continuation that hardly occurs in training. `llmstep.engine.postprocess` puts the prefix in front of every candidate as
it was typed, and drops what does not continue it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
from cattrs import Converter

from llmstep import toml
from llmstep.catalog import cleaning
from llmstep.catalog.local_names import local_names
from llmstep.settings import Settings
from llmstep.types import Premise, PromptInput

T = TypeVar("T")

Family = Literal["causal", "seq2seq"]

_PLACE = re.compile(r"\{(goal|premises|context|file|prefix|declaration|proof)\}")

USER = "<|im_start|>user\n"
ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"
"""What stands around the turn of a user in the templates of chats."""

UNNAMED = "example"
"""What stands for the name of a declaration that has none or is not known."""

GAP = "\n\n"
"""Behind each premise."""
_CONVERTER = Converter(forbid_extra_keys=True)


@attrs.frozen
class Segment:
    """A part of a prompt, with what may be done to it when the prompt is too long."""

    kind: Literal["fixed", "goal", "context", "prefix"]
    """`fixed` and `prefix` are never cut."""
    text: str


@attrs.frozen(kw_only=True)
class PromptTemplate:
    """A prompt format, as data."""

    name: str
    summary: str
    """What the model sees, in a few words."""
    text: str
    """The whole prompt with places to fill; see `templates.toml`."""
    family: Family = "causal"
    prefix_place: Literal["append", "decoder"] = "append"
    """Where the user's prefix goes: to the end of the prompt, or to the start of the decoder's output."""
    prefix_lead: str = ""
    """Text of the answer that comes before the tactic; put before a prefix, left to the model when there is none."""
    goals: Literal["main", "all"] = "all"
    """What `{goal}` stands for: the main goal, or all goals, main first."""
    stops: tuple[str, ...] = ()
    """Texts that end an answer, beside the end token; to be searched in text that still shows special tokens."""
    marks: tuple[str, ...] = ()
    """Texts of the format that are no part of a step: an answer that runs on is cut at the first of them."""
    leads: tuple[str, ...] = ()
    """Texts before the tactic in an answer."""
    erased: tuple[str, ...] = ()
    """Texts inside an answer that are deleted."""
    chat: bool = False
    """The prompt is a turn of a conversation (its markers are part of `text`)."""
    own_turns: bool = False
    """The markers of the turns are only those of a model whose tokenizer has no rule for chats; see
    `llmstep.engine.chat_form`."""
    in_thought: bool = False
    """The prompt ends within a thought, so that an answer begins with the rest of it."""
    thinking_tokens: int = 0
    """Of a chat, most tokens of a thought before the answer; with 0 the model is asked for none."""
    effort: str = ""
    """Of a chat, how much the model is to think, in the words of servers; empty leaves it to the model."""
    special: Literal["none", "bos", "eos"] = "none"
    """Special token of the prompt: `bos` in front (where the tokenizer itself puts one), `eos` behind it, or none."""
    max_prompt_tokens: int
    """Longest prompt in tokens, special ones included."""
    context_tokens: int = 0
    """Longest context (or proof so far) in tokens."""
    context_cut: Literal["tail", "middle"] = "tail"
    """What is left of a longer one: its end, or its beginning and its end with `...` between them."""
    max_new_tokens: int = 128
    """Longest answer in tokens."""
    premise_bytes: int = 0
    """Premises are put in front of the goal until both together have this many bytes."""
    plain_names: bool = False
    """The model reads and writes plain names for the local ones of the goal; see `llmstep.catalog.local_names`."""
    also: PromptTemplate | None = None
    """A second prompt for the same goal, which reads the file: half of the samples come from it."""

    @property
    def uses_context(self) -> bool:
        """Whether the model reads the file before the goal."""
        return self.needs_context or (self.also is not None and self.also.uses_context)

    @property
    def needs_context(self) -> bool:
        """Whether each of its prompts has the file before the goal."""
        return "{context}" in self.text or "{file}" in self.text

    @property
    def reads_place(self) -> bool:
        """Whether a prompt depends on where the goal is: on the file before it, the theorem or the proof so far."""
        return self.uses_context or "{declaration}" in self.text or "{proof}" in self.text

    @property
    def uses_premises(self) -> bool:
        """Whether the model reads premises."""
        return "{premises}" in self.text

    def shortened(self, maximum: int) -> PromptTemplate:
        """The template with prompts of at most `maximum` tokens; those of `also`, too."""
        also = self.also.shortened(maximum) if self.also else None
        return attrs.evolve(self, max_prompt_tokens=min(self.max_prompt_tokens, maximum), also=also)

    def stopping(self, stops: tuple[str, ...]) -> PromptTemplate:
        """The template with further texts that end an answer."""
        return attrs.evolve(self, stops=(*self.stops, *stops)) if stops else self

    def thinking(self, settings: Settings) -> PromptTemplate:
        """The template of a chat with what the settings say about thoughts; others stay as they are."""
        if not self.own_turns:
            return self
        effort = "" if settings.thinking_effort == "auto" else settings.thinking_effort
        return attrs.evolve(self, thinking_tokens=settings.max_thinking_tokens, effort=effort)

    def draws(self, prompt_input: PromptInput, count: int) -> tuple[tuple[PromptTemplate, int], ...]:
        """What is asked for `count` samples: templates with one prompt each, and the samples that each gives.

        `also` is left out where there is no file to be read, and for a single sample.
        """
        if self.also is None or count < 2 or not prompt_input.context.strip():
            return ((self, count),)
        return ((self, count - count // 2), (self.also, count // 2))

    def segments(self, prompt_input: PromptInput) -> tuple[Segment, ...]:
        """The parts of the prompt for `ask`, in order; joined they are `prompt(ask)`."""
        parts = []
        for index, piece in enumerate(_PLACE.split(self.text)):
            segment = Segment("fixed", piece) if index % 2 == 0 else self._fill(piece, prompt_input)
            if segment.text or segment.kind != "fixed":
                parts.append(segment)
        return tuple(parts)

    def _fill(self, place: str, prompt_input: PromptInput) -> Segment:
        goal = (prompt_input.goal.text if self.goals == "main" else prompt_input.goal.state).strip()
        if place == "goal":
            return Segment("goal", local_names(prompt_input.goal.text).hidden(goal) if self.plain_names else goal)
        if place == "premises":
            return Segment("context", in_front(goal, prompt_input.premises, self.premise_bytes))
        if place == "context":
            return Segment("context", prompt_input.context.strip("\n"))
        if place == "file":
            # As it is, except for one blank: most tokenizers join that to the word that the answer begins with.
            return Segment(
                "context",
                prompt_input.context if prompt_input.prefix.strip() else prompt_input.context.removesuffix(" "),
            )
        if place == "proof":
            return Segment("context", prompt_input.proof.strip("\n"))
        if place == "declaration":
            return Segment("fixed", prompt_input.declaration or UNNAMED)
        prefix = self.hidden(prompt_input, prompt_input.prefix.removesuffix(self.unfinished(prompt_input)).strip())
        return Segment("prefix", self.prefix_lead + prefix if prefix else "")

    def hidden(self, prompt_input: PromptInput, step: str) -> str:
        """A step or its beginning as the model reads it: with plain names, where the template has them."""
        return local_names(prompt_input.goal.text).hidden_step(step) if self.plain_names else step

    def shown(self, prompt_input: PromptInput, text: str) -> str:
        """A text of the model with the names of the goal."""
        return local_names(prompt_input.goal.text).shown(text, prompt_input.prefix) if self.plain_names else text

    def unfinished(self, prompt_input: PromptInput) -> str:
        """The beginning of a local name that the prefix ends with; the prompt leaves out what has no plain form."""
        return local_names(prompt_input.goal.text).unfinished(prompt_input.prefix) if self.plain_names else ""

    def prompt(self, prompt_input: PromptInput) -> str:
        """The prompt for `ask` when nothing has to be cut; for an encoder-decoder model, what the encoder reads."""
        return "".join(segment.text for segment in self.segments(prompt_input))

    def decoder_text(self, prompt_input: PromptInput) -> str:
        """What the decoder of an encoder-decoder model starts with: the prefix; empty for other models."""
        return prompt_input.prefix.lstrip() if self.prefix_place == "decoder" else ""

    def held(self, prompt_input: PromptInput) -> str:
        """Blanks at the end of the prefix that the prompt leaves out and the answer has to begin with."""
        if self.prefix_place == "decoder" or not prompt_input.prefix.strip():
            return ""
        return prompt_input.prefix[len(prompt_input.prefix.rstrip()) :]

    def unwrap(self, text: str) -> str:
        """A raw answer without stops, fences, leads and marks; blanks around the step are kept.

        Only stops, marks and fences end a step: one that has several lines keeps them.
        """
        text = text.replace("\r\n", "\n")
        if self.chat:
            text = cleaning.without_thought(text, inside=self.in_thought)
        text = cleaning.cut_at_first(text, (*self.stops, *self.marks))
        text = cleaning.without_fence(text)
        text = cleaning.without_lead(text, self.leads)
        for mark in self.erased:
            text = text.replace(mark, "")
        return text

    def clean(self, text: str) -> str:
        """The step in a raw answer to a prompt without a prefix."""
        return cleaning.dedent(self.unwrap(text))


def marked(premise: Premise) -> str:
    """The code of a premise with its full name, in marks, in the place of the name that it is defined by.

    That is the longest end of the name which occurs in the code behind a blank: `theorem add_comm …` in the namespace
    `Nat` becomes `theorem <a>Nat.add_comm</a> …`, as ReProver was trained on it (its `common.py`).
    """
    name = f"<a>{premise.name}</a>"
    code = premise.code.replace(f"_root_.{premise.name}", name)
    parts = premise.name.split(".")
    for index in range(len(parts)):
        end = re.escape(".".join(parts[index:]))
        changed = re.sub(rf"(?<=\s)«?{end}»?", lambda _: name, code)
        if changed != code:
            return changed
    return code


def in_front(state: str, premises: Sequence[Premise], max_bytes: int) -> str:
    """The premises that go in front of a state, the best next to it.

    Taken in their order as long as premises and state together have at most so many bytes in UTF-8. One that is too
    long is passed over, and shorter ones behind it still come.
    """
    capacity = max_bytes - len(state.encode())
    text = ""
    for premise in premises:
        one = marked(premise) + GAP
        size = len(one.encode())
        if size <= capacity:
            capacity -= size
            text = one + text
    return text


def read_tables(file: str, kind: type[T]) -> dict[str, T]:
    """The records of a file, by the names of their tables.

    `like` takes what a table does not say from another one, and `also` stands for another one.
    """
    tables: dict[str, dict[str, Any]] = toml.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))

    def whole(name: str) -> dict[str, Any]:
        own = dict(tables[name])
        fields = {**(whole(own.pop("like")) if "like" in own else {}), **own, "name": name}
        return {**fields, "also": whole(fields["also"])} if "also" in own else fields

    return {name: _CONVERTER.structure(whole(name), kind) for name in tables}
