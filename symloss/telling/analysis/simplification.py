"""Other ways to write a formula, each checked against the one that trains: on random points, in value and gradient.

No form is told without the gap that was found, so that a reader can trust what a paper or a page shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from symloss.errors import FormulaError
from symloss.language.formula import Formula, parse
from symloss.language.reading import Node, text
from symloss.language.slots import SLOTS
from symloss.telling.analysis.anatomy import brief, rounded, rounded_expression
from symloss.telling.analysis.evaluation import Array, evaluate, filled, slope
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.lines import Line, class_line

POINTS = 1000  # random points that a form is checked on
DIGITS = 4  # of constants in LaTeX and in sentences
EXACT = 1e-9  # relative gap of two forms of one formula: rounding, and nothing else


@dataclass(frozen=True)
class Form:
    """Another way to write a formula.

    Args:
        name: what it is.
        text: the form.
        value_gap: largest difference of the values at random points, relative to their size.
        gradient_gap: the same of the gradients; NaN where they could not be compared.
        points: how many points were compared.
    """

    name: str
    text: str
    value_gap: float
    gradient_gap: float
    points: int

    def words(self) -> str:
        """Say how far it was found from the executed formula."""
        return f"value within {self.value_gap:.1g}, gradient within {self.gradient_gap:.1g}"


def random_points(slot: str, one_hot: bool = False) -> dict[str, Array]:
    """Draw values of a slot's variables over their real range: probabilities to both ends, residuals of both signs.

    Args:
        one_hot: whether targets are 0 or 1 alone; else half of them lie between.
    """
    generator = np.random.default_rng(0)
    values = {each.name: _draw(generator, each.low, each.high, each.integer) for each in SLOTS[slot].variables}
    if "t" in values:
        hard = generator.integers(0, 2, POINTS).astype(np.float64)
        values["t"] = hard if one_hot else np.where(np.arange(POINTS) % 2, values["t"], hard)
    if "r" in values:
        values["f"] = values["y"] + values["r"]
    return values


def _draw(generator: np.random.Generator, low: float, high: float, integer: bool) -> Array:
    if integer:
        return np.asarray(generator.integers(int(low), 100, POINTS), dtype=np.float64)
    if (low, high) == (0.0, 1.0) or (low > 0 and high < 1):
        return np.asarray(1 / (1 + np.exp(-4 * generator.standard_normal(POINTS))), dtype=np.float64)
    return np.asarray(2 * generator.standard_normal(POINTS), dtype=np.float64)


def form_of(name: str, formula: Formula, other: Formula, one_hot: bool = False) -> Form:
    """Check another form of a formula.

    Args:
        one_hot: compare gradients alone, where targets are 0 or 1: the forms train alike.
    """
    points = random_points(formula.slot, one_hot)
    value = math.nan if one_hot else _gap(formula.node, other.node, points)
    return Form(name, other.text, value, _gradient_gap(formula, other, points), POINTS)


def _gap(node: Node, other: Node, points: Mapping[str, Array]) -> float:
    """Return the largest difference, relative to the larger of the value there and the usual value."""
    like = next(iter(points.values()))
    wanted, got = (filled(evaluate(each, points), like) for each in (node, other))
    return _largest(wanted, got)


def _largest(wanted: Array, got: Array) -> float:
    if not np.array_equal(np.isfinite(wanted), np.isfinite(got)):
        return math.inf
    wanted, got = wanted[np.isfinite(wanted)], got[np.isfinite(got)]
    if not wanted.size:
        return math.nan
    usual = float(np.median(np.abs(wanted))) or 1.0
    return float((np.abs(wanted - got) / np.maximum(np.abs(wanted), usual)).max())


def _gradient_gap(formula: Formula, other: Formula, points: Mapping[str, Array]) -> float:
    names = [each.name for each in SLOTS[formula.slot].variables if each.name not in ("t", "y", "C")]
    try:
        gaps = [_gap(slope(formula, name), slope(other, name), points) for name in names]
    except FormulaError:
        return math.nan
    return max(gap for gap in gaps if not math.isnan(gap)) if not all(map(math.isnan, gaps)) else math.nan


def tell_forms(formula: Formula, classes: int) -> Finding:
    """Tell how far the displayed form is from the executed one: LaTeX rounds constants."""
    shown = form_of("as LaTeX shows it", formula, rounded(formula, DIGITS))
    details: dict[str, Any] = {"forms": [asdict(shown)], "latex": formula.latex()}
    if shown.text == formula.text:
        words = "LaTeX shows the executed formula, to the last bit"
        return Finding(0.0, words, "closed form", "both read the same", 0.0, details=details)
    words = f"LaTeX rounds constants to {DIGITS} digits: {shown.words()}"
    return Finding(shown.gradient_gap, words, "refined", _CHECKED, shown.gradient_gap, details=details)


_CHECKED = f"{POINTS} random points, against the formula that is trained"


def confirm_forms(finding: Finding, formula: Formula, classes: int, answer: Any) -> Finding:
    """Add the simplest form that computer algebra found."""
    best = _simpler(formula, checked(formula, answer))
    if best is None:
        return replace(finding, words=f"{finding.words}; computer algebra found nothing simpler")
    words = f"{finding.words}; simpler: {best.text} ({best.words()})"
    forms = [*finding.details["forms"], asdict(best)]
    return finding.in_closed_form(best.text, words, forms=forms)


def tell_one_hot(formula: Formula, classes: int) -> Finding:
    """Tell what a formula is for labels of 0 and 1: one term for the true class, one for each wrong one."""
    lines = {name: class_line(formula, true, classes) for name, true in _TERMS.items()}
    gap = max(_term_gap(formula, line, float(_TERMS[name]), classes) for name, line in lines.items())
    words = "; ".join(f"{name} {brief(line.node)}" for name, line in lines.items())
    details = {"terms": {name: text(line.node) for name, line in lines.items()}}
    return Finding(gap, f"{words} (value within {gap:.1g})", "refined", _CHECKED, gap, details=details)


_TERMS = {"true class": True, "wrong class": False}


def _term_gap(formula: Formula, line: Line, t: float, classes: int) -> float:
    p = random_points("classification")["p"]
    shown = Line("p", rounded_expression(line.expr, DIGITS), line.cuts)
    wanted = {"t": np.full_like(p, t), "p": p, "C": np.full_like(p, float(classes))}
    return _largest(filled(evaluate(formula.node, wanted), p), shown.at(p))


def confirm_one_hot(finding: Finding, formula: Formula, classes: int, answer: Any) -> Finding:
    """Add a simpler formula with the same gradient for labels of 0 and 1."""
    best = _simpler(formula, checked(formula, answer, one_hot=True))
    if best is None:
        return finding
    words = f"{finding.words}; trains like {best.text} (gradient within {best.gradient_gap:.1g})"
    return finding.in_closed_form(best.text, words, forms=[asdict(best)])


def checked(formula: Formula, texts: Any, one_hot: bool = False) -> list[Form]:
    """Return those of some forms that are the formula, simplest first; what does not agree is left out.

    Args:
        texts: what a process answered that is not trusted to be right.
        one_hot: whether they need to agree in the gradient alone, for targets of 0 and 1.
    """
    name = "trains alike on one-hot labels" if one_hot else "simplest found"
    found: list[tuple[int, int, Form]] = []
    for each in texts if isinstance(texts, list) else ():
        try:
            other = parse(str(each), formula.slot)
        except FormulaError:
            continue
        form = form_of(name, formula, other, one_hot)
        gaps = [form.gradient_gap] if one_hot else [form.gradient_gap, form.value_gap]
        if all(gap <= EXACT for gap in gaps):
            found.append((other.complexity, len(other.text), form))
    return [form for _, _, form in sorted(found, key=lambda each: each[:2])]


def _simpler(formula: Formula, found: Sequence[Form]) -> Form | None:
    """Return the first form when it has fewer nodes than the executed formula."""
    if found and parse(found[0].text, formula.slot).complexity < formula.complexity:
        return found[0]
    return None
