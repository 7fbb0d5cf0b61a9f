"""A proof in its place in a file, while it is still worked at; gaps in it are `sorry`."""

from __future__ import annotations

import attrs

from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.text import offset_at
from llmstep.lean.trial import gaps_in
from llmstep.proofs.gaps import unindented
from llmstep.search.sorries import Sorry, find_sorries


@attrs.frozen
class Draft:
    """A proof that may have gaps."""

    text: str
    """The file without it; its lines end with `\\n`."""
    point: InsertionPoint
    proof: str

    @property
    def gaps(self) -> int:
        """Number of its gaps."""
        return len(gaps_in(self.proof))

    @property
    def document(self) -> str:
        """The file with it."""
        return self.point.apply(self.text, self.proof)

    def open_gaps(self) -> list[Sorry]:
        """Its gaps as places of `document`, in their order."""
        shadow = self.point.shadow_text(self.text, self.proof)
        start, end = (offset_at(shadow.text, place) for place in (shadow.start, shadow.end))
        return [each for each in find_sorries(self.document) if start <= each.start < end]

    def filled(self, gap: Sorry, steps: str) -> Draft:
        """The draft with steps in place of one of `open_gaps`."""
        document = self.document
        after = gap.point.apply(document, steps)
        shadow = self.point.shadow_text(self.text, self.proof)
        start, end = (offset_at(shadow.text, place) for place in (shadow.start, shadow.end))
        proof = after[start : end + len(after) - len(document)]
        return attrs.evolve(self, proof=unindented(proof, self.point.indent))


def with_plain_line_ends(text: str, point: InsertionPoint) -> tuple[str, InsertionPoint]:
    """A text whose lines end with `\\n`, without a byte order mark, and the insertion point in it."""
    text, point = point.without_mark(text)
    if "\r\n" not in text:
        return text, point
    point = point.moved(lambda offset: offset - text.count("\r\n", 0, max(offset, 0)))
    return text.replace("\r\n", "\n"), attrs.evolve(point, tail=point.tail.replace("\r\n", "\n"))
