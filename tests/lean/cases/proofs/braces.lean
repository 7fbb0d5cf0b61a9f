/-! Blocks in braces and parentheses, as in the first courses that were taken over from Lean 3. -/

theorem pair (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  { exact hp }
  { exact hq }

theorem nested (p q r : Prop) (hp : p) (hq : q) (hr : r) : (p ∧ q) ∧ r := by
  constructor
  { constructor
    { exact hp }
    { have k := hq
      exact k } }
  { exact hr }

theorem wide (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  {
    have k := hp
    exact k
  }
  {
    -- the last one
    exact hq
  }

theorem parens (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  (exact hp)
  (have k := hq
   exact k)

theorem whole (p : Prop) : p → p := by {
  intro hp
  exact hp
}

theorem chosen (p q : Prop) (hq : q) : p ∨ q := by
  first
  | exact Or.inl hq
  | exact Or.inr hq

theorem all (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  all_goals first | exact hp | exact hq

theorem focused (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  focus
    have k := hp
    exact k
  focus exact hq

theorem tried (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  try constructor
  · try exact hq
    exact hp
  · exact hq

theorem both (p : Prop) (hp : p) : p ∧ p := by
  constructor <;> exact hp
