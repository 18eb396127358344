"""The shape of a function along a line: rising or falling, bounded or not, smooth or with kinks, its largest slope."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from symloss.errors import FormulaError
from symloss.language.reading import read
from symloss.telling.analysis.evaluation import Array, fixed
from symloss.telling.analysis.intervals import Stretch, narrow, pattern, signs
from symloss.telling.analysis.limits import Behaviour, behaviour
from symloss.telling.analysis.lines import Line

_POINTS = 60  # of a grid in every box
_TURN = {-1: "falls", 1: "rises"}


@dataclass(frozen=True)
class Direction:
    """Where a function rises and falls.

    Args:
        pattern: signs of its slope from left to right, e.g. (-1, 1).
        turns: where the slope changes its sign.
        proven: whether interval arithmetic proved the pattern over the whole range.
    """

    pattern: tuple[int, ...]
    turns: tuple[float, ...]
    proven: bool

    def words(self, axis: str) -> str:
        """Say it.

        Example:
            >>> Direction((-1, 1), (0.3,), True).words("p")
            'falls to p = 0.3, then rises'
        """
        if not self.pattern:
            return "constant"
        if not self.turns:
            return f"{_TURN[self.pattern[0]]} throughout"
        if len(self.turns) == 1:
            return f"{_TURN[self.pattern[0]]} to {axis} = {self.turns[0]:.4g}, then {_TURN[self.pattern[1]]}"
        places = ", ".join(f"{each:.3g}" for each in self.turns[:5])
        return f"turns {len(self.turns)} times, at {axis} = {places}{', ...' if len(self.turns) > 5 else ''}"


def grid(cuts: Sequence[float]) -> Array:
    """Return points over all boxes, and all of their ends."""
    parts = [np.linspace(low, high, _POINTS, endpoint=False) for low, high in itertools.pairwise(cuts)]
    return np.asarray(np.concatenate([*parts, [cuts[-1]]]), dtype=np.float64)


def direction(line: Line) -> Direction:
    """Find where a function rises and falls: by interval arithmetic, or on a grid where that decides nothing.

    Raises:
        FormulaError: its derivative has no reading.
    """
    return direction_by(line.slope)


def direction_by(slope: Line) -> Direction:
    """Read where a function rises and falls from its slope."""
    try:
        inner = slope.slope.node
    except FormulaError:
        inner = None
    stretches = signs(slope.node, slope.axis, slope.cuts, inner)
    if narrow(stretches):
        found = pattern(stretches)
        return Direction(found, _turns(stretches), True)
    return _sampled_direction(slope)


def _turns(stretches: Sequence[Stretch]) -> tuple[float, ...]:
    """Return the places between proven signs that differ."""
    proven = [each for each in stretches if each.sign]
    return tuple(
        0.0 if before.high <= 0 <= after.low else (before.high + after.low) / 2
        for before, after in itertools.pairwise(proven)
        if before.sign != after.sign
    )


def _sampled_direction(slope: Line) -> Direction:
    x = grid(slope.cuts)
    values = slope.at(x)
    kept = np.isfinite(values) & (np.abs(values) > 1e-12 * _usual(values))
    x, found = x[kept], np.sign(values[kept])
    changes = np.flatnonzero(np.diff(found))
    turns = tuple(round(float((x[each] + x[each + 1]) / 2), 12) for each in changes)
    return Direction(tuple(int(found[each]) for each in (*([0] if len(found) else []), *(changes + 1))), turns, False)


def _usual(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(np.median(finite)) if finite.size else 0.0


def ends(line: Line, low: float, high: float) -> tuple[Behaviour, Behaviour]:
    """Return how a function behaves towards both ends of its range: 0 and 1 of a probability, both infinities."""
    scale = _usual(line.at(grid(line.cuts)))
    return behaviour(line.node, line.axis, low, 1, scale), behaviour(line.node, line.axis, high, -1, scale)


@dataclass(frozen=True)
class Extent:
    """How far a function goes.

    Args:
        low, high: its smallest and largest value on the grid and in its limits; infinities where it has no bound.
        bounded: whether both are finite, and it is finite at all points between.
    """

    low: float
    high: float
    bounded: bool

    @property
    def largest(self) -> float:
        """The largest size."""
        return max(abs(self.low), abs(self.high))


def extent(line: Line, limits: Sequence[Behaviour]) -> Extent:
    """Find the smallest and largest value over a range, its ends included."""
    values = line.at(grid(line.cuts))
    known = np.concatenate([values[~np.isnan(values)], [each.limit for each in limits if not math.isnan(each.limit)]])
    if not known.size:
        return Extent(math.nan, math.nan, False)
    bounded = bool(np.isfinite(values).all()) and all(each.bounded for each in limits)
    return Extent(float(known.min()), float(known.max()), bounded)


def kinks(line: Line) -> bool:
    """Say whether the slope may jump inside the range: where what stands in abs, min, max or sign changes its sign."""
    return any(_may_change(argument, line) for argument in _switches(line.expr))


def _switches(expr: sympy.Expr) -> list[sympy.Expr]:
    found = [each.args[0] for each in expr.atoms(sympy.Abs, sympy.sign)]
    for each in expr.atoms(sympy.Min, sympy.Max):
        found += [a - b for place, a in enumerate(each.args) for b in each.args[:place]]
    return found


def _may_change(argument: sympy.Expr, line: Line) -> bool:
    try:
        stretches = signs(read(fixed(argument, {})), line.axis, line.cuts)
    except FormulaError:
        return True
    return len({each.sign for each in stretches}) != 1 or stretches[0].sign is None
