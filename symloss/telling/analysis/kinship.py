"""A formula's closest published relative: the same gradient but for a positive factor, its parameter fitted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

from scipy.optimize import minimize_scalar

from symloss.errors import FormulaError
from symloss.language.algebra import constant
from symloss.language.extremes import replaced
from symloss.language.formula import Formula, canonical
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis.evaluation import Array
from symloss.telling.analysis.families import FAMILIES, Family
from symloss.telling.analysis.field import gradient_of, match, probes_of
from symloss.telling.analysis.findings import Finding, unknown

NEAR = 0.5  # a gap above it is no kinship worth a name
_STEPS = 25  # values of a parameter that are tried before the best one is refined
_TOLD = 5  # relatives that are listed
_WORST = 1e6  # stands for an infinite difference
_SAME = 1e-6  # a smaller gap is the same loss


@dataclass(frozen=True)
class Kin:
    """A relative.

    Args:
        name: of the zoo's entry.
        parameter: name of the fitted parameter; "" for a formula without one.
        value: its fitted value.
        scale: the factor on the relative's gradient.
        gap: largest difference of the gradients at a probe, relative to the formula's own there.
        lost: share of the formula's gradient that the relative does not explain, 0 to 1.
        formula: the relative as text, the fitted value in place.
    """

    name: str
    parameter: str
    value: float
    scale: float
    gap: float
    lost: float
    formula: str

    def words(self) -> str:
        """Say it, as `focal, g = 1.9, within 3 %`."""
        fitted = f", {self.parameter} = {self.value:.3g}" if self.parameter else ""
        return f"{self.name}{fitted}, {'the same up to a factor' if self.gap < _SAME else within(self.gap)}"


def within(gap: float) -> str:
    """Write a relative gap.

    Example:
        >>> within(0.0312)
        'within 3.1 %'
    """
    return f"within {100 * gap:.2g} %" if gap < 0.995 else "further than 100 %"


def kin(formula: Formula, classes: int) -> list[Kin]:
    """Return the published formulas of the same slot, closest first, each with the parameter that fits best.

    The formula itself is not among them.

    Raises:
        FormulaError: its derivative has no reading.
    """
    wanted = gradient_of(formula.expr, formula.slot, classes)({})
    names = [name for name, entry in ZOO.items() if entry.slot == formula.slot and zoo[name].key != formula.key]
    found = [_fitted(name, formula.slot, classes, wanted) for name in names]
    return sorted((each for each in found if math.isfinite(each.gap)), key=_distance)


def _distance(each: Kin) -> tuple[float, float, bool]:
    """Order by the gap; what is not near, by how much of the gradient it explains; of equals, one without parameter."""
    return (1.0, each.lost, True) if each.gap > NEAR else (0.0, max(each.gap, _SAME), bool(each.parameter))


def _fitted(name: str, slot: str, classes: int, wanted: Array) -> Kin:
    if name not in FAMILIES:
        found = match(wanted, gradient_of(zoo[name].expr, slot, classes)({}), exact=True)
        return Kin(name, "", math.nan, found.scale, found.gap, found.lost, zoo[name].text)
    family = FAMILIES[name]
    gradient = gradient_of(family.expr, slot, classes)
    value = _best_value(family, lambda each: match(wanted, gradient({family.parameter: each})).gap)
    found = match(wanted, gradient({family.parameter: value}), exact=True)
    if found.gap > NEAR:
        value = _best_value(family, lambda each: match(wanted, gradient({family.parameter: each})).lost)
        found = match(wanted, gradient({family.parameter: value}), exact=True)
    return Kin(name, family.parameter, value, found.scale, found.gap, found.lost, _text(family, slot, value))


def _best_value(family: Family, difference: Callable[[float], float]) -> float:
    def finite(value: float) -> float:
        return min(difference(value), _WORST)

    steps = family.steps(_STEPS)
    tried = [finite(float(value)) for value in steps]
    best = min(range(_STEPS), key=tried.__getitem__)
    ends = (float(steps[max(best - 1, 0)]), float(steps[min(best + 1, _STEPS - 1)]))
    found = minimize_scalar(finite, bounds=ends, method="bounded", options={"xatol": 1e-7 * ends[1]})
    return float(found.x) if found.fun < tried[best] else float(steps[best])


def _text(family: Family, slot: str, value: float) -> str:
    number = constant(float(f"{value:.4g}"))
    put = replaced(family.expr, lambda leaf: number if leaf.is_Symbol and leaf.name == family.parameter else leaf)
    try:
        return canonical(put, slot).text
    except FormulaError:
        return ""


def _farther(best: Kin) -> str:
    fitted = f", {best.parameter} = {best.value:.3g}," if best.parameter else ""
    return f"{best.name}{fitted} explains most of its gradient, all but {best.lost:.0%}"


def tell_kinship(formula: Formula, classes: int) -> Finding:
    """Tell the closest published formula."""
    found = kin(formula, classes)[:_TOLD]
    if not found:
        return unknown("no gradient to compare: it is zero or undefined")
    best = found[0]
    probes = probes_of(formula.slot, classes)
    how = f"gradients up to a positive factor, largest gap over {probes.about}, relative to the gradient's own size"
    words = best.words() if best.gap <= NEAR else f"none is near; {_farther(best)}"
    itself = next((name for name in ZOO if zoo[name].key == formula.key), "")
    words = f"{itself} itself; the nearest other: {words}" if itself else words
    return Finding(best.gap, words, "refined", how, 1e-3, details={"kin": [asdict(each) for each in found]})
