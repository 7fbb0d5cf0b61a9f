import Lean
open Lean

macro "twice" t:tacticSeq : tactic => `(tactic| (($t)))
macro "close_it" : tactic => `(tactic| first | rfl | assumption)

structure Pair (p q : Prop) : Prop where
  left : p
  right : q

theorem fields (p q : Prop) (hp : p) (hq : q) : Pair p q where
  left := by
    have h := hp
    exact h
  right := by exact hq

theorem record (p q : Prop) (hp : p) (hq : q) : Pair p q :=
  { left := by
      -- a comment
      exact hp
    right := hq }

theorem holes (p q : Prop) (hp : p) (hq : q) : Pair p q := by
  refine { left := ?_, right := ?_ }
  case refine_1 => exact hp
  case refine_2 =>
    · exact hq

theorem chain (a b c : Nat) (h₁ : a = b) (h₂ : b = c) : a + 0 = c := by
  calc a + 0
    _ = a := by rfl
    _ = b := by
      rw [h₁]
    _ = c := h₂

theorem arms (n : Nat) : n = 0 ∨ 0 < n := by
  match n with
  | 0 =>
    left
    rfl
  | k + 1 => exact .inr (Nat.succ_pos k)

theorem function (p q : Prop) : p ∧ q → q ∧ p := fun
  | ⟨hp, hq⟩ => by
    constructor
    · exact hq
    · exact hp

theorem inside (a b c : Nat) (h : a + b = c) : b + a = c := by
  conv =>
    lhs
    rw [Nat.add_comm]
  exact h

theorem patterns (p q r : Prop) : p ∧ (q ∨ r) → (p ∧ q) ∨ (p ∧ r) := by
  rintro ⟨hp, hq | hr⟩
  · left
    exact ⟨hp, hq⟩
  · right; exact ⟨hp, hr⟩

theorem every (p q : Prop) (hp : p) (hq : q) : p ∧ q ∧ p := by
  refine ⟨?_, ?_, ?_⟩
  any_goals
    exact hp
  exact hq

theorem choice (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h <;> first
    | exact .inl ‹q›
    | exact .inr ‹p›

theorem own (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  twice
    constructor
    · exact hp
    · close_it

theorem helped (n : Nat) : n + 0 = n := by
  have h := helper n
  exact h
where
  helper (k : Nat) : k + 0 = k := by
    rfl

theorem inner (n : Nat) : n + 0 = n := by
  let rec go (k : Nat) : k + 0 = k := by
    rfl
  exact go n

mutual
theorem one (n : Nat) : n = n := by
  rfl
theorem two (n : Nat) : n = n := by
  have h := n
  rfl
end

instance : Inhabited (Fin 3) where
  default := ⟨0, by
    decide⟩

example (a b : Nat) (h : a = b) : b = a := by /- one -/ exact /- two -/ h.symm -- three

example (p q r : Prop) : p ∧ q ∧ r → r ∧ q ∧ p := by
  intro ⟨hp,
    hq, hr⟩

  -- on a line of its own
  exact ⟨
    hr,
    hq,
    hp
  ⟩

example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by {
  constructor
  { exact hp }
  { have k := hq
    exact k }
}

example (p : Prop) [Decidable p] : (if p then 1 else 1) = 1 := by
  if hp : p then rw [if_pos hp]
  else
    rw [if_neg hp]

theorem heads (p q : Prop) (hp : p) (f : p → q) (a b : Nat) (h : a = b) : q ∧ a = b ∧ p := by
  have hq : q := by
    exact f hp
  have hr : p := by exact hp
  have hs : p ∧ p := ⟨by exact hp, hr⟩
  refine ⟨hq, ?_, ?_⟩
  · calc
      a = a := rfl
      _ = b := h
  · exact hs.1
