/-! Natural numbers: induction with alternatives, rewriting, `calc`. -/

namespace Course

theorem zero_add' (n : Nat) : 0 + n = n := by
  induction n with
  | zero => rfl
  | succ n ih =>
    show Nat.succ (0 + n) = Nat.succ n
    rw [ih]

theorem add_zero' (n : Nat) : n + 0 = n := by
  rfl

theorem succ_eq (a b : Nat) (h : a = b) : Nat.succ a = Nat.succ b := by
  rw [h]

theorem three (a b c d : Nat) (h : a = b) (k : b = c) (l : c = d) : a = d := by
  calc
    a = b := by
      exact h
    _ = c := by
      rw [k]
    _ = d := l

theorem two (a b c : Nat) (h : a = b) (k : b = c) : a = c := by
  calc a = b := h
    _ = c := by exact k

theorem cases_nat (n : Nat) : n = 0 ∨ n ≠ 0 := by
  cases n with
  | zero =>
    left
    rfl
  | succ m =>
    right
    intro h
    -- no successor is zero
    cases h

theorem matched (n : Nat) : n = 0 ∨ n ≠ 0 := by
  match n with
  | 0 =>
    left
    rfl
  | m + 1 =>
    right
    intro h
    cases h

theorem with_if (a b : Nat) : (if a = b then a else b) = b := by
  if h : a = b then
    rw [if_pos h]
    exact h
  else
    rw [if_neg h]

theorem eqs : ∀ n : Nat, 0 + n = n
  | 0 => by
    rfl
  | n + 1 => by
    have ih := eqs n
    exact congrArg Nat.succ ih

theorem conv_left (a b : Nat) (h : a = b) : a + 0 = b := by
  conv =>
    lhs
    rw [Nat.add_zero]
  exact h

theorem conv_short (a b : Nat) (h : a = b) : a + 0 = b := by
  conv => lhs; rw [Nat.add_zero]
  exact h

theorem conv_arg (a b : Nat) (h : a = b) : (a + 0, b) = (b, b) := by
  conv =>
    -- the left side alone
    lhs
    arg 1
    rw [Nat.add_zero]
  rw [h]

end Course
