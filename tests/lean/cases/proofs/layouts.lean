/-! Layouts that libraries use: `by` on a line of its own, `fun` and `match` in terms, `where`, `mutual`, instances. -/

theorem by_below (p q : Prop) (h : p ∧ q) :
    q ∧ p :=
  by
    constructor
    · exact h.2
    · exact h.1

theorem by_margin (p q : Prop) (h : p ∧ q) : q ∧ p :=
by
  constructor
  exact h.2
  exact h.1

theorem fun_by (p q : Prop) : p → q → q ∧ p :=
  fun hp hq => by
    constructor
    · exact hq
    · exact hp

theorem term_cases (p q : Prop) (h : p ∨ q) : q ∨ p :=
  match h with
  | .inl hp => by
    right
    exact hp
  | .inr hq => by
    left
    exact hq

theorem have_term (p q r : Prop) (f : p → q) (g : q → r) (hp : p) : r :=
  have hq : q := by
    apply f
    exact hp
  show r from by
    apply g
    exact hq

structure Pair (p q : Prop) : Prop where
  fst : p
  snd : q

theorem make_pair (p q : Prop) (hp : p) (hq : q) : Pair p q where
  fst := by
    exact hp
  snd := by
    exact hq

theorem make_pair' (p q : Prop) (hp : p) (hq : q) : Pair p q := by
  refine { fst := ?_, snd := ?_ }
  · exact hp
  · exact hq

instance : Inhabited (Nat × Nat) := by
  constructor
  exact (0, 0)

mutual
theorem even_case (p : Prop) (hp : p) : p := by
  have k := hp
  exact k
theorem odd_case (p : Prop) (hp : p) : p := by
  exact hp
end

@[simp] theorem attributed (p : Prop) (hp : p) : p ∧ True := by
  constructor
  · exact hp
  · trivial

private theorem hidden (p q : Prop) (h : p ∧ q) : p := by
  rcases h with ⟨hp, -⟩
  exact hp

open Nat in
theorem opened (n : Nat) : n + 0 = n := by
  show n = n
  rfl

theorem iterated (p : Prop) (hp : p) : p ∧ p ∧ p := by
  refine ⟨?_, ?_, ?_⟩
  all_goals exact hp

theorem any (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  any_goals
    exact hp
  exact hq

theorem nested_alternatives (p q r s : Prop) (h : (p ∧ q) ∨ (r ∧ s)) : (q ∨ s) ∧ (p ∨ r) := by
  cases h with
  | inl l =>
    cases l with
    | intro hp hq =>
      constructor
      · left; exact hq
      · left
        exact hp
  | inr l =>
    rcases l with ⟨hr, hs⟩
    exact ⟨Or.inr hs, Or.inr hr⟩

theorem deeper (p q r : Prop) (hp : p) (hq : q) (hr : r) : (p ∧ q) ∧ (q ∧ r) := by
  constructor
  · constructor
    · exact hp
    · exact hq
  · constructor
    case left => exact hq
    case right =>
      have k : r := by
        exact hr
      exact k

theorem if_term (a b : Nat) (h : a = b) : (if a = b then 1 else 0) = 1 := by
  rw [if_pos h]

theorem subst_it (a b c : Nat) (h : a = b) (k : b = c) : c = a := by
  subst h
  subst k
  rfl

theorem apply_two (p q r : Prop) (f : p → q → r) (hp : p) (hq : q) : r := by
  apply f
  · exact hp
  · exact hq

theorem no_confusion (p : Prop) (h : (0 : Nat) = 1) : p := by
  cases h

theorem by_cases_on (p q : Prop) (f : p → q) (g : ¬p → q) : q := by
  by_cases h : p
  · exact f h
  · exact g h
