import Lean
/-! The layout of collections of competition problems: long statements, `have` chains, a command of their own. -/

def absolute (n : Nat) : Nat := n
open Lean in
def Lean.Syntax.node7 (i : SourceInfo) (k : SyntaxNodeKind) (a b c d e f g : Syntax) : Syntax :=
  Syntax.node i k #[a, b, c, d, e, f, g]
macro "problem " n:declId s:declSig v:declVal : command => `(theorem $n $s $v)

macro:max "|" a:term "|" : term => `(absolute $a)

namespace Problem1

/-- A statement over several lines. -/
theorem first_part
    (a b : Nat) (h : a = b)
    (k : b = a) :
    |a| = |b| := by
  have h₀ : |a| = a := rfl
  have h₁ : |b| = b := rfl
  rw [h]

theorem second_part (a b c : Nat) (h : a = b ∧ b = c) :
    a = c ∧ |c| = |a| := by
  obtain ⟨hab, hbc⟩ := h
  have hac : a = c := by
    rw [hab]
    exact hbc
  constructor
  · exact hac
  · -- the values are the same
    have e : |c| = |a| := by
      rw [hac]
    exact e

theorem third_part (p q r : Prop) (h : (p ∧ q) ∨ (p ∧ r)) : p := by
  rcases h with h | h
  · have hp := h.1
    exact hp
  · have hp : p := by
      cases h with
      | intro a b => exact a
    exact hp

end Problem1

section
variable (p q r : Prop)

theorem chain (h₁ : p → q) (h₂ : q → r) (hp : p) : r := by
  have hq : q := by
    apply h₁
    exact hp
  have hr : r := by
    apply h₂
    exact hq
  exact hr

theorem alternatives_in_lines (h : p ∨ q ∨ r) : r ∨ q ∨ p := by
  cases h with
  | inl hp =>
    right
    right
    exact hp
  | inr h =>
    cases h with
    | inl hq =>
      right
      left
      exact hq
    | inr hr =>
      left
      exact hr

theorem alternatives_in_bullets (h : p ∨ q ∨ r) : r ∨ q ∨ p := by
  rcases h with hp | hq | hr
  · right; right
    exact hp
  · right; left
    exact hq
  · left
    exact hr
end

problem own_command (p q : Prop) (h : p ∧ q) : q ∧ p := by
  constructor
  · exact h.2
  · -- the other half
    exact h.1

/- A remark. -/
problem own_cases (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h with
  | inl hp =>
    right
    exact hp
  | inr hq =>
    left
    exact hq
