/-! Rewriting chains, conv blocks, and steps over several lines. -/

theorem rw_chain (a b c d : Nat) (h : a = b) (k : b = c) (l : c = d) : a = d := by
  rw [h]
  rw [k]
  exact l

theorem long_exact (p q r : Prop) (hp : p) (hq : q) (hr : r) : p ∧ q ∧ r := by
  exact
    ⟨hp,
     hq,
     hr⟩

theorem long_have (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  have k :
      p ∧ q :=
    ⟨hp,
     hq⟩
  exact k

theorem calc_steps (a b c d : Nat) (h : a = b) (k : b = c) (l : c = d) : a + 0 = d := by
  have start : a + 0 = b := by
    rw [Nat.add_zero]
    exact h
  calc
    a + 0 = b := start
    _ = c := by
      rw [k]
    _ = d := by
      -- the last equation
      exact l

theorem conv_rhs' (a b : Nat) (h : a = b) : a = b + 0 := by
  conv =>
    rhs
    rw [Nat.add_zero]
  exact h

theorem conv_at (a b : Nat) (h : a + 0 = b) : a = b := by
  conv at h =>
    lhs
    rw [Nat.add_zero]
  exact h

theorem conv_in_bullet (a b : Nat) (h : a = b) : a + 0 = b ∧ True := by
  constructor
  · conv =>
      lhs
      rw [Nat.add_zero]
    exact h
  · trivial

theorem conv_in_alternative (a b : Nat) (h : a = b ∨ b = a) : a + 0 = b := by
  cases h with
  | inl h =>
    conv =>
      lhs
      rw [Nat.add_zero]
    exact h
  | inr h =>
    conv =>
      lhs
      skip
    exact h.symm

theorem rw_at (a b c : Nat) (h : a = b) (k : a = c) : b = c := by
  rw [h] at k
  exact k

theorem simp_only (p : Prop) (hp : p) : p ∧ True := by
  simp only [and_true]
  exact hp

theorem exact_by (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  exact ⟨by assumption, by
    have k := hq
    exact k⟩

theorem semicolons (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor; exact hp
  exact hq

theorem symmetric (a b : Nat) (h : a = b) : b = a := by
  symm
  exact h

theorem existence : ∃ n : Nat, n = 2 := by
  exists 2

theorem existence' : ∃ n : Nat, n = 2 := by
  refine ⟨2, ?_⟩
  rfl

theorem first_lines (p q : Prop) (hq : q) : p ∨ q := by
  first
    | left
      assumption
    | right
      assumption

theorem revert_intro (p q : Prop) (hp : p) (f : p → q) : q := by
  revert hp
  intro hp
  specialize f hp
  exact f

theorem unicode_names (𝔸 : Type) (𝕩 𝕪 : 𝔸) (h𝔸 : 𝕩 = 𝕪) : 𝕪 = 𝕩 ∧ "é𝔸" = "é𝔸" := by
  constructor
  · -- 𝔸 beyond the first plane
    exact h𝔸.symm
  · rfl
