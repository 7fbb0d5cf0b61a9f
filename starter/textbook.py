"""Statements from first logic and arithmetic courses, written by hand, to judge the starter model on.

None comes from the generator. Each is ``binders : goal`` of an `example`, by family.
"""

from __future__ import annotations

TEXTBOOK: dict[str, tuple[str, ...]] = {
    "propositional": (
        "(p q : Prop) (hp : p) (hq : q) : p ∧ q",
        "(p q : Prop) : p ∧ q → q ∧ p",
        "(A B : Prop) (h : A ∨ B) : B ∨ A",
        "(p q r : Prop) (hpq : p → q) (hqr : q → r) : p → r",
        "(P Q : Prop) (hPQ : P → Q) (hnQ : ¬Q) : ¬P",
        "(p q r : Prop) : p ∧ (q ∨ r) ↔ (p ∧ q) ∨ (p ∧ r)",
        "(raining wet : Prop) (law : raining → wet) (fact1 : raining) : wet",
        "(p q : Prop) (h : ¬(p ∨ q)) : ¬p ∧ ¬q",
        "(p : Prop) : ¬(p ∧ ¬p)",
        "(a b c d : Prop) (h₁ : a → b) (h₂ : c → d) (h₃ : a ∨ c) : b ∨ d",
        "(p q : Prop) (h : p ↔ q) (hq : q) : p",
        "(p q r : Prop) (h : p → q → r) : p ∧ q → r",
    ),
    "quantifier": (
        "(α : Type) (P Q : α → Prop) (h : ∀ x, P x → Q x) (a : α) (ha : P a) : Q a",
        "(α : Type) (P Q : α → Prop) (h : ∃ x, P x ∧ Q x) : ∃ x, Q x ∧ P x",
        "(M : Type) (human mortal : M → Prop) (socrates : M) (all : ∀ x, human x → mortal x) (one : human socrates)"
        " : mortal socrates",
        "(X : Type) (P : X → Prop) (h : ¬∃ x, P x) : ∀ x, ¬P x",
        "(α : Type) (R : α → α → Prop) (h : ∃ y, ∀ x, R x y) : ∀ x, ∃ y, R x y",
        "(α : Type) (P : α → Prop) (a : α) (h : ∀ x, P x) : ∃ x, P x",
        "(α : Type) (P Q : α → Prop) : (∀ x, P x ∧ Q x) → (∀ x, P x) ∧ (∀ x, Q x)",
        "(α : Type) (P Q : α → Prop) (h : ∃ x, P x ∨ Q x) : (∃ x, P x) ∨ (∃ x, Q x)",
        "(G : Type) (Rel : G → G → Prop) (sym : ∀ x y, Rel x y → Rel y x) (u v : G) (e : Rel u v) : Rel v u",
        "(α : Type) (p : α → Prop) (q : Prop) (h : ∀ x, p x → q) : (∃ x, p x) → q",
    ),
    "equality": (
        "(α : Type) (a b c : α) (h₁ : a = b) (h₂ : b = c) : a = c",
        "(X : Type) (x y : X) (hxy : x = y) : y = x",
        "(α β : Type) (f : α → β) (a b : α) (h : a = b) : f a = f b",
        "(α : Type) (P : α → Prop) (a b : α) (heq : a = b) (ha : P a) : P b",
        "(α : Type) (x y z : α) (h : y = x) (k : y = z) : x = z",
        "(S : Type) (g : S → S) (s : S) (inv : ∀ t, g (g t) = t) : g (g (g s)) = g s",
        "(α : Type) (a b : α) (h : a ≠ b) : b ≠ a",
        "(α : Type) (f : α → α) (a b : α) (h : f a = b) : f (f a) = f b",
    ),
    "nat": (
        "(n : Nat) : n + 0 = n",
        "(n : Nat) : 0 + n = n",
        "(a b : Nat) : a + b = b + a",
        "(a b c : Nat) : a + b + c = a + (b + c)",
        "(n : Nat) : n ≤ n + 1",
        "(a b c : Nat) (hab : a ≤ b) (hbc : b ≤ c) : a ≤ c",
        "(m n : Nat) (h₁ : m ≤ n) (h₂ : n ≤ m) : m = n",
        "(k : Nat) (h : k < k) : False",
        ": 2 + 2 = 4",
        ": ∃ n : Nat, n + 3 = 5",
    ),
}
