"""The charts of a report as still pictures: the search's progress, its front, the winner's family, an interval."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from symloss.telling.curves import Comparable
from symloss.telling.report.ancestry import Family
from symloss.telling.report.drawing import Axes, Point, Span, cloud, dots, line, spread, staircase
from symloss.telling.report.material import Material, Row
from symloss.telling.show import cell, shorten

_TITLE = 80  # characters of a formula that a browser shows by itself
_OUTLYING = 2.0  # heights of the better part, beyond which values are left out of the range
_DWARFED = 4.0  # heights of the usual curve that a picture of curves goes beyond it
_BETTER = 0.75  # the share of values that are the better part


def better_part(values: Sequence[float], maximise: bool) -> Span:
    """Return the range that is worth looking at: all values but those that are far worse than the better part."""
    ordered = sorted((value for value in values if math.isfinite(value)), reverse=maximise)
    if not ordered:
        return 0.0, 1.0
    best, usual = ordered[0], ordered[math.ceil(len(ordered) * _BETTER) - 1]
    far = _OUTLYING * abs(usual - best) or math.inf
    return spread([value for value in ordered if abs(value - best) <= far])


def progress_picture(material: Material, best: Sequence[Row], shown: Sequence[Row], span: Span) -> Markup:
    """Draw fitness over evaluations, and the running best."""
    total = max(1, material.trained)
    axes = Axes((0, total * 1.01), span, "candidates trained", f"{material.metric} on validation", whole=True)
    steps = staircase([(float(row.place or 0), _number(row.fitness)) for row in best], total)
    marks = [cloud(axes, _places(shown)), line(axes, steps, "best"), dots(axes, steps[:1], "mark", 3.5)]
    return axes.svg(marks, f"Fitness of {total} trained candidates in their order, and the best so far")


def _places(rows: Sequence[Row]) -> list[Point]:
    return [(float(row.place), row.fitness) for row in rows if row.place is not None and row.fitness is not None]


def front_picture(material: Material, shown: Sequence[Row], span: Span) -> Markup:
    """Draw fitness against complexity, and the front."""
    points = [
        (float(row.candidate.complexity), row.fitness)
        for row in shown
        if row.fitness is not None and row.candidate.complexity is not None
    ]
    known = [x for x, _ in points] + [each.complexity for each in material.front]
    start, end = min(known, default=1) - 1, max(known, default=1) + 1
    axes = Axes((start, end), span, "complexity (nodes)", f"{material.metric} on validation", whole=True)
    front = [(float(each.complexity), each.fitness) for each in material.front]
    marks = [
        cloud(axes, points),
        line(axes, staircase(front, end), "best"),
        dots(axes, front, "mark", 4.5),
    ]
    return axes.svg(marks, f"Fitness against complexity: {len(front)} formulas on the Pareto front")


def curve_pictures(lines: Sequence[tuple[str, Comparable]]) -> tuple[Markup, Markup]:
    """Draw values above their minimum, and gradients, of a few formulas.

    Args:
        lines: names and curves, the winner's first.
    """
    first = lines[0][1]
    return (
        _curves(lines, "values", "value above its minimum", "Values of the winner and of published formulas"),
        _curves(lines, "gradients", f"gradient by {first.gradient_of}", "Their gradients"),
    )


def _curves(lines: Sequence[tuple[str, Comparable]], part: str, name: str, title: str) -> Markup:
    first = lines[0][1]
    heights = {called: [float(each) for each in getattr(curve, part)] for called, curve in lines}
    span = curve_span(list(heights.values()))
    axes = Axes((float(first.x[0]), float(first.x[-1])), span, first.axis, name, height=320)
    marks = [
        line(axes, list(zip(map(float, first.x), values, strict=True)), f"curve c{place}")
        for place, values in enumerate(heights.values())
    ]
    return axes.svg(reversed(marks), f"{title}: {', '.join(heights)}")


def curve_span(lines: Sequence[Sequence[float]]) -> Span:
    """Return a range for curves of which some shoot up at the ends, or dwarf the others.

    It holds the middle 95 % of each curve, but goes no further beyond the usual curve than four times its height; the
    page's script chooses alike.
    """
    ends: list[Span] = []
    for values in lines:
        finite = sorted(value for value in values if math.isfinite(value))
        if finite:
            ends.append((finite[int(0.025 * (len(finite) - 1))], finite[int(0.975 * (len(finite) - 1))]))
    if not ends:
        return 0.0, 1.0
    lows, highs = ([end[side] for end in ends] for side in (0, 1))
    low, high = statistics.median(lows), statistics.median(highs)
    room = _DWARFED * (high - low) or math.inf
    return spread([max(min(lows), low - room), min(max(highs), high + room)])


def family_picture(family: Family, metric: str, span: Span, unit: str = "generation") -> Markup:
    """Draw the winner's ancestors by batch and fitness, with their links; the line of descent stands out.

    Args:
        span: the shown range of fitness; whoever is beyond stands at its edge.
        unit: what a batch is called.
    """
    known = {row.number: row for row in family.members if row.fitness is not None}
    line_numbers = [step.row.number for step in family.line if step.row.number in known]
    last = max((row.candidate.batch for row in known.values()), default=0)
    axes = Axes((-0.5, last + 0.5), span, unit, f"{metric} on validation", whole=True)
    marks = [_link(axes, known[a], known[b], "link") for a, b in family.links if a in known and b in known]
    pairs = itertools.pairwise(line_numbers)
    marks += [_link(axes, known[a], known[b], "link main") for a, b in pairs]
    marks += [_member(axes, row, row.number in line_numbers, unit) for row in known.values()]
    return axes.svg(marks, f"The winner's {len(family.members) - 1} ancestors by {unit} and fitness")


def _link(axes: Axes, parent: Row, child: Row, style: str) -> Markup:
    path = Markup('<path class="{}" d="M{x:.1f} {y:.1f}C{m:.1f} {y:.1f} {m:.1f} {v:.1f} {u:.1f} {v:.1f}"/>')
    x, u = axes.across(parent.candidate.batch), axes.across(child.candidate.batch)
    y, v = _height(axes, parent), _height(axes, child)
    return path.format(style, x=x, y=y, u=u, v=v, m=(x + u) / 2)


def _member(axes: Axes, row: Row, main: bool, unit: str) -> Markup:
    circle = Markup('<circle class="{}" data-number="{}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>')
    said = f"#{row.number}, {unit} {row.candidate.batch}, {cell(row.fitness)}: {shorten(row.shown, _TITLE)}"
    beyond = "" if axes.holds((row.candidate.batch, _number(row.fitness))) else " beyond"
    style = ("mark" if main else "dot member") + beyond
    return circle.format(
        style, row.number, axes.across(row.candidate.batch), _height(axes, row), 5 if main else 3.5, said
    )


def _height(axes: Axes, row: Row) -> float:
    low, high = axes.y
    return axes.down(min(high, max(low, _number(row.fitness))))


def beyond(family: Family, span: Span) -> int:
    """Count the members of a family whose fitness lies outside of a range."""
    low, high = span
    return sum(row.fitness is not None and not low <= row.fitness <= high for row in family.members)


def interval_picture(interval: Mapping[str, float | None], span: Span, better: str) -> Markup:
    """Draw one difference with its confidence interval on a line with zero."""
    width, height, middle = 220, 22, 11
    low, high, value = (interval.get(name) for name in ("low", "high", "difference"))
    x = {name: _along(number, span, width) for name, number in (("a", low), ("b", high), ("v", value), ("o", 0.0))}
    bar = Markup('<line class="bar" x1="{:.1f}" x2="{:.1f}" y1="{y}" y2="{y}"/>').format(x["a"], x["b"], y=middle)
    dot = "" if value is None else Markup('<circle cx="{:.1f}" cy="{}" r="4"/>').format(x["v"], middle)
    zero = Markup('<line class="zero" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{}"/>').format(height, x=x["o"])
    shape = Markup('<svg class="interval {}" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>')
    return shape.format(better, width, height, zero + (bar if low is not None and high is not None else "") + dot)


def strip_picture(values: Sequence[float], span: Span) -> Markup:
    """Draw one number a seed on a line, and their mean."""
    width, height, middle = 140, 22, 11
    circle = Markup('<circle cx="{:.1f}" cy="{}" r="2.5"/>')
    finite = [value for value in values if math.isfinite(value)]
    mean = sum(finite) / len(finite) if finite else math.nan
    marks = [circle.format(_along(value, span, width), middle) for value in finite]
    if finite:
        bar = Markup('<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="3" y2="19"/>')
        marks.append(bar.format(x=_along(mean, span, width)))
    shape = Markup('<svg class="strip" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>')
    return shape.format(width, height, Markup("").join(marks))


def _along(value: float | None, span: Span, width: int) -> float:
    low, high = span
    number = 0.0 if value is None else value
    return 6 + (number - low) / (high - low) * (width - 12) if high > low else width / 2


def _number(value: float | None) -> float:
    return math.nan if value is None else value
