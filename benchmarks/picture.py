"""A line chart as SVG, for what a benchmark measured."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BELOW, ABOVE = 360, 240, 56, 40, 28


def charts(panels: Sequence[tuple[str, str, Sequence[tuple[float, float]]]]) -> str:
    """One chart beside the other, each from the origin, with its own scale.

    Args:
        panels: Title, name of the horizontal axis, and points (x, seconds); at least one point each.
    """
    parts = [_chart(number * WIDTH, *panel) for number, panel in enumerate(panels)]
    total = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {HEIGHT}" font-family="sans-serif"'
        f' font-size="11">\n<rect width="{total}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(offset: int, title: str, axis: str, points: Sequence[tuple[float, float]]) -> str:
    right = max(x for x, _ in points) or 1.0
    top = max(y for _, y in points) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - 16, HEIGHT - BELOW - ABOVE
        return round(offset + LEFT + x / right * wide, 1), round(HEIGHT - BELOW - y / top * high, 1)

    zero, corner = place(0, 0), place(right, 0)
    up = place(0, top)
    line = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
    dots = "".join('<circle cx="{}" cy="{}" r="3" fill="#1f5fbf"/>'.format(*place(*point)) for point in points)
    return "\n".join(
        [
            f'<text x="{offset + LEFT}" y="16" font-size="12">{escape(title)}</text>',
            f'<path d="M{up[0]},{up[1]} L{zero[0]},{zero[1]} L{corner[0]},{corner[1]}" fill="none" stroke="#888"/>',
            f'<polyline points="{line}" fill="none" stroke="#1f5fbf" stroke-width="2"/>{dots}',
            f'<text x="{zero[0]}" y="{zero[1] + 15}" text-anchor="middle">0</text>',
            f'<text x="{corner[0]}" y="{corner[1] + 15}" text-anchor="end">{right:g} {escape(axis)}</text>',
            f'<text x="{up[0] - 4}" y="{up[1] + 4}" text-anchor="end">{top:.3g} s</text>',
        ]
    )
