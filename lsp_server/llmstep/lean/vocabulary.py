"""The words that no candidate may hold, by the reason why; and the options that it may set."""

from __future__ import annotations

from typing import Final

from llmstep.lean.step_words import words

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
NOT_EVALUATED: Final = frozenset({"discharger", "disch", "motive", "add", "erase", "rule_sets"})
"""Options of tactics whose value is syntax and no program."""
