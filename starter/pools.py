"""Where the names in generated statements come from, and what must not be a name."""

from __future__ import annotations


def _pool(text: str) -> list[str]:
    """The words of a text; one that stands there more often is drawn more often."""
    return text.split()


KEYWORDS = frozenset(
    _pool("""
    False Prop Sort True Type abbrev absurd and at attribute axiom by calc catch class def deriving do else end eq
    example exists export extends finally for forall from fun have hiding id if import in inductive infix infixl
    infixr instance le let local lt macro match max meta min module mutual namespace nat ne noncomputable none not
    notation only_ open or partial prefix private protected public return rfl scoped section set_option show some
    sorry structure syntax then theorem this trivial try universe unless unsafe using using_ variable where while
    with
    """)
)
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
PROPOSITIONS = _pool("""
    p q r s t p q r s t p q r s t p q r s t p q r s t p q r s t P Q R S A B C D P Q R S A B C D P Q R S A B C D a b
    c d e f g m n u v w x y z E F G H K L M N T U V W X Y Z φ ψ χ θ σ τ rain wet cold sunny open_ closed valid safe
    live done ready busy win lose
""")
TYPES = _pool("""
    α α α α α α α α β γ X X Y S T U V A M G ι σ Person Point Node State Obj Elem Word City
""")
PREDICATES = _pool("""
    P Q R S P Q R S P Q R S P Q R S P Q R S p q r A B C T U W φ ψ even odd prime red big Happy mortal human isOpen
    good blue Fine closed reachable Odd
""")
RELATIONS = _pool("""
    R R S T r rel likes Knows Le below before E adj leq near sim L
""")
FUNCTIONS = _pool("""
    f g f g f g f g f g f g h k F G φ ψ s t u next inv succ' dbl op swap proj
""")
VARIABLES = _pool("""
    x y z x y z x y z x y z x y z a b c a b c a b c a b c u v w s t d e m n k i j x₁ x₂ a' x' y₀ a1 b2 elt pt
""")
NUMBERS = _pool("""
    n m k n m k n m k n m k n m k n m k a b c d i j l p q r s t u v w x y z n₁ m' n' k₂ x1 len size cnt num
""")
WORDS = _pool("""
    hyp key fact main lem aux asm given base step left right upper lower first last imp conj disj neg pos total sym
    trans inj surj mono bound rule prem claim goal_ init next_ cond side pre post ax law eqn
""")
SYLLABLES = _pool("""
    ba be bi bo da de di do fa fe fo ga go ha he hi ka ke ko la le li lo ma me mi mo na ne ni no pa pe po ra re ri
    ro sa se si so ta te ti to va ve vi wa xa xe ya yo za zu
""")
