"""What a regression loss does over the residual: its valley, its tails, and whether an outlier can move a model far."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.telling.analysis.evaluation import Array, evaluate, fixed
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.limits import Behaviour, behaviour
from symloss.telling.analysis.lines import R_CUTS, Line, residual_line
from symloss.telling.analysis.shape import direction, ends, extent, grid
from symloss.telling.analysis.valley import tell_valley

TARGET = 1.0  # that a loss which sees more than the residual is told for
SHOWN = (-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)  # residuals that curves are told at

_RANGE = f"residuals in [{R_CUTS[0]:g}, {R_CUTS[-1]:g}]"
_LIMITS = "numbers of 1,100 digits, as far out as 1e256"
_SAME = 1e-9  # of the loss's size: sides that differ by less are alike


def residual_optimum(formula: Formula, y: float = 1.0) -> float:
    """Return the residual r = f - y at which a regression loss is smallest for a target `y`; NaN where it has none."""
    side = np.geomspace(1e-6, 100, 400)
    points = np.concatenate([-side[::-1], [0.0], side])

    def cost(r: Any) -> Any:
        values = np.broadcast_to(evaluate(formula.node, {"y": y, "f": y + r, "r": r}), np.shape(r))
        return np.where(np.isnan(values), np.inf, values)

    costs = cost(points)
    best = int(np.argmin(costs))
    if best in (0, len(points) - 1) or not np.isfinite(costs[best]) or np.ptp(costs[np.isfinite(costs)]) < 1e-12:
        return float("nan")
    if costs[best] <= min(costs[best - 1], costs[best + 1]) and points[best] == 0:
        return 0.0
    bounds = (points[best - 1], points[best + 1])
    found = minimize_scalar(lambda r: float(cost(r)), bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return float(found.x if found.fun <= costs[best] else points[best])


def _line(formula: Formula) -> Line:
    return residual_line(formula, TARGET)


def _about(formula: Formula) -> str:
    return "" if formula.variables <= {"r"} else f" (target {TARGET:g})"


def tell_residual_optimum(formula: Formula, classes: int) -> Finding:
    """Find r* and say how sure it is."""
    found = residual_optimum(formula, TARGET)
    if math.isnan(found):
        return Finding(found, "none: flat or unbounded", how=f"801 {_RANGE}")
    try:
        shape = direction(_line(formula))
    except FormulaError:
        return Finding(found, f"{found:.3g} (target 1)", how=f"801 {_RANGE}")
    only = shape.proven and shape.pattern == (-1, 1) and abs(shape.turns[0] - found) < 1e-3
    how = f"the derivative changes its sign there and nowhere else over {_RANGE}, by interval arithmetic"
    certainty, how = ("proven", how) if only else ("refined", f"801 {_RANGE}")
    return Finding(found, f"{found:.3g} (target 1)", certainty, how, 1e-6)


def tell_residual_shape(formula: Formula, classes: int) -> Finding:
    """Tell where the loss falls and rises over the residual."""
    line = _line(formula)
    found = direction(line)
    r = np.array(SHOWN)
    details = {
        "r": list(SHOWN),
        "value": [float(each) for each in line.at(r)],
        "gradient": [float(each) for each in line.slope.at(r)],
        "turns": list(found.turns),
    }
    how = f"sign of the derivative over {_RANGE}" + (", by interval arithmetic" if found.proven else ", at points")
    words = found.words("r") + _about(formula)
    return Finding(float(len(found.turns)), words, "proven" if found.proven else "sampled", how, details=details)


def tell_residual_convexity(formula: Formula, classes: int) -> Finding:
    """Tell whether the loss is convex in the prediction."""
    return tell_valley(_line(formula), "the prediction" + _about(formula), _RANGE)


def tell_tails(formula: Formula, classes: int) -> Finding:
    """Tell how value and gradient behave far from the target, and how the valley begins."""
    low, high = _ends_of(formula, 0)
    steep_low, steep_high = _ends_of(formula, 1)
    rows = [_tail("value", low, high), _tail("gradient", steep_low, steep_high)]
    told = [_tail_words(row) for row in rows]
    near = _near_words(formula)
    words = f"far out: {', '.join(told)}" + (f"; near its optimum {near}" if near else "") + _about(formula)
    return Finding(steep_high.limit, words, "refined", _LIMITS, details={"rows": rows, "near": near})


def _tail(of: str, low: Behaviour, high: Behaviour) -> dict[str, Any]:
    limits = [low.limit, high.limit]
    return {"of": of, "below": low.words("|r|"), "above": high.words("|r|"), "limits": limits}


def _tail_words(row: Mapping[str, Any]) -> str:
    below, above = row["below"], row["above"]
    if below.removeprefix("-") == above.removeprefix("-"):
        return f"{row['of']} {above}"
    return f"{row['of']} {below} below and {above} above"


@functools.lru_cache(maxsize=64)
def _ends_of(formula: Formula, order: int) -> tuple[Behaviour, Behaviour]:
    line = _line(formula)
    return ends(line.slope if order else line, -math.inf, math.inf)


def _near_words(formula: Formula) -> str:
    """Say how the loss leaves its smallest value, by how its slope leaves 0, as `like |r|^2`."""
    r = residual_optimum(formula, TARGET)
    slope = _line(formula).slope
    if r != 0:
        bend = float(slope.slope.at(np.array([r]))[0])
        return "like the square of the distance" if math.isfinite(bend) and bend > 0 else ""
    powers = {behaviour(slope.node, "r", 0.0, side).power for side in (1, -1)}
    power = powers.pop() + 1
    if powers or math.isnan(power):
        return ""
    return "like |r|" if power == 1 else f"like |r|^{power:.3g}"


def tell_residual_bounds(formula: Formula, classes: int) -> Finding:
    """Tell whether the gradient is bounded, so that no outlier moves a model by more than another."""
    line = _line(formula)
    found = extent(line.slope, _ends_of(formula, 1))
    tails = [abs(each.limit) for each in _ends_of(formula, 1)]
    if not found.bounded:
        words = "not robust: the gradient is unbounded, so one outlier may move a model by any amount"
    elif max(tails) < 1e-6:
        words = f"robust: the gradient is at most {found.largest:.3g}, and outliers count for nothing in the end"
    else:
        words = f"robust: the gradient is at most {found.largest:.3g}"
    how = f"points over {_RANGE} and the limits: {_LIMITS}"
    details = {"low": found.low, "high": found.high, "bounded": found.bounded}
    return Finding(found.largest, words + _about(formula), "refined", how, details=details)


def tell_residual_symmetry(formula: Formula, classes: int) -> Finding:
    """Tell whether predictions above and below the target cost the same."""
    line = _line(formula)
    mirrored = fixed(line.expr, {"r": -line.symbol})
    if sympy.expand(mirrored - line.expr).is_zero:
        words = "symmetric: above and below the target cost the same" + _about(formula)
        return Finding(0.0, words, "closed form", "the loss of r and of -r are one expression", 0.0, "0")
    r = grid(R_CUTS)
    r = r[(r > 0) & (r <= 20)]
    above, below = line.at(r), line.at(-r)
    return _symmetry_words(above, below, formula)


def _symmetry_words(above: Array, below: Array, formula: Formula) -> Finding:
    kept = np.isfinite(above) & np.isfinite(below)
    how = f"{kept.sum()} residuals up to 20"
    if not kept.any():
        return Finding(math.nan, "unknown: it is undefined on one side", "unknown", how)
    size = float(np.abs(np.concatenate([above[kept], below[kept]])).max()) or 1.0
    gap = float(np.abs(above[kept] - below[kept]).max()) / size
    if gap < _SAME:
        words = "symmetric: above and below the target cost the same" + _about(formula)
        return Finding(0.0, words, "sampled", how, _SAME)
    side = "above" if float(np.median(above[kept] - below[kept])) > 0 else "below"
    words = f"not symmetric: predictions {side} the target cost more{_about(formula)}"
    return Finding(gap, words, "sampled", how)
