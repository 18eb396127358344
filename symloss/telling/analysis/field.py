"""What training feels of a formula: its gradient at fixed probes of its slot, and how much two gradients differ.

Losses are compared up to a positive scale, which the learning rate undoes, and up to what no gradient sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from symloss.language.slots import SLOTS
from symloss.telling.analysis.evaluation import Array, derivative, evaluate_expression, filled, probabilities

_LEAST = 0.1  # of the usual gradient: differences are relative to the gradient's size, but not to less than this

Gradient = Callable[[Mapping[str, float]], Array]  # parameters -> (probes, components)


@dataclass(frozen=True)
class Probes:
    """Where the formulas of a slot are compared.

    Args:
        values: variable name -> values, arrays that broadcast to (probes, components).
        about: the range, in words.
        gradient: (expression over the slot's symbols and parameters, its probes) -> gradient as a function of the
            parameters.
    """

    values: Mapping[str, Array]
    about: str
    gradient: Callable[[sympy.Expr, Mapping[str, Array]], Gradient]


def gradient_of(expr: sympy.Expr, slot: str, classes: int) -> Gradient:
    """Return what training feels of an expression, as a function of the parameters in it.

    Args:
        expr: over the symbols of the slot's variables and any parameters.
    """
    probes = probes_of(slot, classes)
    return probes.gradient(expr, probes.values)


def probes_of(slot: str, classes: int) -> Probes:
    """Return a slot's probes; a slot that PROBES does not name is probed over its last required variable."""
    return PROBES[slot](classes) if slot in PROBES else _plain_probes(slot)


def _classification_probes(classes: int) -> Probes:
    true = probabilities(25, 0.02, 0.98)
    shares = np.ones((3, classes - 1))
    shares[1:] = np.random.default_rng(0).exponential(size=(2, classes - 1))
    shares /= shares.sum(1, keepdims=True)
    rest = (1 - true)[:, None, None] * shares
    p = np.concatenate([np.broadcast_to(true[:, None, None], (*rest.shape[:2], 1)), rest], 2).reshape(-1, classes)
    t = np.zeros_like(p)
    t[:, 0] = 1
    about = "p of the true class in [0.02, 0.98], the rest shared evenly and unevenly"
    return Probes({"t": t, "p": p, "C": np.array(float(classes))}, about, _logit_gradient)


def _logit_gradient(expr: sympy.Expr, values: Mapping[str, Array]) -> Gradient:
    p = values["p"]
    steep = derivative(expr, SLOTS["classification"].symbols()["p"])

    def gradient(parameters: Mapping[str, float]) -> Array:
        pulls = p * filled(evaluate_expression(steep, {**values, **parameters}), p)
        return np.asarray(pulls - p * pulls.sum(1, keepdims=True))

    return gradient


def _regression_probes(classes: int) -> Probes:
    y, r = np.meshgrid([-1.0, 0.0, 1.0], np.linspace(-4.01, 4.03, 81))
    y, r = y.reshape(-1, 1), r.reshape(-1, 1)
    return Probes({"y": y, "r": r, "f": y + r}, "residuals in [-4, 4], targets -1, 0 and 1", _prediction_gradient)


def _prediction_gradient(expr: sympy.Expr, values: Mapping[str, Array]) -> Gradient:
    symbols = SLOTS["regression"].symbols()
    steep = [derivative(expr, symbols[name]) for name in ("f", "r")]

    def gradient(parameters: Mapping[str, float]) -> Array:
        parts = [filled(evaluate_expression(each, {**values, **parameters}), values["r"]) for each in steep]
        return np.asarray(parts[0] + parts[1])

    return gradient


def _activation_probes(classes: int) -> Probes:
    x = np.linspace(-5.01, 5.03, 161).reshape(-1, 1)
    return Probes({"x": x}, "inputs in [-5, 5]", _slope_in("activation", "x"))


def _plain_probes(slot: str) -> Probes:
    """Probe over the last required variable, the others in the middle of their ranges."""
    ranges = {each.name: (max(each.low, -5.0), min(each.high, 5.0)) for each in SLOTS[slot].variables}
    axis = (SLOTS[slot].required or tuple(ranges))[-1]
    middle = {name: np.array((low + high) / 2) for name, (low, high) in ranges.items()}
    line = np.linspace(*ranges[axis], 161).reshape(-1, 1)
    return Probes({**middle, axis: line}, f"{axis} over its range", _slope_in(slot, axis))


def _slope_in(slot: str, axis: str) -> Callable[[sympy.Expr, Mapping[str, Array]], Gradient]:
    def make(expr: sympy.Expr, values: Mapping[str, Array]) -> Gradient:
        steep = derivative(expr, SLOTS[slot].symbols()[axis])
        return lambda parameters: filled(evaluate_expression(steep, {**values, **parameters}), values[axis])

    return make


PROBES: dict[str, Callable[[int], Probes]] = {
    "classification": _classification_probes,
    "regression": _regression_probes,
    "activation": _activation_probes,
}


@dataclass(frozen=True)
class Match:
    """How near one gradient comes to another, at the scale that brings it nearest.

    Args:
        scale: what the other is multiplied by; NaN where no positive scale helps.
        gap: largest difference at a probe, relative to the gradient's size there.
        lost: share of the gradient that the other does not explain, 0 to 1: a root mean square over the probes, where
            gradients above the usual size count no more than that.
    """

    scale: float
    gap: float
    lost: float


_FAR = Match(math.nan, math.inf, 1.0)


def match(wanted: Array, other: Array, exact: bool = False) -> Match:
    """Compare two gradients, (probes, components) each.

    Args:
        exact: whether to find the scale of the smallest gap; else the one of least squares, which is cheaper.
    """
    kept = np.isfinite(wanted).all(1)
    wanted, other = wanted[kept], other[kept]
    sizes = np.linalg.norm(wanted, axis=1)
    if not kept.any() or not np.isfinite(other).all() or not (sizes > 0).any():
        return _FAR
    usual = float(np.median(sizes[sizes > 0]))
    relative = 1 / np.maximum(sizes, _LEAST * usual)[:, None]
    scale, _ = _least_squares(relative * wanted, relative * other)
    damped = 1 / np.maximum(sizes, usual)[:, None]
    _, lost = _least_squares(damped * wanted, damped * other)
    if math.isnan(scale):
        return Match(scale, math.inf, lost)
    scale = _minimax(relative * wanted, relative * other, scale) if exact else scale
    return Match(scale, _gap(relative * wanted, relative * other, scale), lost)


def _least_squares(goal: Array, given: Array) -> tuple[float, float]:
    """Return the positive scale of the smallest error and the share that it leaves; NaN and 1 where there is none."""
    with np.errstate(over="ignore", invalid="ignore"):
        both, own, whole = (float((a * b).sum()) for a, b in ((goal, given), (given, given), (goal, goal)))
    if not (both > 0 and math.isfinite(own)):
        return math.nan, 1.0
    return both / own, math.sqrt(max(0.0, 1 - both**2 / (own * whole)))


def _gap(goal: Array, given: Array, scale: float) -> float:
    return float(np.linalg.norm(goal - scale * given, axis=1).max())


def _minimax(goal: Array, given: Array, start: float) -> float:
    """Return the scale of the smallest gap, which is convex in it."""
    found = minimize_scalar(lambda scale: _gap(goal, given, scale), bounds=(0.3 * start, 3 * start), method="bounded")
    return float(found.x) if found.fun < _gap(goal, given, start) else start
