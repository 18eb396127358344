"""What computer algebra answered, told only where it agrees with the numbers that were found without it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sympy

from symloss.errors import FormulaError
from symloss.language.algebra import constant
from symloss.language.formula import Formula
from symloss.language.parser import parse_expression
from symloss.language.slots import SLOTS
from symloss.telling.analysis.evaluation import evaluate_expression
from symloss.telling.analysis.findings import Finding

AGREES = 2e-5  # relative: closed forms write decimals at six digits
_LONGEST = 80  # characters of a closed form that says more than a number
_LIMITS = {"oo": math.inf, "-oo": -math.inf}


def agreeing(texts: Iterable[Any], classes: Sequence[float], wanted: Sequence[float]) -> str:
    """Return the shortest text over C that gives the wanted number for every number of classes; "" for none.

    Args:
        texts: candidates, from a process that is not trusted to be right.
        classes: numbers of classes.
        wanted: the number for each; NaN where none was found, which is not compared.
    """
    kept = [(each, value) for each, value in zip(classes, wanted, strict=True) if math.isfinite(value)]
    if len(kept) < 2:
        return ""
    right = [text for text in texts if isinstance(text, str) and _agrees(text, kept)]
    return min(right, key=len, default="")


def _agrees(text: str, pairs: Sequence[tuple[float, float]]) -> bool:
    expr = _read(text)
    if expr is None:
        return False
    found = [float(evaluate_expression(expr, {"C": classes})) for classes, _ in pairs]
    return all(_near(value, wanted) for value, (_, wanted) in zip(found, pairs, strict=True))


def _read(text: str) -> sympy.Expr | None:
    """Read a text over C with the parser of formulas; None where it is none, or too long to say anything."""
    if len(text) > _LONGEST:
        return None
    try:
        return parse_expression(text, {"C": SLOTS["classification"].symbols()["C"]})
    except FormulaError:
        return None


def _near(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= AGREES * max(abs(wanted), 1e-3)


def confirm_optimum(finding: Finding, formula: Formula, classes: int, answer: Any) -> Finding:
    """Give p* against C its closed form."""
    text = agreeing([*_listed(answer), "1", "0"], finding.details["classes"], finding.details["p"])
    if not text:
        return finding
    return finding.in_closed_form(text, f"p* = {text}: {finding.words}")


def confirm_first_step(finding: Finding, formula: Formula, classes: int, answer: Any) -> Finding:
    """Give the first step's ratio its closed form."""
    text = agreeing(_listed(answer), finding.details.get("classes", ()), finding.details.get("ratios", ()))
    return finding.in_closed_form(text) if text else finding


def confirm_ends(finding: Finding, formula: Formula, classes: int, answer: Any) -> Finding:
    """Say that the limits are those of algebra, where all of them are."""
    rows = finding.details["rows"]
    told = answer if isinstance(answer, Mapping) else {}
    pairs = [
        (text, number)
        for row in rows
        for text, number in zip(_listed(told.get(row["of"])), row["limits"], strict=False)
    ]
    if len(pairs) < 2 * len(rows) or not all(_same_limit(text, number) for text, number in pairs):
        return finding
    how = f"{finding.how}; algebra gives the same limits"
    return replace(finding, certainty="closed form", how=how, closed_form=_limits_text(rows, told))


def _limits_text(rows: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> str:
    return "; ".join(f"{row['of']}: {', '.join(map(_short, told[row['of']]))}" for row in rows)


def _short(text: str) -> str:
    if text in _LIMITS:
        return text.replace("oo", "infinity")
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return text


def _same_limit(text: Any, number: float) -> bool:
    if not isinstance(text, str) or not text:
        return False
    if text in _LIMITS:
        return number == _LIMITS[text]
    expr = _read(text)
    return expr is not None and expr.is_number and _near(float(constant(float(expr))), number)


def _listed(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else []
