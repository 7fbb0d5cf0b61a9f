"""Rows that leave, and those that fill their places."""

from __future__ import annotations

import itertools

from llmstep.engine.rows import close_gaps


def test_gaps_are_filled_from_the_end() -> None:
    assert close_gaps([0, 1, 2, 3, 4], [1]) == ([0, 4, 2, 3], [(4, 1)])
    assert close_gaps([0, 1, 2, 3, 4], [4]) == ([0, 1, 2, 3], [])
    assert close_gaps([0, 1, 2, 3, 4], [0, 3, 4]) == ([2, 1], [(2, 0)])
    assert close_gaps([7], [0]) == ([], [])


def test_the_moves_make_the_order_whoever_leaves() -> None:
    """Played back on a buffer, for all ways to leave six places."""
    for size in range(7):
        for finished in itertools.combinations(range(6), size):
            rows = [10, 11, 12, 13, 14, 15]
            left, moves = close_gaps(rows, finished)
            assert sorted(left) == sorted(row for place, row in enumerate(rows) if place not in finished)
            buffer = list(rows)
            for source, target in moves:
                buffer[target] = buffer[source]
            assert buffer[: len(left)] == left
            assert len(moves) <= min(size, 6 - size)
