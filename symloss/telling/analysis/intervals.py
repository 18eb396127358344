"""Bounds that hold between grid points too: formulas over intervals, with mpmath's outward rounding.

What is said to be certified is proven by these enclosures over the whole stated range, not looked up on a grid.
Moore, Kearfott and Cloud 2009, "Introduction to Interval Analysis".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import iv

from symloss.errors import FormulaError
from symloss.language.reading import Call, Constant, Node

LARGEST_POWER = 1e6  # arguments of exp beyond it give up: numbers of a million digits take minutes
_BOXES = 240  # enclosures that one question may cost
_NARROW = 1e-7  # of its numbers' size: a box so narrow is not cut further
_TINY = 1e-9  # of the range's size: nor is one so small
_BITS = 113  # of the numbers inside: what saturates, as tanh, still moves where doubles stand still
_WHOLE = (-math.inf, math.inf)
_MERGED = 2e-3  # of the range's size: undecided boxes that together are no wider are one place

Number = Any  # an mpf or an interval
Enclosure = tuple[float, float]


class _TooLargeError(ArithmeticError):
    """A number that no computer can hold in a second."""


def _exp(context: Any, a: Number) -> Number:
    if _size(a) <= LARGEST_POWER:
        return context.exp(a)
    if context is iv:
        raise _TooLargeError
    return mpmath.mpf("inf") if a > 0 else mpmath.mpf(0)


def _size(a: Number) -> float:
    return float(max(abs(a.a), abs(a.b))) if isinstance(a, iv.mpf) else float(abs(a))


def _bounded(function: str) -> Callable[[Any, Number], Number]:
    def apply(context: Any, a: Number) -> Number:
        if not _size(a) < LARGEST_POWER:
            return iv.mpf([-1, 1]) if context is iv else math.nan
        return getattr(context, function)(a)

    return apply


def _sign(context: Any, a: Number) -> Number:
    if context is not iv:
        return context.sign(a)
    return iv.mpf([mpmath.sign(a.a.a), mpmath.sign(a.b.b)])


def _min(context: Any, a: Number, b: Number) -> Number:
    return iv.mpf([min(a.a, b.a), min(a.b, b.b)]) if context is iv else min(a, b)


def _max(context: Any, a: Number, b: Number) -> Number:
    return iv.mpf([max(a.a, b.a), max(a.b, b.b)]) if context is iv else max(a, b)


def _power(context: Any, a: Number, c: Number) -> Number:
    exponent = c.a if context is iv else c
    whole = exponent == int(exponent)
    return a ** int(exponent) if whole else a**c


def _sigmoid(context: Any, a: Number) -> Number:
    return 1 / (1 + _saturating(context, -a))


def _softplus(context: Any, a: Number) -> Number:
    if _size(a) <= LARGEST_POWER:
        return context.log(1 + context.exp(a))
    return _max(context, a, context.mpf(0)) + context.log(1 + _saturating(context, -abs(a)))


def _saturating(context: Any, a: Number) -> Number:
    """Return exp with huge arguments cut: what follows saturates long before."""
    if context is not iv:
        return _exp(context, a)
    cut = _min(context, _max(context, a, context.mpf(-LARGEST_POWER)), context.mpf(LARGEST_POWER))
    return context.exp(cut)


FACES: dict[str, Callable[..., Number]] = {
    "add": lambda _, a, b: a + b,
    "sub": lambda _, a, b: a - b,
    "mul": lambda _, a, b: a * b,
    "div": lambda _, a, b: a / b,
    "neg": lambda _, a: -a,
    "square": lambda _, a: a**2,
    "sqrt": lambda context, a: context.sqrt(a),
    "log": lambda context, a: context.log(a),
    "exp": _exp,
    "abs": lambda _, a: abs(a),
    "sign": _sign,
    "min": _min,
    "max": _max,
    "tanh": lambda context, a: 1 - 2 / (_saturating(context, 2 * a) + 1),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "sin": _bounded("sin"),
    "cos": _bounded("cos"),
    "pow": _power,
}


def evaluate_in(context: Any, node: Node, values: Mapping[str, Number]) -> Number:
    """Evaluate a node in one of mpmath's contexts.

    Args:
        context: `mpmath.mp` for points at its precision, `mpmath.iv` for intervals.
        values: variable name -> number of the context.

    Raises:
        FormulaError: an operator has no face here.
        ArithmeticError, ValueError, OverflowError: mpmath finds no real value.
    """
    if isinstance(node, Call):
        if node.operator not in FACES:
            raise FormulaError(f"formula: {node.operator} has no interval face; nothing can be proven of it.")
        return FACES[node.operator](context, *(evaluate_in(context, each, values) for each in node.arguments))
    if isinstance(node, Constant):
        return _number(context, node.value)
    return values[node.name]


def _number(context: Any, value: Any) -> Number:
    if isinstance(value, int | float):
        return context.mpf(value)
    return context.mpf(value.numerator) / context.mpf(value.denominator)


def enclose(node: Node, box: Mapping[str, Enclosure]) -> Enclosure:
    """Return bounds that a node does not leave while its variables stay in their intervals.

    Args:
        box: variable name -> (low, high).

    Returns:
        (low, high), rounded outwards; (-inf, inf) where nothing can be said.
    """
    before, iv.prec = iv.prec, _BITS
    try:
        found = evaluate_in(iv, node, {name: iv.mpf(list(ends)) for name, ends in box.items()})
    except (ArithmeticError, ValueError, TypeError, FormulaError):
        return _WHOLE
    finally:
        iv.prec = before
    if not isinstance(found, iv.mpf):  # a complex interval: outside the domain somewhere
        return _WHOLE
    low, high = _below(found.a), _above(found.b)
    return _WHOLE if math.isnan(low) or math.isnan(high) else (low, high)


def _below(end: Number) -> float:
    value = float(end.a)
    return value if end.a >= value else math.nextafter(value, -math.inf)


def _above(end: Number) -> float:
    value = float(end.b)
    return value if end.b <= value else math.nextafter(value, math.inf)


@dataclass(frozen=True)
class Stretch:
    """A part of a range on which a function keeps one sign.

    Args:
        sign: -1, 0 (it is zero), 1, or None where nothing is proven.
    """

    low: float
    high: float
    sign: int | None


def signs(
    node: Node, axis: str, cuts: Sequence[float], inner: Node | None = None, budget: int = _BOXES
) -> tuple[Stretch, ...]:
    """Prove where over a range a function of one variable is negative, zero or positive.

    Boxes are halved until the enclosure leaves zero out, they are narrow, or the budget is spent.

    Args:
        node: over the one variable `axis`.
        cuts: rising ends of the first boxes, from the range's low end to its high one.
        inner: derivative of the node; with it the mean-value form narrows an enclosure.
        budget: how many enclosures may be computed.

    Returns:
        The whole range in stretches, from left to right, neighbours of one sign merged.
    """
    size = cuts[-1] - cuts[0]
    open_boxes = [(low, high) for low, high in itertools.pairwise(cuts)][::-1]
    found: list[Stretch] = []
    spent = 0
    while open_boxes:
        low, high = open_boxes.pop()
        sign = _sign_in(node, axis, low, high, inner) if spent < budget else None
        spent += 1
        if sign is None and spent < budget and high - low > max(_TINY * size, _NARROW * max(abs(low), abs(high))):
            middle = (low + high) / 2
            open_boxes += [(middle, high), (low, middle)]
        else:
            found.append(Stretch(low, high, sign))
    return _merged(found)


def _sign_in(node: Node, axis: str, low: float, high: float, inner: Node | None) -> int | None:
    bounds = enclose(node, {axis: (low, high)})
    if _sign_of(bounds) is None and inner is not None:
        bounds = _narrowed(bounds, node, axis, (low, high), inner)
    return _sign_of(bounds)


def _sign_of(bounds: Enclosure) -> int | None:
    low, high = bounds
    if low == high == 0:
        return 0
    return 1 if low > 0 else -1 if high < 0 else None


def _narrowed(bounds: Enclosure, node: Node, axis: str, ends: Enclosure, inner: Node) -> Enclosure:
    """Cut bounds by the mean-value form f(m) + f'(box)*(box - m)."""
    middle = (ends[0] + ends[1]) / 2
    at, steep = enclose(node, {axis: (middle, middle)}), enclose(inner, {axis: ends})
    if not all(map(math.isfinite, (*at, *steep))):
        return bounds
    spread = iv.mpf(list(at)) + iv.mpf(list(steep)) * (iv.mpf(list(ends)) - middle)
    return max(bounds[0], _below(spread.a)), min(bounds[1], _above(spread.b))


def _merged(found: Sequence[Stretch]) -> tuple[Stretch, ...]:
    alike = (list(group) for _, group in itertools.groupby(found, key=lambda each: each.sign))
    return tuple(Stretch(group[0].low, group[-1].high, group[0].sign) for group in alike)


def narrow(stretches: Sequence[Stretch]) -> bool:
    """Say whether all that is undecided lies in narrow places: the ends of what is proven."""
    size = stretches[-1].high - stretches[0].low
    return all(each.sign is not None or each.high - each.low <= _MERGED * size for each in stretches)


def pattern(stretches: Sequence[Stretch]) -> tuple[int, ...]:
    """Return the proven signs from left to right, each change once; zeros and undecided places left out."""
    proven = [each.sign for each in stretches if each.sign]
    return tuple(sign for sign, before in zip(proven, [0, *proven], strict=False) if sign != before)


def bounds_over(node: Node, axis: str, cuts: Sequence[float], budget: int = _BOXES) -> Enclosure:
    """Return proven bounds of a function over a range: the union of its enclosures over small boxes."""
    boxes = _evenly(cuts, budget)
    found = [enclose(node, {axis: ends}) for ends in itertools.pairwise(boxes)]
    return min(low for low, _ in found), max(high for _, high in found)


def _evenly(cuts: Sequence[float], budget: int) -> list[float]:
    """Cut every box into the same number of parts."""
    parts = max(1, budget // (len(cuts) - 1))
    inside = [low + (high - low) * part / parts for low, high in itertools.pairwise(cuts) for part in range(parts)]
    return [*inside, cuts[-1]]
