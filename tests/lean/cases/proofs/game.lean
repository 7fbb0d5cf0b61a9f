/-! The layout of games and first courses: one step a line, remarks above each, blank lines between. -/

theorem level_one (p q : Prop) (hp : p) (f : p → q) : q := by
  -- use the implication

  apply f

  -- now the hypothesis
  exact hp

theorem level_two (p q : Prop) (h : p ∧ q) : q ∧ p := by

  cases h with
  | intro hp hq =>

    constructor

    · exact hq

    · exact hp

theorem level_three (a b : Nat) (h : a = b) : b = a := by
  rw [h]

theorem level_four (p q : Prop) : p → q → p ∧ q := by
  intro hp
  intro hq
  constructor
  -- first goal
  · exact hp
  -- second goal
  · exact hq

theorem level_five (p q : Prop) (h : p ∨ q) (f : p → q) : q := by
  cases h with
  -- the first alternative
  | inl hp =>
    -- apply
    apply f
    exact hp
  | inr hq =>
    exact hq

theorem level_six (x y z : Nat) (h : x = y) (g : y = z) : x = z := by
  rw [h, g]

theorem level_seven (p q : Prop) (hp : p) (hq : q) : p ∧ q ∧ p := by
  constructor
  exact hp
  constructor
  exact hq
  exact hp

theorem level_eight (p : Prop) (h : ¬¬p → p) (k : ¬p → False) : p := by
  apply h
  intro hn
  apply k
  assumption
