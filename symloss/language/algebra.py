"""Guarded construction of sympy expressions, for parser and trees: nothing undefined or unbounded is ever made.

Every constant is a plain number (an integer, a rational or a double), never an expression such as sqrt(2) or log(3).
"""

import math
from collections.abc import Sequence

import numpy as np
import sympy

from symloss.errors import FormulaError
from symloss.language.extent import check_extent
from symloss.language.extremes import rebuilt
from symloss.language.operators import OPERATORS, Operator

LARGEST = 3.4e38  # of a number inside a formula: float32's range, in which losses train
MAX_EXPONENT = 64
_EXACT = {"add", "sub", "mul", "div", "neg", "square", "abs", "sign", "min", "max"}
_ALLOWED = "Constants are finite, at most 3.4e38: losses train in float32."
_UNDEFINED = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I)


def constant(value: float) -> sympy.Number:
    """Return a number as sympy holds it: integers and halves exactly as rationals, any other double to its last bit.

    Raises:
        FormulaError: the value is NaN or infinite.
    """
    if isinstance(value, int):
        return _bounded(sympy.Integer(value))
    if not abs(value) <= LARGEST:
        raise FormulaError(f"formula: {value} is not a finite number in float32's range. {_ALLOWED}")
    if abs(value) < 2**20 and (2 * value).is_integer():
        return sympy.Rational(int(2 * value), 2)
    return sympy.Float(value)


def apply(operator: str, arguments: Sequence[sympy.Expr]) -> sympy.Expr:
    """Apply an operator to expressions and settle the result.

    Args:
        operator: a name in OPERATORS.
        arguments: as many as its arity; for `pow` the second is a number in [-64, 64].

    Raises:
        FormulaError: the result is undefined everywhere, as p/0, or beyond float32's range.
    """
    record = OPERATORS[operator]
    if record.exponent:
        _check_exponent(arguments[1])
    if all(argument.is_Number for argument in arguments):
        return _number(record, arguments)
    try:
        return settle(record.sympy(*arguments))
    except (ValueError, TypeError) as error:  # sympy's words for comparing what is complex
        raise FormulaError(f"formula: undefined everywhere: {operator} of a part that is no real number.") from error


def total(terms: Sequence[sympy.Expr]) -> sympy.Expr:
    """Add all terms at once, so that the result does not depend on how they are bracketed."""
    return settle(sympy.Add(*terms)) if len(terms) > 1 else terms[0]


def product(factors: Sequence[sympy.Expr]) -> sympy.Expr:
    """Multiply all factors at once, so that the result does not depend on how they are bracketed."""
    return settle(sympy.Mul(*factors)) if len(factors) > 1 else factors[0]


def settle(expr: sympy.Expr, limited: bool = True) -> sympy.Expr:
    """Replace number-valued parts by numbers, and refuse what is undefined everywhere.

    Args:
        limited: whether to refuse what is far too large for a formula, as a derivative may be.

    Raises:
        FormulaError: the expression holds NaN, an infinity, an imaginary part, a number beyond float32's range, or too
            many parts.
    """
    if limited:
        check_extent(expr)
    if expr.has(*_UNDEFINED):
        raise FormulaError(
            f"formula: undefined everywhere: a part of it becomes '{_first_undefined(expr)}'. "
            "Keep divisors away from 0 and roots and logarithms away from negative numbers."
        )
    if any(_unsettled(part) for part in sympy.preorder_traversal(expr)):
        return settle(_fold(expr), limited)
    return expr


def _unsettled(part: sympy.Basic) -> bool:
    if part.is_Float:
        return bool(constant(float(part)) != part)
    if part.is_Number:
        return bool(part != _bounded(part))
    return bool(part.is_number)


def _fold(expr: sympy.Expr) -> sympy.Expr:
    if expr.is_Number:
        return constant(_double(expr)) if expr.is_Float else _bounded(expr)
    if expr.is_NumberSymbol:
        return constant(float(expr))
    if not expr.args:
        return expr
    arguments = [_fold(argument) for argument in expr.args]
    if all(argument.is_Number for argument in arguments):
        return constant(_double(rebuilt(expr, arguments).evalf(17)))
    return rebuilt(expr, arguments)


def _number(operator: Operator, arguments: Sequence[sympy.Number]) -> sympy.Number:
    if _is_exact(operator, arguments):
        return _bounded(settle(operator.sympy(*arguments)))
    with np.errstate(all="ignore"):
        value = float(operator.numpy(*(_double(argument) for argument in arguments)))
    if not math.isfinite(value):
        words = ", ".join(str(argument) for argument in arguments)
        raise FormulaError(
            f"formula: undefined everywhere: {operator.name}({words}) is {value}. Use numbers inside its domain."
        )
    return constant(value)


def _is_exact(operator: Operator, arguments: Sequence[sympy.Number]) -> bool:
    if operator.name in ("pow", "div") and arguments[-1 if operator.name == "div" else 0].is_zero:
        return False
    whole_power = operator.name == "pow" and arguments[1].is_Integer
    return all(argument.is_Rational for argument in arguments) and (operator.name in _EXACT or whole_power)


def _bounded(number: sympy.Number) -> sympy.Number:
    if number.is_Rational and max(abs(int(number.p)), int(number.q)) > LARGEST:
        raise FormulaError(f"formula: a number is beyond float32's range. {_ALLOWED}")
    return number


def _double(number: sympy.Expr) -> float:
    try:
        value = float(number)
    except (OverflowError, TypeError) as error:
        raise FormulaError(f"formula: {str(number)[:40]} is no number in float32's range. {_ALLOWED}") from error
    if not abs(value) <= LARGEST:
        raise FormulaError(f"formula: {str(number)[:40]} is beyond float32's range. {_ALLOWED}")
    return value


def _check_exponent(exponent: sympy.Expr) -> None:
    if not exponent.is_Number:
        raise FormulaError("formula: an exponent must be a number. Write x**y as exp(y*log(x)).")
    if abs(exponent) > MAX_EXPONENT:
        raise FormulaError(
            f"formula: the exponent {str(exponent)[:40]} is too large. Allowed: -{MAX_EXPONENT} to {MAX_EXPONENT}."
        )


def _first_undefined(expr: sympy.Expr) -> str:
    words = {sympy.nan: "NaN", sympy.zoo: "1/0", sympy.oo: "infinity", -sympy.oo: "-infinity", sympy.I: "sqrt(-1)"}
    return next(words[part] for part in sympy.preorder_traversal(expr) if part in words)
