"""The first step of training: a loss's gradient where every class is equally likely, a learning rate in disguise."""

from __future__ import annotations

import math

import numpy as np
import sympy

from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.telling.analysis.evaluation import CLASSES, derivative, fixed, slope, slope_in_p
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.intervals import enclose
from symloss.telling.analysis.optimum import SEVERAL


def first_step(formula: Formula, classes: int = CLASSES) -> float:
    """Return the gradient on the true class's logit at a uniform output, in multiples of cross-entropy's.

    It says how much the loss changes the effective learning rate at the start; published losses range from 0.08 to 50.
    Negative means that the first step lowers the true class.

    Raises:
        FormulaError: the derivative has no reading in the engine's operators.

    Example:
        >>> round(first_step(zoo["baikal"]), 1)
        10.0
    """
    uniform = np.array([1 / classes])
    true, other = (slope_in_p(formula, classes, t, uniform)[0] for t in (1.0, 0.0))
    return float((other - true) / classes)


def first_step_expression(formula: Formula, classes: sympy.Expr) -> sympy.Expr:
    """Return the first step as an expression, for a number of classes that may be a symbol.

    Raises:
        FormulaError: it is undefined.
    """
    steep = derivative(formula.expr, SLOTS[formula.slot].symbols()["p"])
    true, other = (fixed(steep, {"t": t, "C": classes, "p": 1 / classes}) for t in (1.0, 0.0))
    return (other - true) / classes


def tell_first_step(formula: Formula, classes: int) -> Finding:
    """Find the first step, bounded by an interval, and what it is for other numbers of classes."""
    ratio = first_step(formula, classes)
    if math.isnan(ratio):
        return Finding(ratio, "none: the gradient at a uniform output is undefined", "unknown")
    several = sorted({*SEVERAL, classes})
    details = {"classes": several, "ratios": [first_step(formula, each) for each in several]}
    width = _spread(formula, classes)
    certainty = "proven" if width < 1e-9 * max(1.0, abs(ratio)) else "refined"
    how = f"the exact derivative at p = 1/{classes}, rounded outwards"
    words = f"{ratio:.3g} times cross-entropy's ({classes} classes, uniform output)"
    return Finding(ratio, words, certainty, how, width, details=details)


def _spread(formula: Formula, classes: int) -> float:
    """Bound how far rounding may have moved the first step."""
    node, uniform = slope(formula, "p"), (math.nextafter(1 / classes, 0.0), math.nextafter(1 / classes, 1.0))
    ends = [enclose(node, {"t": (t, t), "p": uniform, "C": (classes, classes)}) for t in (1.0, 0.0)]
    return sum(high - low for low, high in ends) / classes
