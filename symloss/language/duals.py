"""Operators on pairs of value and slope: forward differentiation in numpy, for looking at thousands of trees a second.

A slope of None stands for what does not depend on the model's output at all. Ties and edges are differentiated as torch
does it, so that a fingerprint is that of the gradient that trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symloss.language.operators import PROTECTION, logistic

Dual = tuple[Any, Any]  # value, and its slope along the model's output or None
Rule = Callable[..., Dual]


def _chain(value: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Rule:
    """Make a rule of one argument from its value f(x) and its derivative f'(x, f(x))."""

    def rule(a: Dual) -> Dual:
        x, dx = a
        y = value(x)
        return y, None if dx is None else dx * slope(x, y)

    return rule


def _sum(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _sub(a: Dual, b: Dual) -> Dual:
    return a[0] - b[0], _sum(a[1], None if b[1] is None else -b[1])


def _mul(a: Dual, b: Dual) -> Dual:
    left, right = None if a[1] is None else a[1] * b[0], None if b[1] is None else b[1] * a[0]
    return a[0] * b[0], _sum(left, right)


def _div(a: Dual, b: Dual) -> Dual:
    value = np.divide(a[0], b[0])
    left, right = None if a[1] is None else a[1] / b[0], None if b[1] is None else -b[1] * value / b[0]
    return value, _sum(left, right)


def _pow(a: Dual, c: Dual) -> Dual:
    (x, dx), exponent = a, c[0]
    value = np.power(x, exponent)
    return value, None if dx is None or exponent == 0 else dx * (exponent * np.power(x, exponent - 1))


def _favouring(value: Callable[[Any, Any], Any], prefers: Callable[[Any, Any], Any]) -> Rule:
    """Make the rule of min or max: the slope is the chosen argument's, at ties half of each."""

    def rule(a: Dual, b: Dual) -> Dual:
        if a[1] is None and b[1] is None:
            return value(a[0], b[0]), None
        share = np.where(a[0] == b[0], 0.5, prefers(a[0], b[0]))
        left = None if a[1] is None else np.where(share > 0, share * a[1], 0.0)
        right = None if b[1] is None else np.where(share < 1, (1 - share) * b[1], 0.0)
        return value(a[0], b[0]), _sum(left, right)

    return rule


def _aq(a: Dual, b: Dual) -> Dual:
    square = None if b[1] is None else 2 * b[0] * b[1]
    root = np.sqrt(1 + b[0] * b[0])
    return _div(a, (root, None if square is None else square / (2 * root)))


def _protected(a: Dual) -> Dual:
    x, dx = a
    size = np.abs(x)
    return np.maximum(size, PROTECTION), None if dx is None else np.where(size > PROTECTION, np.sign(x) * dx, 0.0)


def _after_protection(rule: Rule) -> Rule:
    return lambda a: rule(_protected(a))


_sqrt = _chain(np.sqrt, lambda x, y: 0.5 / y)
_log = _chain(np.log, lambda x, y: 1 / x)

DUALS: dict[str, Rule] = {
    "add": lambda a, b: (a[0] + b[0], _sum(a[1], b[1])),
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": lambda a: (-a[0], None if a[1] is None else -a[1]),
    "square": _chain(np.square, lambda x, y: 2 * x),
    "sqrt": _sqrt,
    "log": _log,
    "exp": _chain(np.exp, lambda x, y: y),
    "abs": _chain(np.abs, lambda x, y: np.sign(x)),
    "sign": lambda a: (np.sign(a[0]), None),
    "min": _favouring(np.minimum, lambda a, b: (a < b) * 1.0),
    "max": _favouring(np.maximum, lambda a, b: (a > b) * 1.0),
    "tanh": _chain(np.tanh, lambda x, y: 1 - y * y),
    "sigmoid": _chain(logistic, lambda x, y: y * (1 - y)),
    "softplus": _chain(lambda x: np.logaddexp(0.0, x), lambda x, y: logistic(x)),
    "sin": _chain(np.sin, lambda x, y: np.cos(x)),
    "cos": _chain(np.cos, lambda x, y: -np.sin(x)),
    "pow": _pow,
    "aq": _aq,
    "log_abs": _after_protection(_log),
    "sqrt_abs": _after_protection(_sqrt),
    "inv_abs": _after_protection(_chain(np.reciprocal, lambda x, y: -y * y)),
}
"""Name of an operator -> its rule. A formula with any other operator is looked at through torch, more slowly."""
