"""Which parts of a formula matter: each is replaced by a constant, its mean, and the scale is fitted anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import sympy

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.reading import Call, Constant, Node
from symloss.language.slots import SLOTS
from symloss.telling.analysis.anatomy import Place, brief, parts, rebuild
from symloss.telling.analysis.evaluation import Array, evaluate
from symloss.telling.analysis.field import gradient_of, match, probes_of
from symloss.telling.analysis.findings import Finding

MOST = 48  # parts that are tried, larger ones first
_IDLE = 0.02  # of the gradient: a part without which less is lost hardly matters
_ALL = 0.995  # of the gradient: a part without which all is lost is worth naming where there is no other
_TOLD = 4  # parts that the sentence names
_LONGEST = 40  # characters of a part in it
_ALIKE = 5e-3  # a part inside another that loses as much says nothing new


@dataclass(frozen=True)
class Part:
    """A part of a formula, and what is lost without it.

    Args:
        text: the part as it is read.
        place: which arguments lead to it, from the root on.
        mean: the constant that stood in for it.
        lost: share of the gradient that nothing explains any more, 0 to 1; NaN where the rest is undefined.
    """

    text: str
    place: Place
    mean: float
    lost: float


def ablate(formula: Formula, classes: int) -> list[Part]:
    """Replace each part by its mean over the probes, and measure what is lost; the most important part first.

    Raises:
        FormulaError: the formula's own derivative has no reading.
    """
    probes = probes_of(formula.slot, classes)
    wanted = gradient_of(formula.expr, formula.slot, classes)({})
    tried = [(place, node) for place, node in parts(formula.node) if place and not isinstance(node, Constant)]
    varying = [(place, node) for place, node in tried if np.ptp(evaluate(node, probes.values)) != 0]
    found = [_without(formula, classes, wanted, probes.values, place, node) for place, node in varying[:MOST]]
    return sorted(found, key=lambda each: -each.lost if math.isfinite(each.lost) else 1.0)


def _without(
    formula: Formula, classes: int, wanted: Array, values: Mapping[str, Array], place: Place, node: Node
) -> Part:
    mean = _mean(evaluate(node, values))
    stand_in = sympy.Float(mean) if math.isfinite(mean) else sympy.Integer(0)
    symbols = SLOTS[formula.slot].symbols()
    try:
        rest = rebuild(formula.node, symbols, lambda at, _: stand_in if at == place else None)
        lost = match(wanted, gradient_of(rest, formula.slot, classes)({})).lost
    except (FormulaError, ValueError, TypeError):
        lost = math.nan
    return Part(brief(node), place, mean, lost)


def _mean(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def telling(found: list[Part]) -> list[Part]:
    """Leave out what says nothing new: parts inside a part without which as much is lost."""
    kept: list[Part] = []
    for each in sorted(found, key=lambda part: len(part.place)):
        outer = [part for part in kept if each.place[: len(part.place)] == part.place]
        if not any(abs(part.lost - each.lost) < _ALIKE for part in outer):
            kept.append(each)
    return sorted(kept, key=lambda each: -each.lost if math.isfinite(each.lost) else 1.0)


def tell_parts(formula: Formula, classes: int) -> Finding:
    """Tell which parts carry the loss, and which hardly matter."""
    found = ablate(formula, classes)
    known = telling([each for each in found if math.isfinite(each.lost)])
    known = [each for each in known if each.lost < _ALL] or known
    if not isinstance(formula.node, Call) or not known:
        return Finding(1.0, "one part: the whole", "closed form", "the formula is a single variable", 0.0)
    idle = [each for each in known if each.lost < _IDLE]
    told = [f"{_short(each.text)} {each.lost:.0%}" for each in known[:_TOLD] if each.lost >= _IDLE]
    told = [f"share of the gradient lost without {', '.join(told)}"] if told else []
    names = " and ".join(_short(each.text) for each in idle[-2:])
    rest = [f"{names} hardly matter{'s' if len(idle) == 1 else ''}"] if idle else []
    where = probes_of(formula.slot, classes).about
    how = f"each part replaced by its mean, the scale fitted anew; gradients at {where}"
    details = {"parts": [asdict(each) for each in found]}
    return Finding(known[-1].lost, "; ".join(told + rest), "refined", how, details=details)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
