"""Plain charts as SVG, drawn here and now: what a report shows where no script runs, and on paper.

Colours and lines come from the page's style sheet by class, so that dark mode holds; every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Span = tuple[float, float]
Point = tuple[float, float]

WIDTH, HEIGHT = 640, 300  # of a chart, in its own units
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 40


@dataclass(frozen=True)
class Axes:
    """Two linear axes in a frame.

    Args:
        x, y: the shown ranges, low before high; equal ends are moved apart.
        x_name, y_name: written at the axes.
        whole: whether x counts something, so that its ticks are whole numbers.
    """

    x: Span
    y: Span
    x_name: str
    y_name: str
    whole: bool = False
    width: int = WIDTH
    height: int = HEIGHT

    def across(self, value: float) -> float:
        """Return where a value of x lies."""
        return _LEFT + _share(value, self.x) * (self.width - _LEFT - _RIGHT)

    def down(self, value: float) -> float:
        """Return where a value of y lies."""
        return self.height - _BOTTOM - _share(value, self.y) * (self.height - _TOP - _BOTTOM)

    def holds(self, point: Point) -> bool:
        """Whether a point lies in the frame."""
        (x, y), (left, right), (low, high) = point, self.x, self.y
        return left <= x <= right and low <= y <= high

    def svg(self, marks: Iterable[Markup], title: str) -> Markup:
        """Return the chart with marks on its axes."""
        parts = [self._horizontals(), self._verticals(), *marks]
        shape = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
        return shape.format(self.width, self.height, title, Markup("").join(parts))

    def _horizontals(self) -> Markup:
        line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text x="{}" y="{}" class="end">{}</text>')
        left, right = _LEFT, self.width - _RIGHT
        lines = [
            line.format(left, right, left - 6, _cut(self.down(each) + 4), tick_text(each), y=_cut(self.down(each)))
            for each in ticks(self.y)
        ]
        name = Markup('<text class="name middle" transform="translate(13 {}) rotate(-90)">{}</text>')
        middle = _cut((self.height - _BOTTOM + _TOP) / 2)
        return Markup("").join([*lines, name.format(middle, self.y_name)])

    def _verticals(self) -> Markup:
        text = Markup('<text class="middle" x="{}" y="{}">{}</text>')
        foot = self.height - _BOTTOM + 17
        marks = [text.format(_cut(self.across(each)), foot, tick_text(each)) for each in ticks(self.x, self.whole)]
        name = Markup('<text class="name middle" x="{}" y="{}">{}</text>')
        return Markup("").join([*marks, name.format((self.width + _LEFT - _RIGHT) // 2, self.height - 4, self.x_name)])


def dots(axes: Axes, points: Iterable[Point], style: str, radius: float = 2.5) -> Markup:
    """Draw points; those outside of the frame are left out."""
    circle = Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>')
    inside = [point for point in points if axes.holds(point)]
    return Markup("").join(
        circle.format(style, _cut(axes.across(x)), _cut(axes.down(y)), _cut(radius)) for x, y in inside
    )


def cloud(axes: Axes, points: Iterable[Point]) -> Markup:
    """Draw many points as one path of round line ends, in few bytes; those outside of the frame are left out."""
    places = dict.fromkeys((_cut(axes.across(x)), _cut(axes.down(y))) for x, y in points if axes.holds((x, y)))
    return Markup('<path class="cloud" d="{}"/>').format("".join(f"M{x} {y}h0" for x, y in places))


def line(axes: Axes, points: Sequence[Point], style: str) -> Markup:
    """Draw a line through points; it breaks where they are not finite or outside of the frame."""
    path, joined = [], False
    for x, y in points:
        inside = math.isfinite(x) and math.isfinite(y) and axes.holds((x, y))
        if inside:
            path.append(f"{'L' if joined else 'M'}{_cut(axes.across(x))} {_cut(axes.down(y))}")
        joined = inside
    return Markup('<path class="{}" d="{}"/>').format(style, "".join(path))


def staircase(points: Sequence[Point], end: float) -> list[Point]:
    """Return the corners of a line that keeps each y until the next x, and its last one until `end`."""
    corners: list[Point] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return [*corners, (end, corners[-1][1])] if corners else []


def spread(values: Iterable[float], pad: float = 0.06) -> Span:
    """Return a range that holds all finite values, with some room."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    room = (high - low) * pad or abs(high) * pad or 0.5
    return low - room, high + room


NARROWEST = 1e-300  # a range below which numbers lose their digits


def ticks(span: Span, whole: bool = False, about: int = 5) -> list[float]:
    """Return round numbers within a range.

    Example:
        >>> ticks((0.81, 0.97))
        [0.85, 0.9, 0.95]
    """
    low, high = span
    if not (math.isfinite(low) and math.isfinite(high) and high - low > NARROWEST):
        return []
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.99)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, min(last, first + 50) + 1)]


def tick_text(value: float) -> str:
    """Write a number at an axis, with a real minus sign."""
    shown = f"{value:.6g}" if value else "0"
    return shown.replace("-", "\u2212")


def _share(value: float, span: Span) -> float:
    low, high = span
    return (value - low) / (high - low) if high > low else 0.5


def _cut(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
