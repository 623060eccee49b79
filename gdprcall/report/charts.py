"""Plots as SVG of our own: bars, alone or one upon the other, that a screen reader reads and paper prints.

It knows no figure's meaning, and writes no text that was not given to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 220
LEFT, BELOW, ABOVE = 44, 30, 12
MARKS = 4
LABELS = 8
"""How many dates fit below."""


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of bars: its name, the class that gives its colour, and its values."""

    name: str
    kind: str
    values: Sequence[int]


def bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Return bars, those of one label upon each other, as SVG with its title and a description in words."""
    totals = [sum(one.values[place] for one in series) for place in range(len(labels))]
    top = _round_up(max(totals, default=0))
    description = "; ".join(f"{one.name}: {sum(one.values)}" for one in series)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}. {description}")}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(description)}</desc>",
        *_scale(top),
    ]
    step = (WIDTH - LEFT - 8) / max(1, len(labels))
    every = -(-len(labels) // LABELS)
    for place, label in enumerate(labels):
        x, y = LEFT + place * step, float(HEIGHT - BELOW)
        for one in series:
            high = (HEIGHT - BELOW - ABOVE) * one.values[place] / top
            y -= high
            if high:
                parts.append(
                    f'<rect class="{one.kind}" x="{x + step * 0.14:.1f}" y="{y:.1f}" '
                    f'width="{step * 0.72:.1f}" height="{high:.1f}"><title>'
                    f"{escape(f'{label}, {one.name}: {one.values[place]}')}</title></rect>"
                )
        if place % every == 0:
            parts.append(f'<text x="{x + step / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(label)}</text>')
    return "".join([*parts, "</svg>"])


def share(name: str, parts: Sequence[Series]) -> str:
    """Return one bar across, of the first values of each kind, as SVG."""
    total, x = sum(one.values[0] for one in parts), 0.0
    description = "; ".join(f"{one.name}: {one.values[0]}" for one in parts)
    told = [
        f'<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{escape(f"{name}. {description}")}">'
    ]
    for one in parts:
        wide = 100 * one.values[0] / total if total else 0
        if wide:
            told.append(f'<rect class="{one.kind}" x="{x:.2f}" y="0" width="{wide:.2f}" height="6"></rect>')
        x += wide
    return "".join([*told, "</svg>"])


def _scale(top: int) -> list[str]:
    """Return lines across, each with its number."""
    found = []
    for mark in range(MARKS + 1):
        y = HEIGHT - BELOW - (HEIGHT - BELOW - ABOVE) * mark / MARKS
        found.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{top * mark // MARKS}</text>')
    return found


def _round_up(value: int) -> int:
    """Return a number at least as large that four marks divide, and that reads well."""
    step = MARKS
    while step < value:
        step *= 10
    for part in (step // 10 or MARKS, step // 5, step // 2, step):
        whole = max(MARKS, -(-part // MARKS) * MARKS)
        if whole >= value:
            return whole
    return step
