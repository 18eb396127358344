"""Guarded construction: constants are plain numbers, and nothing undefined or unbounded is made."""

import math

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import FormulaError
from symloss.language.algebra import apply, constant, product, settle, total

P = sympy.Symbol("p", positive=True)


@given(st.floats(-3.4e38, 3.4e38))
def test_constants_survive_to_the_last_bit(value: float) -> None:
    assert float(constant(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, -1e300, 10**40])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(FormulaError, match="float32's range"):
        constant(value)


def test_equal_numbers_are_one_number() -> None:
    assert constant(2.0) == constant(2)
    assert constant(0.5) == sympy.Rational(1, 2)


def test_number_parts_become_numbers() -> None:
    folded = settle(sympy.sqrt(2 * P) + sympy.log(3))
    assert folded.atoms(sympy.Pow) == {sympy.sqrt(P)}
    assert not folded.has(sympy.log)
    assert float(folded.subs(P, 1)) == pytest.approx(math.sqrt(2) + math.log(3), rel=1e-15)


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        ("div", [P, 0]),
        ("sqrt", [-1]),
        ("log", [-2]),
        ("log", [0]),
        ("div", [1, 0]),
        ("pow", [0, -1]),
        ("exp", [1000]),
        ("sqrt", [-P]),
    ],
)
def test_undefined_results_are_refused(operator: str, arguments: list[object]) -> None:
    with pytest.raises(FormulaError, match=r"undefined everywhere|float32's range"):
        apply(operator, [sympy.sympify(argument) for argument in arguments])


@pytest.mark.parametrize("exponent", [65, -65, 10**9])
def test_large_exponents_are_refused(exponent: int) -> None:
    with pytest.raises(FormulaError, match=r"too large\. Allowed: -64 to 64"):
        apply("pow", [P, constant(exponent)])


def test_exponents_are_numbers() -> None:
    with pytest.raises(FormulaError, match="an exponent must be a number"):
        apply("pow", [P, P])


def test_integers_stay_in_a_doubles_range() -> None:
    squared = apply("square", [apply("square", [apply("square", [constant(2**15)])])])
    assert squared == 2**120
    with pytest.raises(FormulaError, match="beyond float32's range"):
        apply("square", [squared])


@settings(max_examples=30)
@given(st.permutations([P, sympy.Float(0.1), sympy.Float(0.2), P**2, sympy.Integer(3)]))
def test_sums_and_products_do_not_depend_on_brackets(parts: list[sympy.Expr]) -> None:
    assert total(parts).free_symbols == product(parts).free_symbols == {P}
    assert float(total(parts).subs(P, 1)) == pytest.approx(5.3)


def test_rational_arithmetic_is_exact() -> None:
    assert apply("div", [constant(1), constant(3)]) == sympy.Rational(1, 3)
    assert apply("pow", [constant(3), constant(-2)]) == sympy.Rational(1, 9)
