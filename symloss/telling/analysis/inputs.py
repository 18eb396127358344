"""What an activation does over its input: where it rises, where it saturates, and how much it can stretch."""

from __future__ import annotations

import functools
import math

import numpy as np
import sympy

from symloss.language.formula import Formula
from symloss.telling.analysis.evaluation import fixed
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.limits import Behaviour
from symloss.telling.analysis.lines import X_CUTS, input_line
from symloss.telling.analysis.shape import direction, ends, extent
from symloss.telling.analysis.valley import tell_valley

SHOWN = (-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)  # inputs that curves are told at

_RANGE = f"inputs in [{X_CUTS[0]:g}, {X_CUTS[-1]:g}]"
_LIMITS = "numbers of 1,100 digits, as far out as 1e256"
_PARITIES = {1: "even: the same on both sides of 0", -1: "odd: mirrored at 0"}


def tell_input_shape(formula: Formula, classes: int) -> Finding:
    """Tell where the activation rises and falls."""
    line = input_line(formula)
    found = direction(line)
    x = np.array(SHOWN)
    details = {
        "x": list(SHOWN),
        "value": [float(each) for each in line.at(x)],
        "gradient": [float(each) for each in line.slope.at(x)],
        "turns": list(found.turns),
    }
    how = f"sign of the derivative over {_RANGE}" + (", by interval arithmetic" if found.proven else ", at points")
    certainty = "proven" if found.proven else "sampled"
    return Finding(float(len(found.turns)), found.words("x"), certainty, how, details=details)


def tell_input_ends(formula: Formula, classes: int) -> Finding:
    """Tell where the activation goes for inputs far from 0."""
    low, high = _ends_of(formula, 0)
    words = f"x -> -infinity: {low.words('|x|')}; x -> infinity: {high.words('|x|')}"
    details = {"limits": [low.limit, high.limit]}
    return Finding(high.limit, words, "refined", _LIMITS, details=details)


@functools.lru_cache(maxsize=64)
def _ends_of(formula: Formula, order: int) -> tuple[Behaviour, Behaviour]:
    line = input_line(formula)
    return ends(line.slope if order else line, -math.inf, math.inf)


def tell_stretch(formula: Formula, classes: int) -> Finding:
    """Tell the largest slope: by how much a layer can stretch differences, and a backward pass gradients."""
    found = extent(input_line(formula).slope, _ends_of(formula, 1))
    words = f"slope between {found.low:.3g} and {found.high:.3g}" if found.bounded else "unbounded slope"
    how = f"points over {_RANGE} and the limits: {_LIMITS}"
    return Finding(found.largest, words, "refined", how, details={"low": found.low, "high": found.high})


def tell_middle(formula: Formula, classes: int) -> Finding:
    """Tell value and slope at 0, where networks begin, and whether the activation is odd or even."""
    line = input_line(formula)
    value, slope = (float(each.at(np.zeros(1))[0]) for each in (line, line.slope))
    mirrored = fixed(line.expr, {"x": -line.symbol})
    parity = [sign for sign in _PARITIES if sympy.expand(mirrored - sign * line.expr).is_zero]
    words = f"value {value:.3g}, slope {slope:.3g}" + (f"; {_PARITIES[parity[0]]}" if parity else "")
    how = "the expression at 0" + (", and against itself mirrored" if parity else "")
    details = {"value": value, "slope": slope, "parity": parity[0] if parity else 0}
    return Finding(slope, words, "closed form" if parity else "refined", how, 1e-12, details=details)


def tell_input_convexity(formula: Formula, classes: int) -> Finding:
    """Tell whether the activation is convex."""
    return tell_valley(input_line(formula), "its input", _RANGE)
