"""What a classification loss says to the true class and to a wrong one: value and gradient over their probabilities."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.reading import text
from symloss.language.slots.classification import EPSILON
from symloss.telling.analysis.evaluation import Array
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.limits import Behaviour
from symloss.telling.analysis.lines import Line, class_line, logit_line
from symloss.telling.analysis.shape import Direction, Extent, direction, direction_by, ends, extent, grid

SHOWN = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)  # probabilities that curves are told at

_PROVEN = f"sign of the derivative over p in [{EPSILON:g}, 1 - {EPSILON:g}], by interval arithmetic"
_SAMPLED = "sign of the derivative at 960 points"
_LIMITS = "numbers of 1,100 digits, as near to the ends as 1e-256"


def tell_true_class(formula: Formula, classes: int) -> Finding:
    """Tell the true class's term over its probability."""
    return _tell_term(class_line(formula, True, classes))


def tell_wrong_class(formula: Formula, classes: int) -> Finding:
    """Tell a wrong class's term over that class's probability."""
    return _tell_term(class_line(formula, False, classes))


def _tell_term(line: Line) -> Finding:
    found = direction(line)
    p = np.array(SHOWN)
    details = {
        "term": text(line.node),
        "p": list(SHOWN),
        "value": _plain(line.at(p)),
        "slope": _plain(line.slope.at(p)),
        "monotone": len(found.pattern) < 2,
        "turns": list(found.turns),
    }
    certainty, how = ("proven", _PROVEN) if found.proven else ("sampled", _SAMPLED)
    words = "0 throughout: it plays no part" if _is_nothing(line) else found.words("p")
    return Finding(float(len(found.turns)), words, certainty, how, details=details)


def _is_nothing(line: Line) -> bool:
    return bool(line.expr.is_zero)


def _plain(values: Array) -> list[float]:
    return [float(value) for value in values]


def tell_pull(formula: Formula, classes: int) -> Finding:
    """Tell the gradient on the true class's logit: where it pulls up, where it pushes back, and where most."""
    line = logit_line(formula, classes)
    found = direction_by(line)
    points = grid(line.cuts)
    values = np.where(np.isfinite(line.at(points)), line.at(points), 0.0)
    strongest = float(points[int(np.abs(values).argmax())])
    details = {"p": list(SHOWN), "gradient": _plain(line.at(np.array(SHOWN))), "strongest_at": strongest}
    words = f"{_pull_words(found)}; strongest {_place(strongest)}"
    return Finding(strongest, words, *_sureness(found), details=details)


def _pull_words(found: Direction) -> str:
    if not found.pattern:
        return "no pull at all"
    if found.pattern == (-1,):
        return "pulls the true class up everywhere"
    if found.pattern == (1,):
        return "pushes the true class down everywhere"
    if found.pattern == (-1, 1):
        return f"pulls the true class up below p = {found.turns[0]:.4g}, pushes it back above"
    return f"changes between pull and push at p = {', '.join(f'{each:.3g}' for each in found.turns[:5])}"


def _place(p: float) -> str:
    return "towards p = 0" if p < 1e-3 else "towards p = 1" if p > 0.999 else f"at p = {p:.2g}"


def _sureness(found: Direction) -> tuple[str, str]:
    return ("proven", _PROVEN.replace("derivative", "gradient")) if found.proven else ("sampled", _SAMPLED)


PARTS: dict[str, Callable[[Formula, int], Line]] = {
    "true class": lambda formula, classes: class_line(formula, True, classes),
    "wrong class": lambda formula, classes: class_line(formula, False, classes),
    "gradient": logit_line,
}


def tell_ends(formula: Formula, classes: int) -> Finding:
    """Tell how both terms and the gradient behave as a probability goes to 0 and to 1."""
    found = {name: _ends_of(name, formula, classes) for name in PARTS}
    rows: list[dict[str, Any]] = [
        {"of": name, "at_0": low.words("p"), "at_1": high.words("(1 - p)"), "limits": [low.limit, high.limit]}
        for name, (low, high) in found.items()
    ]
    zero = ", ".join(f"{row['of']} {row['at_0']}" for row in rows)
    one = ", ".join(f"{row['of']} {row['at_1']}" for row in rows)
    return Finding(
        found["gradient"][0].limit, f"p -> 0: {zero}; p -> 1: {one}", "refined", _LIMITS, details={"rows": rows}
    )


_NOWHERE = Behaviour(math.nan, math.nan)


@functools.lru_cache(maxsize=64)
def _ends_of(name: str, formula: Formula, classes: int) -> tuple[Behaviour, Behaviour]:
    try:
        return ends(PARTS[name](formula, classes), 0.0, 1.0)
    except FormulaError:
        return _NOWHERE, _NOWHERE


def tell_bounds(formula: Formula, classes: int) -> Finding:
    """Tell whether value and gradient are bounded, and by what."""
    found = {name: extent(make(formula, classes), _ends_of(name, formula, classes)) for name, make in PARTS.items()}
    details = {name: {"low": each.low, "high": each.high, "bounded": each.bounded} for name, each in found.items()}
    value = "value bounded" if found["true class"].bounded and found["wrong class"].bounded else "value unbounded"
    words = f"{value} ({_range_words(found)}), {_gradient_words(found['gradient'])}"
    return Finding(
        found["gradient"].largest, words, "refined", f"960 points and the limits: {_LIMITS}", details=details
    )


def _range_words(found: dict[str, Extent]) -> str:
    return ", ".join(
        f"{name} {_end(each.low)} to {_end(each.high)}" for name, each in found.items() if name != "gradient"
    )


def _end(value: float) -> str:
    return f"{value:.4g}".replace("inf", "infinity")


def _gradient_words(found: Extent) -> str:
    if found.bounded:
        return f"gradient bounded: at most {found.largest:.3g}"
    return "gradient unbounded: one example may move a model by any amount"
