"""What a formula does to training, told without training: its optimum and its first step.

A numpy reading of the formula, so that `symloss show` answers without torch's seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from symloss.errors import FormulaError
from symloss.language.algebra import settle
from symloss.language.formula import Formula
from symloss.language.operators import OPERATORS
from symloss.language.reading import Call, Constant, Node, read
from symloss.language.slots import SLOTS
from symloss.language.slots.classification import EPSILON

Array = NDArray[np.float64]

CLASSES = 10  # where no task says how many
_UNITS = 400  # parts that the mass of a softmax output is cut into to look for uneven optima
_FLAT = 1e-5  # a loss that varies by less than this fraction is flat: the clamp alone makes it vary by 1e-6
_EVEN = 1e-6  # an uneven optimum must be lower than the even one by this fraction to count


def evaluate(node: Node, values: Mapping[str, float | Array]) -> Array:
    """Evaluate a formula's node in float64.

    Args:
        node: e.g. `formula.node`.
        values: variable name -> number or array; arrays broadcast.

    Returns:
        The values; NaN and infinities where the formula is undefined.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_evaluate(node, values), dtype=np.float64)


def _evaluate(node: Node, values: Mapping[str, float | Array]) -> Any:
    if isinstance(node, Call):
        return OPERATORS[node.operator].numpy(*(_evaluate(argument, values) for argument in node.arguments))
    return np.float64(node.value) if isinstance(node, Constant) else np.asarray(values[node.name], dtype=np.float64)


@functools.lru_cache(maxsize=256)
def slope(formula: Formula, variable: str) -> Node:
    """Return the derivative in one variable, ready to evaluate.

    At a kink (of abs, min, max) it is the mean of both sides, and a jump (of sign) has slope 0, as in torch.

    Raises:
        FormulaError: the derivative has no reading in the engine's operators.
    """
    derivative = formula.expr.diff(SLOTS[formula.slot].symbols()[variable])
    without_jumps = derivative.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    smooth = without_jumps.replace(sympy.Heaviside, lambda a, *_: (1 + sympy.sign(a)) / 2)
    return read(settle(smooth, limited=False))


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
    grid = _probabilities()
    costs = even_costs(formula, classes, grid)
    finite = costs[np.isfinite(costs)]
    if not finite.size or np.ptp(finite) < _FLAT * max(1.0, abs(finite).max()):
        return Optimum(float("nan"), True)
    best = int(np.nanargmin(costs))
    p, cost = _refine(lambda q: float(even_costs(formula, classes, np.array([q]))[0]), grid, costs, best)
    uneven_p, uneven_cost = _uneven_optimum(formula, classes)
    if uneven_cost < cost - _EVEN * max(1.0, abs(cost)):
        return Optimum(uneven_p, False)
    return Optimum(p, True)


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
    others = _share(one, classes - 1)
    totals = _cost(formula, classes, 1.0, mass) + others[::-1]
    best = int(np.argmin(totals))
    return float(mass[best]), float(totals[best])


def _share(one: Array, classes: int) -> Array:
    """Return the smallest cost of each mass spread over several classes, from one class's cost of each mass."""
    if classes == 1:
        return one
    half = _share(one, classes // 2)
    both = _cheapest_split(half, half)
    return _cheapest_split(both, one) if classes % 2 else both


def _cheapest_split(first: Array, second: Array) -> Array:
    total = np.full(len(first), np.inf)
    with np.errstate(invalid="ignore"):
        for part in range(len(first)):
            total[part:] = np.fmin(total[part:], first[part] + second[: len(first) - part])
    return total


def first_step(formula: Formula, classes: int = CLASSES) -> float:
    """Return the gradient on the true class's logit at a uniform output, in multiples of cross-entropy's.

    It says how much the loss changes the effective learning rate at the start; published losses range from 0.08 to 50.
    Negative means that the first step lowers the true class.

    Example:
        >>> round(first_step(zoo["baikal"]), 1)
        10.0
    """
    uniform = np.array([1 / classes])
    true, other = (slope_in_p(formula, classes, t, uniform)[0] for t in (1.0, 0.0))
    return float((other - true) / classes)


def slope_in_p(formula: Formula, classes: int, t: float, p: Array) -> Array:
    """Return the slope of one class's term in its probability."""
    return np.broadcast_to(evaluate(slope(formula, "p"), {"t": t, "p": p, "C": float(classes)}), p.shape)


def residual_optimum(formula: Formula, y: float = 1.0) -> float:
    """Return the residual r = f - y at which a regression loss is smallest for a target `y`; NaN where it has none."""
    side = np.geomspace(1e-6, 100, 400)
    grid = np.concatenate([-side[::-1], [0.0], side])

    def cost(r: Any) -> Any:
        values = np.broadcast_to(evaluate(formula.node, {"y": y, "f": y + r, "r": r}), np.shape(r))
        return np.where(np.isnan(values), np.inf, values)

    costs = cost(grid)
    best = int(np.argmin(costs))
    if best in (0, len(grid) - 1) or not np.isfinite(costs[best]) or np.ptp(costs[np.isfinite(costs)]) < 1e-12:
        return float("nan")
    if costs[best] <= min(costs[best - 1], costs[best + 1]) and grid[best] == 0:
        return 0.0
    return _refine(lambda r: float(cost(r)), grid, costs, best)[0]


@dataclass(frozen=True)
class Finding:
    """One trait of one formula.

    Args:
        value: the number; NaN when there is none.
        words: the number as a sentence's end.
    """

    value: float
    words: str


@dataclass(frozen=True)
class Trait:
    """Something that can be said of a slot's formulas.

    Args:
        label: what `symloss show` writes before it.
        function: (formula, number of classes) -> Finding.
    """

    label: str
    function: Callable[[Formula, int], Finding]


def _tell_optimum(formula: Formula, classes: int) -> Finding:
    found = optimum(formula, classes)
    if np.isnan(found.p):
        return Finding(found.p, "none: flat or unbounded")
    uneven = "" if found.even else ", the other classes unevenly"
    return Finding(found.p, f"{found.p:.3f} ({_pull(found.p, classes)}{uneven}; {classes} classes)")


def _pull(p: float, classes: int) -> str:
    if p == 1:
        return "drives outputs to certainty"
    return "holds confidence back" if p > 1 / classes + 1e-6 else "does not prefer the true class"


def _tell_first_step(formula: Formula, classes: int) -> Finding:
    try:
        ratio = first_step(formula, classes)
    except FormulaError as error:
        return Finding(float("nan"), f"unknown: {error}")
    return Finding(ratio, f"{ratio:.3g} times cross-entropy's ({classes} classes, uniform output)")


def _tell_residual_optimum(formula: Formula, classes: int) -> Finding:
    found = residual_optimum(formula)
    return Finding(found, "none: flat or unbounded" if np.isnan(found) else f"{found:.3g} (target 1)")


TRAITS: dict[str, Trait] = {
    "optimum": Trait("p* of the true class", _tell_optimum),
    "first_step": Trait("first-step gradient", _tell_first_step),
    "residual_optimum": Trait("r* of the residual", _tell_residual_optimum),
}


def traits(formula: Formula, classes: int = CLASSES) -> dict[str, Finding]:
    """Return trait name -> finding, for the traits that the formula's slot names."""
    return {name: TRAITS[name].function(formula, classes) for name in SLOTS[formula.slot].traits if name in TRAITS}
