"""Noise tolerance: whether wrong labels move the optimum, by the symmetric-loss condition and by trying it.

A loss whose sum over all labels is the same for every output has the same minimiser with uniform label noise as
without, below a rate of (C - 1)/C. Ghosh, Kumar and Sastry 2017, arXiv:1712.09482, Theorem 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import sympy

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.telling.analysis.evaluation import Array, derivative, fixed
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.lines import P_CUTS, Line, class_line
from symloss.telling.analysis.optimum import lowest, share_out

RATES = (0.2, 0.4, 0.6)  # of uniform label noise that p* is told for
MIDDLE = 0.4  # the one that stands for them: below the limit for any number of classes
_UNITS = 400  # parts that an output's mass is cut into
_NONE = 1e-5  # of the loss's own range: a sum that varies less is constant; the clamp of p alone moves it by 1e-6


def tell_symmetry(formula: Formula, classes: int) -> Finding:
    """Tell how far the sum over all labels is from constant, against the loss's own range: 0 is symmetric."""
    varies, own = _spreads(formula, classes)
    if math.isnan(varies) or not own > 0:
        return Finding(math.nan, "none: the loss is flat or undefined somewhere", "unknown")
    share = varies / (classes * own)
    how = f"outputs with mass cut into 1/{_UNITS}ths, even and uneven; p in [1e-07, 1 - 1e-07]"
    details = {"sum_varies_by": varies, "loss_varies_by": own}
    if share < _NONE:
        words = "symmetric: the losses of all labels add up to a constant, so uniform noise does not move its optimum"
        if not _is_constant(formula, classes):
            return Finding(0.0, words, "sampled", how, _NONE, details=details)
        return Finding(0.0, words, "closed form", "the sum's derivative is 0 by algebra", 0.0, "0", details)
    words = (
        f"not symmetric: the sum over all labels varies by {share:.2g} of the loss's own range (0 is noise-tolerant)"
    )
    return Finding(share, words, "sampled", how, 1 / _UNITS, details=details)


def _sum_line(formula: Formula, classes: int) -> Line:
    """Return what one probability adds to the sum over all labels."""
    true, wrong = (class_line(formula, each, classes).expr for each in (True, False))
    return Line("p", fixed(sympy.expand(true + (classes - 1) * wrong), {}), P_CUTS)


def _is_constant(formula: Formula, classes: int) -> bool:
    """Say whether algebra alone shows that the sum is constant; where constants are rounded, it may not see it.

    With more than two classes each probability's share has to be a straight line; with two, both together.
    """
    p = SLOTS["classification"].symbols()["p"]
    try:
        part = _without_kinks(_sum_line(formula, classes).expr, p)
        steep = derivative(part, p)
        rest = steep - steep.subs(p, 1 - p) if classes == 2 else derivative(steep, p)
        return bool(sympy.expand(rest).is_zero)
    except FormulaError:
        return False


def _without_kinks(expr: sympy.Expr, p: sympy.Symbol) -> sympy.Expr:
    """Resolve |p - a| for what is known of p: it lies between 0 and 1."""

    def resolved(a: sympy.Expr) -> sympy.Expr:
        at = [a.subs(p, end) for end in (0, 1)]
        if sympy.diff(a, p, 2).is_zero and all(each.is_number for each in at):
            return a if min(at) >= 0 else -a if max(at) <= 0 else sympy.Abs(a)
        return sympy.Abs(a)

    return expr.replace(sympy.Abs, resolved)


def _spreads(formula: Formula, classes: int) -> tuple[float, float]:
    """Return how much the sum over all labels varies over the simplex, and how much the loss of one label does."""
    mass = np.linspace(0, 1, _UNITS + 1)
    inside = np.clip(mass, P_CUTS[0], P_CUTS[-1])
    parts = _sum_line(formula, classes).at(inside)
    one = class_line(formula, True, classes).at(inside)
    other = class_line(formula, False, classes).at(inside)
    if not all(np.isfinite(each).all() for each in (parts, one, other)):
        return math.nan, math.nan
    least, most = (float(sign * share_out(sign * parts, classes)[-1]) for sign in (1, -1))
    low, high = (sign * (sign * one + share_out(sign * other, classes - 1)[::-1]) for sign in (1, -1))
    return most - least, float(high.max() - low.min())


def tell_noisy_optimum(formula: Formula, classes: int) -> Finding:
    """Tell which output has the smallest expected loss where a share of the labels is wrong, all wrong ones alike."""
    rates = [rate for rate in RATES if rate < (classes - 1) / classes - 1e-9]
    found = [lowest(_expected(formula, classes, rate))[0] for rate in rates]
    told = ["none" if math.isnan(p) else f"{p:.3g}" for p in found]
    pairs = ", ".join(f"{p} at {100 * rate:.0f} % noise" for rate, p in zip(rates, told, strict=True))
    words = f"p* of the right class: {pairs}"
    how = "smallest expected loss along even outputs, refined to 1e-9"
    details = {"rates": rates, "p": found, "classes": classes}
    return Finding(found[rates.index(MIDDLE)], words, "refined", how, 1e-9, details=details)


def _expected(formula: Formula, classes: int, rate: float) -> Callable[[Array], Array]:
    """Return the expected loss over the right class's probability, the others sharing the rest evenly."""
    true, wrong = class_line(formula, True, classes), class_line(formula, False, classes)
    each = rate / (classes - 1)

    def expected(p: Array) -> Array:
        other = np.clip((1 - p) / (classes - 1), P_CUTS[0], P_CUTS[-1])
        right = (1 - rate) * true.at(p) + rate * wrong.at(p)
        return right + (classes - 1) * (each * true.at(other) + (1 - each) * wrong.at(other))

    return expected
