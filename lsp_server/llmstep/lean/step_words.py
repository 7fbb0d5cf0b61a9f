"""The words of tactic proofs that their layout depends on. Most are Lean's own, some are Mathlib's or Batteries'."""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


ALTERNATIVES: Final = words("cases induction match fun_cases fun_induction intro")
"""Steps whose `| pattern => …` hold steps."""
CASES: Final = words("case case' next on_goal as_aux_lemma")
"""Steps whose `=>` holds steps."""
CONVERSIONS: Final = words("conv conv' conv_lhs conv_rhs")
"""Steps whose `=>` holds steps of `conv`."""
LEAVING: Final = words("tactic tactic'")
"""Steps of `conv` whose `=>` holds steps that are not."""
COMBINATORS: Final = words(
    "try repeat repeat' repeat1 repeat1' all_goals any_goals focus fail_if_success show_term iterate stop"
    " with_reducible with_reducible_and_instances unhygienic"
)
"""Steps that are followed by steps."""
DISTRIBUTING: Final = words("<;> all_goals any_goals repeat repeat' repeat1 repeat1' iterate")
"""What makes the steps behind it run several times, or on several goals."""
CHOICES: Final = words("first solve")
"""Steps whose `|` holds steps."""
PATTERNS: Final = words("rcases obtain rintro rsuffices cases' fun")
"""Steps with patterns that may hold a `|`."""
REPLACED: Final = words("sorry llmstep llmstep? _")
"""Words that a candidate may replace."""
NAMING: Final = words("have haveI suffices replace")
"""Steps with a name that a type or a value follows."""
COMMAS: Final = words("use exists existsi")
"""Steps that may hold a `,` of their own."""
NO_STEP: Final = words(
    "with at using then else from where generalizing in only _ do termination_by decreasing_by deriving"
)
"""Words that no step begins with."""
SURE_STEPS: Final = words(
    "exact intro intros apply refine constructor cases induction rw simp simp_all simpa rcases obtain rintro"
    " omega all_goals any_goals exfalso subst unfold by_cases · refine' rwa erw exacts case next replace suffices"
    " have linarith nlinarith norm_num ring ring_nf field_simp positivity push_neg contrapose by_contra specialize"
    " assumption contradiction trivial decide dsimp congr ext funext norm_cast push_cast exact_mod_cast use aesop"
    " tauto split split_ifs rename_i clear revert generalize symm conv nth_rw nth_rewrite grind calc left right"
    " rfl"
)
"""Words that begin a step: at the column of a block they end every bracket left open."""
WITH_ARGUMENT: Final = words(
    "exact apply refine refine' rw rwa rewrite erw rcases obtain cases induction have suffices change specialize"
    " unfold by_cases generalize replace convert exacts rintro revert clear injection show use exists existsi set"
    " choose nth_rw nth_rewrite simp_rw exact_mod_cast apply_fun induction' cases' lift fin_cases interval_cases"
    " rename_i set_option inhabit convert_to rsuffices observe filter_upwards guard_hyp"
    " let delta calc match nomatch subst rename pick_goal conv conv' conv_lhs conv_rhs"
)
"""Steps that are unfinished while nothing stands behind their first word."""
OPEN_END: Final = words(
    ", := : => . ← → ↔ = ≠ < > ≤ ≥ + - * / ^ ∧ ∨ ¬ ∣ ∘ <| $ |> ▸ ∈ ∉ ⊆ × @ ! % & ∀ ∃ λ fun with at using from in"
    " generalizing show have let suffices match if then nomatch"
)
"""Tokens that no step ends with."""
KNOWN_STEPS: Final = (
    SURE_STEPS
    | WITH_ARGUMENT
    | CASES
    | COMBINATORS
    | CHOICES
    | CONVERSIONS
    | ALTERNATIVES
    | words(
        "ac_rfl apply_assumption apply_rules bound bv_decide compute_degree continuity convert_to done eapply eq_refl"
        " exact? apply? rw? fail finiteness gcongr group hint infer_instance inhabit injections itauto"
        " linear_combination measurability module move_add native_decide nofun nomatch noncomm_ring norm_num1"
        " omega_nat open peel pick_goal polyrith qify rel rename rify rotate_left rotate_right rsuffices set_option"
        " show_term simp? simp_all? simp_arith simpa? skip slim_check solve_by_elim sorry subst_vars subsingleton swap"
        " swap_var symm_saturate trace trans transitivity unfold_let unhygienic unit_interval wlog zify abel abel_nf"
        " admit fun_prop filter_upwards simp_wf decreasing_tactic ring1 simpa dsimp? apply_mod_cast reduce_mod_char"
        " refold_let observe obtain field cases_type split_ands and_intros if match return for while guard_hyp"
        " guard_target checkpoint expose_names extract_goal repeat first solve try"
    )
)
"""Steps that need no argument as well."""
