"""How a function behaves at the ends of its range: the limit it goes to, or how fast it grows beyond all bounds.

Numbers of hundreds of digits come as near to an end as 1e-256, where powers, logarithms and constants part clearly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

from symloss.errors import FormulaError
from symloss.language.reading import Node
from symloss.telling.analysis.intervals import evaluate_in

_STEPS = (16, 32, 64, 128, 256)  # distances 10^-k to an end, or 10^k towards infinity
_DIGITS = 1100  # room for what cancels in the cube of the smallest distance
_AGREES = 1e-12  # two last values that differ by less, relatively, are a limit
_STEADY = 2e-3  # how much a growth's exponents may still move over the last doubling
_FLAT = 0.02  # smaller exponents are no growth
_NOTHING = 1e-13  # of a function's usual size: what is smaller at an end is rounding

_NO_VALUE = (ArithmeticError, ValueError, TypeError, FormulaError)


@dataclass(frozen=True)
class Behaviour:
    """What a function does towards an end of its range.

    Args:
        limit: the number that it goes to; an infinity with its sign; NaN where none was found.
        power: e where it goes like d**e, with d the distance to the end (or the size, towards infinity); 0 for a limit
            that is not 0, and for a logarithm alone; NaN where no power fits.
        logs: m where a factor log(d)**m comes with it; 0 for none.
    """

    limit: float
    power: float
    logs: float = 0.0

    @property
    def bounded(self) -> bool:
        """Whether a finite limit was found."""
        return math.isfinite(self.limit)

    def words(self, distance: str) -> str:
        """Say it, with a name for the distance to the end, e.g. `p` or `(1 - p)`.

        Example:
            >>> Behaviour(math.inf, -1.0).words("p")
            'infinity like 1/p'
        """
        if math.isnan(self.limit):
            return "no limit"
        end = f"{self.limit:.4g}".replace("inf", "infinity")
        law = self.law(distance)
        return f"{end} like {law}" if law else end

    def law(self, distance: str) -> str:
        """Return how fast, as `1/p` or `p*log(p)`; "" for a plain limit and where no law was found."""
        if math.isnan(self.power):
            return ""
        factors = (_raised(distance, self.power), _raised(f"log({distance.strip('()')})", self.logs))
        above = "*".join(text for text, exponent in factors if exponent > 0)
        below = "*".join(text for text, exponent in factors if exponent < 0)
        return f"{above or 1}/{below}" if below else above


def _raised(text: str, exponent: float) -> tuple[str, float]:
    size = abs(exponent)
    return text if size == 1 else f"{text}^{size:.3g}", exponent


_NONE = Behaviour(math.nan, math.nan)


def behaviour(node: Node, axis: str, end: float, side: int = 1, scale: float = 0.0) -> Behaviour:
    """Find how a function of one variable behaves towards an end.

    Args:
        node: over the variable `axis` alone.
        end: a number, or an infinity.
        side: 1 to come from above, -1 from below; of no matter for infinities.
        scale: the function's usual size, against which a limit may be what rounded constants left of 0.
    """
    with mpmath.workdps(_DIGITS):
        try:
            values = [_value(node, axis, _near(end, side, step)) for step in _STEPS]
        except _NO_VALUE:
            return _beyond(node, axis, end, side)
        return _told(values, 1 if math.isinf(end) else -1, scale)


def _near(end: float, side: int, step: int) -> Any:
    if math.isinf(end):
        return mpmath.sign(end) * mpmath.mpf(10) ** step
    return mpmath.mpf(end) + side * mpmath.mpf(10) ** -step


def _value(node: Node, axis: str, x: Any) -> Any:
    value = evaluate_in(mpmath.mp, node, {axis: x})
    if not isinstance(value, mpmath.mpf) or mpmath.isnan(value):
        raise ValueError("not a real number")
    return value


def _beyond(node: Node, axis: str, end: float, side: int) -> Behaviour:
    """Return what grows too fast for the last steps, by its sign at the last ones that can be computed."""
    sizes: list[Any] = []
    for step in (1, 2, 3, 4):
        try:
            sizes.append(_value(node, axis, _near(end, side, step)))
        except _NO_VALUE:
            break
    if len(sizes) > 1 and abs(sizes[-1]) > abs(sizes[-2]) ** 2 > 1:
        return Behaviour(_endless(sizes[-1]), math.nan)
    return _NONE


def _endless(value: Any) -> float:
    return math.inf if value > 0 else -math.inf


def _told(values: list[Any], direction: int, scale: float) -> Behaviour:
    before, last = values[-2:]
    if mpmath.isinf(last) or last == 0:
        return Behaviour(float(last), math.nan)
    if abs(last - before) <= _AGREES * abs(last):
        return Behaviour(0.0, math.nan) if abs(last) <= _NOTHING * scale else Behaviour(float(last), 0.0)
    if any(value == 0 or mpmath.sign(value) != mpmath.sign(last) for value in values[-3:]):
        return _NONE
    sizes = [_digits(value) for value in values]
    return _grown(_fitted(sizes[:-1], _STEPS[:-1]), _fitted(sizes, _STEPS), direction, last)


def _digits(value: Any) -> Any:
    """Return log10 of a number's size, at the precision of doubles twice over: all that exponents need."""
    with mpmath.workdps(32):
        return mpmath.log(abs(value), 10)


def _fitted(sizes: Sequence[Any], steps: Sequence[int]) -> tuple[float, float]:
    """Solve size(k) = e*k + m*log10(k) + constant through the last three sizes, whose k double."""
    gap = steps[-2] - steps[-3]
    first, second = sizes[-2] - sizes[-3], sizes[-1] - sizes[-2]
    e = (second - first) / gap
    return float(e), float((first - e * gap) / mpmath.log(2, 10))


def _grown(earlier: tuple[float, float], found: tuple[float, float], direction: int, last: Any) -> Behaviour:
    """Turn the exponents of the distance and of its logarithm into a behaviour; they are told where they hold still."""
    e, m = found
    if abs(e) < _FLAT and abs(m) < _FLAT:
        return Behaviour(float(last), 0.0)
    limit = _endless(last) if (e if abs(e) >= _FLAT else m) > 0 else 0.0
    moved = abs(e - earlier[0]) > _STEADY * max(abs(e), 0.05) or abs(m - earlier[1]) > 0.02 * max(abs(m), 1.0)
    return Behaviour(limit, math.nan) if moved else Behaviour(limit, direction * _snapped(e) + 0.0, _snapped(m) + 0.0)


def _snapped(exponent: float) -> float:
    """Return the nearest half where it is near, so that a logarithm's slow approach does not blur a plain power."""
    half = round(2 * exponent) / 2
    return half if abs(exponent - half) < _FLAT else round(exponent, 4)
