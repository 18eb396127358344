"""Formulas and their derivatives in numbers, with numpy in float64: what every other file of the analysis stands on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symloss.errors import FormulaError
from symloss.language import reading
from symloss.language.algebra import settle
from symloss.language.extremes import replaced
from symloss.language.formula import Formula
from symloss.language.operators import OPERATORS
from symloss.language.reading import Node, read
from symloss.language.slots import SLOTS

Array = NDArray[np.float64]

CLASSES = 10  # where no task says how many


def evaluate(node: Node, values: Mapping[str, float | Array]) -> Array:
    """Evaluate a formula's node in float64.

    Args:
        node: e.g. `formula.node`.
        values: variable name -> number or array; arrays broadcast.

    Returns:
        The values; NaN and infinities where the formula is undefined.
    """
    with np.errstate(all="ignore"):
        return np.asarray(reading.evaluate(node, _doubles(values)), dtype=np.float64)


def evaluate_expression(expr: sympy.Expr, values: Mapping[str, float | Array]) -> Array:
    """Evaluate a sympy expression in float64, also one whose exponents are parameters, which no formula may hold.

    Args:
        expr: over the symbols that `values` names, in functions that OPERATORS declare.
        values: name -> number or array; arrays broadcast.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_walk(expr, _doubles(values)), dtype=np.float64)


def _doubles(values: Mapping[str, float | Array]) -> dict[str, Array]:
    return {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}


def _walk(expr: sympy.Expr, values: Mapping[str, Array]) -> Any:
    if expr.is_Symbol:
        return values[expr.name]
    if expr.is_number:
        return np.float64(expr)
    arguments = [_walk(argument, values) for argument in expr.args]
    if expr.is_Add:
        return sum(arguments)
    if expr.is_Mul:
        return functools.reduce(np.multiply, arguments)
    if expr.is_Pow:
        return np.power(*arguments)
    if expr.func not in reading.heads():
        raise FormulaError(f"formula: a derivative becomes '{expr.func}', which no operator declares.")
    operator = OPERATORS[reading.heads()[expr.func]]
    return operator.numpy(*arguments) if operator.arity == 1 else functools.reduce(operator.numpy, arguments)


def derivative(expr: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """Differentiate; at a kink (of abs, min, max) it is the mean of both sides, and a jump (of sign) has slope 0.

    So torch does it.
    """
    without_jumps = expr.diff(symbol).replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    return without_jumps.replace(sympy.Heaviside, lambda a, *_: (1 + sympy.sign(a)) / 2)


@functools.lru_cache(maxsize=256)
def slope(formula: Formula, variable: str) -> Node:
    """Return the derivative in one variable, ready to evaluate.

    Raises:
        FormulaError: the derivative has no reading in the engine's operators.
    """
    return read(settle(derivative(formula.expr, SLOTS[formula.slot].symbols()[variable]), limited=False))


def slope_in_p(formula: Formula, classes: int, t: float, p: Array) -> Array:
    """Return the slope of one class's term in its probability."""
    return np.broadcast_to(evaluate(slope(formula, "p"), {"t": t, "p": p, "C": float(classes)}), p.shape)


def fixed(expr: sympy.Expr, values: Mapping[str, sympy.Expr | float]) -> sympy.Expr:
    """Put expressions or numbers in the place of variables, and settle the result.

    Args:
        values: name of a variable -> what stands there.

    Raises:
        FormulaError: nothing defined is left, as of t*log(t) at t = 0.
    """
    return settle(replaced(expr, lambda leaf: _at(leaf, values)), limited=False)


def _at(leaf: sympy.Expr, values: Mapping[str, sympy.Expr | float]) -> sympy.Expr:
    if not leaf.is_Symbol or leaf.name not in values:
        return leaf
    value = values[leaf.name]
    if isinstance(value, sympy.Expr):
        return value
    return sympy.Integer(int(value)) if float(value).is_integer() else sympy.Float(value)


def filled(values: Any, like: Array) -> Array:
    """Return values in the shape of an array: a formula that lacks a variable gives one number for all of it."""
    return np.broadcast_to(np.asarray(values, dtype=np.float64), like.shape)


def probabilities(points: int, low: float = 0.01, high: float = 0.99) -> Array:
    """Return probabilities from low to high, evenly spaced in their logits: as dense near 0 as near 1."""
    logits = np.linspace(np.log(low / (1 - low)), np.log(high / (1 - high)), points)
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)
