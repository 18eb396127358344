"""The one reading of a sympy expression as operator calls: what text, complexity, torch, numpy and exports all follow.

Sums and products are ordered by the text of their parts: the order of evaluation is the order of reading.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symloss.errors import FormulaError
from symloss.language.operators import OPERATORS


@dataclass(frozen=True)
class Call:
    """An operator applied to nodes."""

    operator: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Name:
    """A variable of the slot."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A number: an exact integer or fraction, or a double."""

    value: int | Fraction | float


Node = Call | Name | Constant

_INFIX = {"add": " + ", "sub": " - ", "mul": "*", "div": "/"}
_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_LEVEL = {"add": _SUM, "sub": _SUM, "neg": _SUM, "mul": _PRODUCT, "div": _PRODUCT, "square": _POWER, "pow": _POWER}


def read(expr: sympy.Expr) -> Node:
    """Read a settled expression.

    Raises:
        FormulaError: sympy made a function of it that no operator declares, or an exponent that is not a number.
    """
    if expr.is_Symbol:
        return Name(expr.name)
    if expr.is_Number:
        return Constant(_plain(expr))
    if expr.is_Add:
        return _read_sum(expr)
    if expr.is_Mul:
        return _read_product(expr)
    if expr.is_Pow:
        return _read_power(*expr.as_base_exp())
    operator = heads().get(expr.func)
    if operator is None:
        known = ", ".join(sorted(heads().values()))
        raise FormulaError(f"formula: it becomes '{expr.func}', which no operator declares. Known: {known}.")
    if expr.func in (sympy.Min, sympy.Max):
        return _chain(operator, _ordered(expr.args))
    return Call(operator, tuple(map(read, expr.args)))


def heads() -> dict[type[sympy.Basic], str]:
    """Return sympy class -> name of the operator that it stands for, the first one of the table."""
    return _heads(len(OPERATORS))


@functools.cache
def _heads(operators: int) -> dict[type[sympy.Basic], str]:
    # A package may add operators: the table only grows, so its length tells one state from another.
    return {record.head: record.name for record in reversed(OPERATORS.values()) if record.head is not None}


def complexity(node: Node) -> int:
    """Count operators (each at its cost), variables and constants, as a reader meets them."""
    if isinstance(node, Call):
        return OPERATORS[node.operator].cost + sum(complexity(argument) for argument in node.arguments)
    return 1


def depth(node: Node) -> int:
    """Return the longest chain of operators above a leaf."""
    return 1 + max(depth(argument) for argument in node.arguments) if isinstance(node, Call) else 0


def constants(node: Node) -> list[float]:
    """Return the numbers from left to right."""
    if isinstance(node, Call):
        return [value for argument in node.arguments for value in constants(argument)]
    return [float(node.value)] if isinstance(node, Constant) else []


def text(node: Node) -> str:
    """Print a node so that parsing gives it back, to the last bit of every constant."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Constant):
        return repr(node.value) if isinstance(node.value, float) else str(node.value)
    return _call_text(node)


def evaluate(node: Node, values: Mapping[str, Any]) -> Any:
    """Evaluate with numpy in float64; outside an operator's domain the value is NaN.

    Args:
        values: variable name -> number or array; they broadcast.
    """
    if isinstance(node, Name):
        return values[node.name]
    if isinstance(node, Constant):
        return float(node.value)
    with np.errstate(all="ignore"):
        return OPERATORS[node.operator].numpy(*(evaluate(argument, values) for argument in node.arguments))


def _call_text(call: Call) -> str:
    first, last, operator = call.arguments[0], call.arguments[-1], call.operator
    if operator == "neg":
        return "-" + _inside(first, _PRODUCT)
    if operator == "square":
        return _inside(first, _ATOM) + "**2"
    if operator == "pow":
        return f"{_inside(first, _ATOM)}**{_inside(last, _ATOM)}"
    if operator in _INFIX:
        level = _LEVEL[operator]
        return _inside(first, level) + _INFIX[operator] + _inside(last, level + (operator != "add"))
    return f"{operator}({', '.join(text(argument) for argument in call.arguments)})"


def _inside(node: Node, level: int) -> str:
    return text(node) if _level(node) >= level else f"({text(node)})"


def _level(node: Node) -> int:
    if isinstance(node, Constant):
        if node.value < 0:
            return _SUM
        return _PRODUCT if isinstance(node.value, Fraction) else _ATOM
    return _LEVEL.get(node.operator, _ATOM) if isinstance(node, Call) else _ATOM


def _plain(number: sympy.Number) -> int | Fraction | float:
    if number.is_Integer:
        return int(number)
    if number.is_Rational and number.q != 2:
        return Fraction(int(number.p), int(number.q))
    return float(number)  # halves read better, and just as exactly, as decimals: 2.5*p


def _chain(operator: str, nodes: Sequence[Node]) -> Node:
    if OPERATORS[operator].arity == 1:
        return Call(operator, tuple(nodes))
    chained = nodes[0]
    for node in nodes[1:]:
        chained = Call(operator, (chained, node))
    return chained


def _ordered(parts: Sequence[sympy.Expr]) -> list[Node]:
    return sorted((read(part) for part in parts), key=_reading_order)


def _reading_order(node: Node) -> tuple[bool, bool, bool, str]:
    return isinstance(node, Constant), _level(node) == _SUM, not isinstance(node, Name), text(node)


def _read_sum(expr: sympy.Expr) -> Node:
    signed = [_signed(term) for term in expr.args]
    gains = sorted((node for negative, node in signed if not negative), key=_reading_order)
    costs = sorted((node for negative, node in signed if negative), key=_reading_order)
    if not gains:
        gains, costs = [Call("neg", (costs[0],))], costs[1:]
    total = _chain("add", gains)
    for node in costs:
        total = Call("sub", (total, node))
    return total


def _signed(term: sympy.Expr) -> tuple[bool, Node]:
    coefficient, rest = term.as_coeff_Mul()
    if not coefficient.is_negative:
        return False, read(term)
    return True, Constant(_plain(-term)) if term.is_Number else _read_factors(-coefficient, sympy.Mul.make_args(rest))


def _read_product(expr: sympy.Expr) -> Node:
    coefficient, rest = expr.as_coeff_Mul()
    node = _read_factors(abs(coefficient), sympy.Mul.make_args(rest))
    return Call("neg", (node,)) if coefficient.is_negative else node


def _read_factors(coefficient: sympy.Number, factors: Sequence[sympy.Expr]) -> Node:
    below = [factor for factor in factors if _is_divisor(factor)]
    upper, lower = (
        _ordered([factor for factor in factors if not _is_divisor(factor)]),
        _ordered([1 / factor for factor in below]),
    )
    value = _plain(coefficient)
    over, under = (value, 1) if value != 0.5 and not isinstance(value, Fraction) else value.as_integer_ratio()
    if over != 1 or not upper:
        upper = [Constant(over), *upper]
    if under != 1:
        lower = [Constant(under), *lower]
    numerator = _chain("mul", upper)
    return Call("div", (numerator, _chain("mul", lower))) if lower else numerator


def _is_divisor(factor: sympy.Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_Number and factor.exp.is_negative)


def _read_power(base: sympy.Expr, exponent: sympy.Expr) -> Node:
    if not exponent.is_Number:
        raise FormulaError(f"formula: the exponent '{exponent}' is not a number. Write x**y as exp(y*log(x)).")
    if exponent.is_negative:
        return Call("div", (Constant(1), read(sympy.Pow(base, -exponent))))
    if exponent == 2:
        return Call("square", (read(base),))
    if exponent == sympy.Rational(1, 2):
        return Call("sqrt", (read(base),))
    return Call("pow", (read(base), Constant(_plain(exponent))))
