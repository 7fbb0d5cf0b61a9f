/-! Quantifiers, witnesses, and steps inside of terms. -/
variable {α : Type} (P Q : α → Prop)

theorem exists_and (h : ∃ x, P x ∧ Q x) : (∃ x, P x) ∧ ∃ x, Q x := by
  rcases h with ⟨x, hp, hq⟩
  constructor
  · exact ⟨x, hp⟩
  · exact ⟨x, hq⟩

theorem exists_or (h : ∃ x, P x ∨ Q x) : (∃ x, P x) ∨ ∃ x, Q x := by
  rcases h with ⟨x, hp | hq⟩
  · left
    exact ⟨x, hp⟩
  · right
    exact ⟨x, hq⟩

theorem forall_and (h : ∀ x, P x ∧ Q x) : (∀ x, P x) ∧ ∀ x, Q x := by
  constructor <;> intro x
  · have hx := h x
    exact hx.left
  · have hx := h x
    exact hx.right

theorem term_match (p q : Prop) (h : p ∨ q) : q ∨ p := by
  exact match h with
    | .inl hp => by
      right
      exact hp
    | .inr hq => by
      left
      exact hq

theorem term_fun (p q : Prop) : p ∨ q → q ∨ p := by
  exact fun
    | .inl hp => Or.inr hp
    | .inr hq => Or.inl hq

theorem anonymous (p q r : Prop) (hp : p) (hq : q) (hr : r) : p ∧ q ∧ r := by
  refine ⟨?_, ?_, ?_⟩
  · exact hp
  · exact hq
  · exact hr

theorem sufficient (p q : Prop) (f : p → q) (hp : p) : q := by
  suffices h : p by
    exact f h
  exact hp

theorem shown (p q : Prop) (f : p → q) (hp : p) : q := by
  have h : p := hp
  show q
  exact f h

theorem structured (p q : Prop) (h : p ∧ q) : q ∧ p :=
  ⟨by
    exact h.right, by
    exact h.left⟩

theorem contra (p q : Prop) (hp : p) (hn : ¬p) : q := by
  exfalso
  -- contradiction
  apply hn
  exact hp

theorem tagged (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h
  case inl hp => exact Or.inr hp
  case inr hq => exact Or.inl hq

theorem joint (p : Prop) (h : p ∨ p) : p := by
  cases h
  case inl hp | inr hp => exact hp
