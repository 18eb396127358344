"""What each constant of a formula does: how much the gradient's strength, its shape and the optimum follow it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import sympy

from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.language.slots.classification import EPSILON
from symloss.telling.analysis.anatomy import Knob, with_knobs
from symloss.telling.analysis.evaluation import Array, evaluate_expression, filled
from symloss.telling.analysis.field import Gradient, gradient_of, match, probes_of
from symloss.telling.analysis.findings import Finding, unknown
from symloss.telling.analysis.optimum import lowest

STEP = 0.1  # of its value that a constant is turned, up and down
_IDLE = 1e-3  # of the gradient: a constant that changes its shape by less only sets its strength
_TOLD = 3  # constants that the sentence names


@dataclass(frozen=True)
class Effect:
    """What turning a constant up and down by a tenth does.

    Args:
        inside: text of the part that it stands in.
        value: the constant.
        strength: change of the gradient's strength when it is turned up, relative.
        shape: larger change of the gradient's shape either way: share that no change of strength explains, 0 to 1.
        optimum: change of p* when it is turned up; NaN where the slot has none.
    """

    inside: str
    value: float
    strength: float
    shape: float
    optimum: float


def effects(formula: Formula, classes: int) -> list[Effect]:
    """Return what each constant does, the one that changes the shape most first.

    Raises:
        FormulaError: its derivative has no reading.
    """
    expr, knobs = with_knobs(formula.node, SLOTS[formula.slot].symbols())
    if not knobs:
        return []
    gradient = gradient_of(expr, formula.slot, classes)
    costs = _costs(expr, classes) if formula.slot == "classification" else None
    at = {name: knob.value for name, knob in knobs.items()}
    base, p = gradient(at), _optimum(costs, at)
    found = [_effect(name, knob, gradient, base, at, costs, p) for name, knob in knobs.items()]
    return sorted(found, key=lambda each: -each.shape if math.isfinite(each.shape) else 1.0)


Costs = Callable[[Mapping[str, float], Array], Array]


def _effect(
    name: str, knob: Knob, gradient: Gradient, base: Array, at: Mapping[str, float], costs: Costs | None, p: float
) -> Effect:
    up, down = ({**at, name: knob.value * (1 + side * STEP)} for side in (1, -1))
    matches = [match(base, gradient(each)) for each in (up, down)]
    shape = max(each.lost if math.isfinite(each.scale) else math.nan for each in matches)
    return Effect(knob.inside, knob.value, 1 / matches[0].scale - 1, shape, _optimum(costs, up) - p)


def _costs(expr: sympy.Expr, classes: int) -> Costs:
    """Return one example's loss along even outputs, as a function of the constants."""

    def costs(constants: Mapping[str, float], p: Array) -> Array:
        other = np.clip((1 - p) / (classes - 1), EPSILON, 1 - EPSILON)
        inside = np.clip(p, EPSILON, 1 - EPSILON)
        true, wrong = (
            filled(evaluate_expression(expr, {"t": t, "p": each, "C": float(classes), **constants}), each)
            for t, each in ((1.0, inside), (0.0, other))
        )
        return true + (classes - 1) * wrong

    return costs


def _optimum(costs: Costs | None, constants: Mapping[str, float]) -> float:
    return math.nan if costs is None else lowest(lambda p: costs(constants, p))[0]


def tell_sensitivity(formula: Formula, classes: int) -> Finding:
    """Tell which constants matter."""
    found = effects(formula, classes)
    how = f"each constant turned by {STEP:.0%} up and down; gradients at {probes_of(formula.slot, classes).about}"
    if not found:
        return Finding(0.0, "no constants: nothing to tune", "closed form", "the formula holds none", 0.0)
    known = [each for each in found if math.isfinite(each.shape)]
    if not known:
        return unknown("no constant can be turned: the gradient becomes undefined")
    told = [_words(each) for each in known[:_TOLD] if each.shape >= _IDLE]
    details = {"effects": [asdict(each) for each in found], "step": STEP}
    return Finding(known[0].shape, "; ".join(told + _idle_words(known)), "refined", how, details=details)


def _idle_words(known: list[Effect]) -> list[str]:
    idle = [each for each in known if each.shape < _IDLE]
    strong = sum(abs(each.strength) >= _IDLE for each in idle)
    told = {"only the strength follows": strong, "nothing follows": len(idle) - strong}
    return [f"{words} {count} of {len(known)} constants" for words, count in told.items() if count]


def _words(effect: Effect) -> str:
    moved = f", p* by {effect.optimum:+.2g}" if abs(effect.optimum) >= 5e-4 else ""
    return f"{effect.value:.4g} in {effect.inside}: 10 % move the shape by {100 * effect.shape:.2g} %{moved}"
