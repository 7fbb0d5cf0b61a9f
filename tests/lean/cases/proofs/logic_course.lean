/-! Propositions: bullets, alternatives on one line or several, comments between steps. -/

theorem and_swap (p q : Prop) (h : p ∧ q) : q ∧ p := by
  -- take the pair apart
  cases h with
  | intro hp hq =>
    constructor
    · exact hq
    · exact hp

theorem or_swap (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h with
  | inl hp => exact Or.inr hp
  | inr hq => exact Or.inl hq

theorem and_or_left (p q r : Prop) (h : p ∧ (q ∨ r)) : (p ∧ q) ∨ (p ∧ r) := by
  obtain ⟨hp, hq | hr⟩ := h
  · left
    -- both halves are there
    exact ⟨hp, hq⟩
  · right
    exact ⟨hp, hr⟩

theorem imp_chain (p q r : Prop) : (p → q) → (q → r) → p → r := by
  intro f g hp
  apply g
  apply f
  exact hp

theorem and_three (p q r : Prop) (hp : p) (hq : q) (hr : r) : p ∧ q ∧ r := by
  refine ⟨hp, ?_⟩
  constructor
  case left =>
    exact hq
  case right =>
    exact hr

theorem or_cases (p q r : Prop) (f : p → r) (g : q → r) : p ∨ q → r := by
  intro h
  cases h
  next hp =>
    exact f hp
  next hq =>
    have hr := g hq
    -- the other half
    exact hr

theorem iff_swap (p q : Prop) (h : p ↔ q) : q ↔ p := by
  constructor
  . intro hq
    exact h.mpr hq
  . intro hp
    exact h.mp hp

theorem not_both (p : Prop) : ¬(p ∧ ¬p) := by
  intro h
  /- A pair of `p` and
     its negation -/
  have hp := h.left
  have hn := h.right
  exact hn hp

theorem by_parts (p q : Prop) (hp : p) (hq : q) : q ∧ p := by
  have first : q := by
    exact hq
  have second : p := by exact hp
  exact ⟨first, second⟩

example (p q : Prop) : p ∨ q → q ∨ p := by
  intro
  | .inl hp =>
    right
    exact hp
  | .inr hq =>
    left
    exact hq
