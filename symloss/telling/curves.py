"""A formula's curves: value and gradient over the one axis that tells most about formulas of its slot.

Without torch, as all of the analysis; `plot.py` draws them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.telling.analysis import CLASSES, Array, evaluate, even_costs, first_step, slope, slope_in_p
from symloss.telling.analysis.lines import class_line


@dataclass(frozen=True)
class Curves:
    """A formula and its gradient over one axis.

    Args:
        axis: what x is.
        x, values, gradients: float64, 1-d, of equal length.
        gradient_of: what the gradients differentiate by.
    """

    axis: str
    x: Array
    values: Array
    gradients: Array
    gradient_of: str


def _classification_curves(formula: Formula, classes: int) -> Curves:
    p = np.linspace(0.005, 0.995, 397)
    other = (1 - p) / (classes - 1)
    pull = slope_in_p(formula, classes, 1.0, p) - slope_in_p(formula, classes, 0.0, other)
    values = even_costs(formula, classes, p)
    return Curves("probability of the true class", p, values, p * (1 - p) * pull, "the true class's logit")


def class_curves(formula: Formula, classes: int = CLASSES) -> dict[str, Curves]:
    """Return the true class's term and a wrong class's, each with its slope, over that class's probability.

    Raises:
        FormulaError: a term is undefined everywhere, or its slope has no reading.
    """
    p = np.linspace(0.005, 0.995, 397)
    lines = {"true class": class_line(formula, True, classes), "wrong class": class_line(formula, False, classes)}
    return {
        name: Curves(f"probability of the {name}", p, line.at(p), line.slope.at(p), "that probability")
        for name, line in lines.items()
    }


def _regression_curves(formula: Formula, classes: int) -> Curves:
    r = np.linspace(-4, 4, 401)
    point = {"y": np.zeros_like(r), "f": r, "r": r}
    gradients = sum(evaluate(slope(formula, name), point) for name in ("f", "r"))
    values = evaluate(formula.node, point)
    return Curves("residual f - y (target 0)", r, _filled(values, r), _filled(gradients, r), "the prediction")


def _activation_curves(formula: Formula, classes: int) -> Curves:
    x = np.linspace(-5, 5, 401)
    values, gradients = (evaluate(node, {"x": x}) for node in (formula.node, slope(formula, "x")))
    return Curves("input", x, _filled(values, x), _filled(gradients, x), "the input")


def _plain_curves(formula: Formula, classes: int) -> Curves:
    """Draw a formula of any slot over its last required variable, the others in the middle of their ranges."""
    slot = SLOTS[formula.slot]
    ranges = {each.name: (max(each.low, -5.0), min(each.high, 5.0)) for each in slot.variables}
    axis = next(each for each in slot.variables if each.name == (slot.required or tuple(ranges))[-1])
    x = np.linspace(*ranges[axis.name], 401)
    point = {name: (low + high) / 2 for name, (low, high) in ranges.items()} | {axis.name: x}
    values, gradients = (evaluate(node, point) for node in (formula.node, slope(formula, axis.name)))
    return Curves(axis.meaning, x, _filled(values, x), _filled(gradients, x), axis.name)


def _filled(values: Any, like: Array) -> Array:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), like.shape)


@dataclass(frozen=True)
class Comparable(Curves):
    """Curves that can be set beside other formulas' of the slot.

    Args:
        values: above their smallest finite one; NaN where they are not finite.
        scale: what values and gradients were divided by.
    """

    scale: float


def comparable(formula: Formula, classes: int = CLASSES) -> Comparable:
    """Return a formula's curves, its values from zero up, a loss scaled to cross-entropy's first step.

    Every loss trains at a learning rate of its own, so its scale alone says nothing.
    """
    drawn, scale = curves(formula, classes), step_scale(formula, classes)
    values, gradients = (np.where(np.isfinite(each), each, np.nan) / scale for each in (drawn.values, drawn.gradients))
    lowest = np.nanmin(values) if np.isfinite(values).any() else 0.0
    return Comparable(drawn.axis, drawn.x, values - lowest, gradients, drawn.gradient_of, scale)


def step_scale(formula: Formula, classes: int = CLASSES) -> float:
    """Return a loss's first step in multiples of cross-entropy's; 1 where it has none or goes the wrong way."""
    if "first_step" not in SLOTS[formula.slot].traits:
        return 1.0
    try:
        ratio = first_step(formula, classes)
    except FormulaError:
        return 1.0
    return ratio if math.isfinite(ratio) and ratio > 0 else 1.0


CURVES: dict[str, Callable[[Formula, int], Curves]] = {
    "classification": _classification_curves,
    "regression": _regression_curves,
    "activation": _activation_curves,
}


def curves(formula: Formula, classes: int = CLASSES) -> Curves:
    """Return value and gradient over the axis that tells most about a formula of its slot.

    Classification: over the true class's probability, the others alike. Regression: over the residual at target 0.
    A slot that CURVES does not name: over its last required variable.
    """
    return CURVES.get(formula.slot, _plain_curves)(formula, classes)
