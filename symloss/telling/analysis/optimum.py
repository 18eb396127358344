"""Where a classification loss drives a model: its smallest value over the softmax simplex, and that against classes.

A numpy search proposes it; interval arithmetic proves it where the loss lets it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.slots.classification import EPSILON
from symloss.telling.analysis.evaluation import CLASSES, Array, evaluate
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.intervals import Stretch, narrow, pattern, signs
from symloss.telling.analysis.lines import class_line, even_line

SEVERAL = (2, 3, 5, 10, 100, 1000)  # numbers of classes that p* is told for
_UNITS = 400  # parts that the mass of a softmax output is cut into to look for uneven optima
_FLAT = 1e-5  # a loss that varies by less than this fraction is flat: the clamp alone makes it vary by 1e-6
_EVEN = 1e-6  # an uneven optimum must be lower than the even one by this fraction to count
_TIGHT = 1e-4  # a proven sign change in a place no wider than this brackets an optimum


@dataclass(frozen=True)
class Optimum:
    """Where a classification loss of one example is smallest over the softmax simplex.

    Args:
        p: the true class's probability there, in [0, 1]; NaN where the loss has no smallest value or is flat.
        even: whether the other classes share the rest evenly there.
    """

    p: float
    even: bool


def optimum(formula: Formula, classes: int = CLASSES) -> Optimum:
    """Find the softmax output that one example with a one-hot label is driven to.

    The search along outputs whose other classes are alike is refined to 1e-9. That no uneven output is lower is checked
    over the whole simplex, cut into 1/400ths, by adding up the other classes' smallest costs.

    Example:
        >>> round(optimum(zoo["baikal"]).p, 3)
        0.316
    """
    p, cost = lowest(lambda q: even_costs(formula, classes, q))
    if math.isnan(p):
        return Optimum(p, True)
    uneven_p, uneven_cost = _uneven_optimum(formula, classes)
    if uneven_cost < cost - _EVEN * max(1.0, abs(cost)):
        return Optimum(uneven_p, False)
    return Optimum(p, True)


def lowest(costs: Callable[[Array], Array]) -> tuple[float, float]:
    """Return the probability with the smallest cost, refined to 1e-9, and that cost; NaN where the costs are flat.

    Args:
        costs: probabilities -> costs, 1-d; not finite where they are undefined.
    """
    grid = _probabilities()
    found = costs(grid)
    finite = found[np.isfinite(found)]
    if not finite.size or np.ptp(finite) < _FLAT * max(1.0, abs(finite).max()):
        return math.nan, math.nan
    return _refine(lambda q: float(costs(np.array([q]))[0]), grid, found, int(np.nanargmin(found)))


def _probabilities() -> Array:
    near_zero = np.geomspace(EPSILON, 0.05, 200)
    return np.unique(np.concatenate([near_zero, np.linspace(0.05, 0.95, 901), 1 - near_zero]))


def _cost(formula: Formula, classes: int, t: float, p: Array) -> Array:
    values = evaluate(formula.node, {"t": t, "p": np.clip(p, EPSILON, 1 - EPSILON), "C": float(classes)})
    return np.where(np.isnan(values), np.inf, np.broadcast_to(values, p.shape))


def even_costs(formula: Formula, classes: int, p: Array) -> Array:
    """Return one example's loss over the true class's probability `p`, the other classes sharing the rest evenly."""
    other = (1 - p) / (classes - 1)
    return _cost(formula, classes, 1.0, p) + (classes - 1) * _cost(formula, classes, 0.0, other)


def _refine(cost: Callable[[float], float], grid: Array, costs: Array, best: int) -> tuple[float, float]:
    """Return the minimum between a grid point's neighbours; a minimum at the grid's end counts as 0 or 1."""
    if best in (0, len(grid) - 1):
        return float(round(grid[best])), float(costs[best])
    found = minimize_scalar(cost, bounds=(grid[best - 1], grid[best + 1]), method="bounded", options={"xatol": 1e-10})
    if found.fun <= costs[best]:
        return float(found.x), float(found.fun)
    return float(grid[best]), float(costs[best])


def _uneven_optimum(formula: Formula, classes: int) -> tuple[float, float]:
    mass = np.linspace(0, 1, _UNITS + 1)
    one = _cost(formula, classes, 0.0, mass)
    others = share_out(one, classes - 1)
    totals = _cost(formula, classes, 1.0, mass) + others[::-1]
    best = int(np.argmin(totals))
    return float(mass[best]), float(totals[best])


def share_out(one: Array, classes: int) -> Array:
    """Return the smallest cost of each mass spread over several classes.

    Args:
        one: one class's cost of each mass from 0 to 1, evenly spaced.
    """
    if classes == 1:
        return one
    half = share_out(one, classes // 2)
    both = _cheapest_split(half, half)
    return _cheapest_split(both, one) if classes % 2 else both


def _cheapest_split(first: Array, second: Array) -> Array:
    total = np.full(len(first), np.inf)
    with np.errstate(invalid="ignore"):
        for part in range(len(first)):
            total[part:] = np.fmin(total[part:], first[part] + second[: len(first) - part])
    return total


def tell_optimum(formula: Formula, classes: int) -> Finding:
    """Find p* and say how sure it is."""
    found = optimum(formula, classes)
    if math.isnan(found.p):
        return Finding(found.p, "none: flat or unbounded", how=_LOOKED)
    uneven = "" if found.even else ", the other classes unevenly"
    words = f"{found.p:.3f} ({_pull(found.p, classes)}{uneven}; {classes} classes)"
    certainty, tolerance, how = _certify(formula, classes, found)
    return Finding(found.p, words, certainty, how, tolerance, details={"even": found.even, "classes": classes})


_UNEVEN = f"uneven outputs were looked for with mass cut into 1/{_UNITS}ths"
_LOOKED = f"looked for at 1,300 even outputs; {_UNEVEN}"


def _pull(p: float, classes: int) -> str:
    if p == 1:
        return "drives outputs to certainty"
    return "holds confidence back" if p > 1 / classes + 1e-6 else "does not prefer the true class"


def _certify(formula: Formula, classes: int, found: Optimum) -> tuple[str, float, str]:
    """Return how sure an optimum is, how far it may be off, and why."""
    if not found.even:
        return "sampled", 1 / _UNITS, _LOOKED
    try:
        line = even_line(formula, classes)
        stretches = signs(line.slope.node, "p", line.cuts, line.slope.slope.node)
    except FormulaError as error:
        return "sampled", 1e-9, f"{_LOOKED}; no derivative to check: {error}"
    only, bracket = _only_here(found.p, stretches), _bracket(found.p, stretches)
    where = f"the derivative along even outputs, p in [{EPSILON:g}, 1 - {EPSILON:g}], {_change_words(found.p, bracket)}"
    also = " and nowhere else" if only and bracket is not None else ""
    if only and _shares_evenly(formula, classes):
        return "proven", _width(bracket), f"{where}{also}; uneven outputs cost more by convexity"
    if only or bracket is not None:
        return "refined", _width(bracket), f"{where}{also}; {_UNEVEN}"
    return "sampled", 1e-9, _LOOKED


def _only_here(p: float, stretches: tuple[Stretch, ...]) -> bool:
    """Say whether the proven signs leave room for no other minimum along even outputs."""
    wanted = {1.0: (-1,), 0.0: (1,)}.get(p, (-1, 1))
    inside = p in (0.0, 1.0) or _bracket(p, stretches) is not None
    return inside and pattern(stretches) == wanted and narrow(stretches)


def _bracket(p: float, stretches: tuple[Stretch, ...]) -> tuple[float, float] | None:
    """Return the narrow place around p to whose left the loss provably falls, and to whose right it rises."""
    for before, place, after in zip(stretches, stretches[1:], stretches[2:], strict=False):
        tight = place.low - _TIGHT <= p <= place.high + _TIGHT and place.high - place.low <= _TIGHT
        if (before.sign, place.sign, after.sign) == (-1, None, 1) and tight:
            return place.low, place.high
    return None


def _width(bracket: tuple[float, float] | None) -> float:
    return EPSILON if bracket is None else max(bracket[1] - bracket[0], 1e-9)


def _change_words(p: float, bracket: tuple[float, float] | None) -> str:
    if p in (0.0, 1.0):
        return f"is proven {'negative' if p else 'positive'}"
    if bracket is None:
        return "changes sign"
    return f"provably changes from - to + within {bracket[1] - bracket[0]:.1g} of p = {bracket[0]:.6g}"


def _shares_evenly(formula: Formula, classes: int) -> bool:
    """Prove that sharing the rest evenly is best: a wrong class's term is convex, so Jensen's inequality holds."""
    if classes == 2:
        return True
    wrong = class_line(formula, False, classes)
    try:
        curvature = signs(wrong.slope.slope.node, "p", wrong.cuts, wrong.slope.slope.slope.node)
    except FormulaError:
        return False
    return all(each.sign in (0, 1) for each in curvature)


def tell_optimum_by_classes(formula: Formula, classes: int) -> Finding:
    """Find p* for several numbers of classes."""
    found = {each: optimum(formula, each).p for each in sorted({*SEVERAL, classes})}
    values = list(found.values())
    details = {"classes": list(found), "p": values}
    finite = [p for p in values if not math.isnan(p)]
    if not finite:
        return Finding(math.nan, "none: flat or unbounded", how=_LOOKED, details=details)
    if len(finite) == len(values) and max(finite) - min(finite) < 1e-6:
        words = f"{values[0]:.4g} for any number of classes from 2 to {SEVERAL[-1]}"
    else:
        words = ", ".join(f"{'none' if math.isnan(p) else f'{p:.3g}'} at C = {each}" for each, p in found.items())
    how = f"each refined to 1e-9 along even outputs; {_UNEVEN}"
    return Finding(max(finite) - min(finite), words, "refined", how, 1e-9, details=details)
