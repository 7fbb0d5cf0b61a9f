/- Unfinished proofs; `make demo` asks for the next step of each. -/

theorem left_or (p q : Prop) (hp : p) : p ∨ q := by
  sorry

theorem or_swap (p q : Prop) : p ∨ q → q ∨ p := by
  intro h

theorem witness (α : Type) (P : α → Prop) (a : α) (ha : P a) : ∃ x, P x := by
  sorry

theorem add_swap (m n k : Nat) (h : m = n) : k + m = n + k := by
  sorry
