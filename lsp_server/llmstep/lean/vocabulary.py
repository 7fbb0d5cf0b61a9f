"""The words that no candidate may hold, by the reason why, and the options that it may set and give to tactics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from llmstep.lean.step_words import words
from llmstep.lean.tokens import CLOSING, OPENING

if TYPE_CHECKING:
    from llmstep.lean.lexer import Lexeme

ADMITTING: Final = frozenset({"sorry", "admit", "stop"})
"""Words that close a goal without a proof."""
RUNNING: Final = words(
    "run_tac run_cmd run_elab run_meta by_elab eval% elab elab_rules elab_stx% macro macro_rules syntax "
    "declare_syntax_cat initialize builtin_initialize simproc dsimproc simproc_decl dsimproc_decl simproc_pattern% "
    "builtin_simproc builtin_dsimproc register_simp_attr register_label_attr register_option binder_predicate "
    "implemented_by extern csimp include_str include_bytes load_dynlib declare_config_elab dbg_trace dbgTrace "
    "dbgTraceVal dbgTraceIfShared dbgSleep dbgStackTrace panic! panic panicCore panicWithPos panicWithPosWithDecl "
    "evalExpr evalDecl evalConst evalTactic reduceBool reduceNat declare_command_config_elab compile_inductive "
    "bv_check deriving_instance declare_simp_like_tactic notation3"
)
"""Words that run code, read files or have Lean do so later, wherever they stand."""
OUTSIDE: Final = words(
    "llmstep llmqed suggest_tactics search_proof select_premises polyrith hammer smt smt_show leansearch moogle loogle "
    "state_search statesearch gptf sagredo leanaide"
)
"""Tactics that ask another program or machine."""
NATIVE: Final = frozenset({"native_decide", "bv_decide", "ofReduceBool", "ofReduceNat", "trustCompiler"})
"""Words that make the compiler's word an axiom."""
UNSOUND: Final = frozenset({"sorryAx", "lcProof", "lcUnreachable", "lcAny", "lcErased", "lcVoid", "lcCast", "lcInv"})
"""Constants that prove nothing, whatever name space they are reached through."""
COMMANDS: Final = words(
    "theorem lemma def abbrev example instance opaque axiom structure inductive coinductive class mutual variable "
    "universe namespace section end export import attribute notation infix infixl infixr prefix postfix unif_hint "
    "add_decl_doc include omit where termination_by termination_by? decreasing_by prelude grind_pattern deriving "
    "register_builtin_option gen_injective_theorems% irreducible_def to_additive assert_not_exists assert_not_imported "
    "library_note proof_wanted initialize_simps_projections set_library_suggestions show_panel_widgets "
    "suppress_compilation partial_fixpoint inductive_fixpoint coinductive_fixpoint declare_aesop_rule_sets "
    "tactic_extension init_quot reset_grind_attrs% recommended_spelling docs_to_verso unseal private protected "
    "noncomputable nonrec"
)
"""Words that begin a command or go on with one. A field of such a name is fine: `s.prefix`, `h.end`."""
SOFT_COMMANDS: Final = frozenset({"alias", "recall", "seal", "module"})
"""Words that begin commands only with some imports, or are names elsewhere: fine where the goal has them."""

_FLAG: Final = (0, 0)
"""`true` or `false`, no number."""
OPTIONS: Final[dict[str, tuple[int, int]]] = {
    "maxHeartbeats": (1, 1_000_000),
    "synthInstance.maxHeartbeats": (1, 1_000_000),
    "maxRecDepth": (1, 10_000),
    "synthInstance.maxSize": (1, 10_000),
    "maxSynthPendingDepth": (1, 100),
    "exponentiation.threshold": (1, 10_000),
    "tactic.hygienic": _FLAG,
    "smartUnfolding": _FLAG,
    "autoLift": _FLAG,
}
"""What `set_option … in` may set, with the least and the greatest value."""
OPTION_FAMILIES: Final = frozenset({"pp", "linter", "backward"})
"""Options that change what is printed, or how old versions are followed; they take flags and small numbers."""
FIXED_VALUES: Final = frozenset({"true", "false", "some", "none", "with", "default"})
"""Lower case words in the value of an option of a tactic."""
CONSTRUCTORS: Final = words("pos neg some Occurrences.pos Occurrences.neg Option.some with")
"""Words that something may follow there: constructors with an argument."""
NOT_EVALUATED: Final = frozenset({"discharger", "disch", "motive", "add", "erase", "rule_sets"})
"""Options of tactics whose value is syntax and no program."""


_LARGEST: Final = 1_000_000_000
_BEGINS: Final = frozenset({";", "<;>", "·", "by", "try", "repeat", "first", "all_goals", "any_goals"})
"""Behind these stands a tactic and no term."""
_WITH_OPTIONS: Final = words(
    "simp simp_all simpa dsimp simp_arith simp_rw rw rwa erw nth_rw rewrite decide omega grind norm_num norm_num1 ring "
    "ring_nf linarith nlinarith positivity aesop apply solve_by_elim field_simp push_cast norm_cast exact_mod_cast "
    "congr ext unfold split apply_rules push_neg gcongr conv cases induction exact? apply? simp?"
)
"""Tactics with options, which are known as such behind anything."""
_VALUE_ENDS: Final = frozenset({"", "}", "]", ")", ",", ":=", ":", "with"})
_VALUE_MARKS: Final = frozenset({"{", "}", "[", "]", "(", ")", ",", ":=", ":", ".", "..", "-"})


def refused_option(tokens: Sequence[Lexeme]) -> str | None:
    """The first `set_option` that is none of the allowed ones, or that is a command."""
    for index, token in enumerate(tokens):
        if token.text != "set_option":
            continue
        name = tokens[index + 1].text if index + 1 < len(tokens) else ""
        value = tokens[index + 2].text if index + 2 < len(tokens) else ""
        if index + 3 >= len(tokens) or tokens[index + 3].text != "in":
            return "It is not a step: `set_option` begins a command."
        if not _allowed(name, value):
            return f"It sets the option `{name}` to `{value}`, which a step may not set."
    return None


def _allowed(name: str, value: str) -> bool:
    minimum, maximum = OPTIONS.get(name, (1, 0))
    if name.partition(".")[0] in OPTION_FAMILIES and "." in name:
        minimum, maximum = 0, _LARGEST
    if value in {"true", "false"}:
        return (minimum, maximum) in {(0, 0), (0, _LARGEST)}
    return (
        value.isascii() and value.isdecimal() and len(value) < 12 and minimum <= int(value) <= maximum and maximum > 0
    )


def computed_option(tokens: Sequence[Lexeme]) -> str | None:
    """The first option of a tactic whose value is more than a fixed one: Lean would compile and run it."""
    for index, token in enumerate(tokens):
        if token.text != "(" or index + 2 >= len(tokens) or tokens[index + 2].text != ":=":
            continue
        name = tokens[index + 1].text
        if name in NOT_EVALUATED or not (name == "config" or _of_tactic(tokens, index)):
            continue
        if not _fixed(tokens[index + 3 : _closing(tokens, index)]):
            return f"It computes the value of an option: `({name} := …)` takes fixed values only."
    return None


def _of_tactic(tokens: Sequence[Lexeme], index: int) -> bool:
    """Whether the bracket at `index` stands where a tactic has its options: behind its name and other options."""
    at = index - 1
    while at > 0:
        if tokens[at].text == ")":
            while at > 0 and not (tokens[at].text == "(" and tokens[at + 2].text == ":="):
                at -= 1
            at -= 1
        elif tokens[at - 1].text in {"+", "-"}:
            at -= 2
        elif tokens[at].text in {"only", "!", "?"}:
            at -= 1
        else:
            break
    if at < 0 or not tokens[at].is_name:
        return False
    return tokens[at].text in _WITH_OPTIONS or at == 0 or tokens[at - 1].text in _BEGINS


def _closing(tokens: Sequence[Lexeme], index: int) -> int:
    depth = 0
    for at in range(index, len(tokens)):
        depth += (tokens[at].text in OPENING) - (tokens[at].text in CLOSING)
        if depth == 0:
            return at
    return len(tokens)


def _fixed(value: Sequence[Lexeme]) -> bool:
    """Whether a value is made of numbers, flags, constructors, lists and fields, and applies no function."""
    for number, token in enumerate(value):
        text = token.text
        after = value[number + 1].text if number + 1 < len(value) else ""
        if token.is_name:
            dotted = number > 0 and value[number - 1].text == "." and token.glued
            plain = dotted or text in FIXED_VALUES or text[:1].isupper() or "." in text or after == ":="
            if not plain or not (after in _VALUE_ENDS or text in CONSTRUCTORS):
                return False
        elif not (text.isdecimal() or text == '"' or text in _VALUE_MARKS):
            return False
    return True
