"""Enclosures hold whatever the formula says inside the box, and signs are told only where they are so."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.language.formula import parse
from symloss.language.operators import OPERATORS
from symloss.language.reading import Call, Constant, Name
from symloss.telling.analysis.evaluation import evaluate
from symloss.telling.analysis.intervals import (
    FACES,
    Stretch,
    bounds_over,
    enclose,
    evaluate_in,
    narrow,
    pattern,
    signs,
)

X = Name("x")
ENDS = st.floats(-30, 30, allow_subnormal=False)


def call(name):
    if OPERATORS[name].exponent:
        return Call(name, (X, Constant(0.7)))
    return Call(name, (X, Constant(0.3))[: OPERATORS[name].arity])


@pytest.mark.parametrize("name", FACES)
@settings(max_examples=60)
@given(ends=st.tuples(ENDS, ENDS), share=st.floats(0, 1))
def test_an_enclosure_holds_every_value_inside(name, ends, share):
    low, high = sorted(ends)
    inside = min(max(low + share * (high - low), low), high)
    value = float(evaluate(call(name), {"x": inside}))
    bottom, top = enclose(call(name), {"x": (low, high)})
    if math.isfinite(value):
        slack = 1e-12 * max(1.0, abs(value))  # numpy's own rounding
        assert bottom - slack <= value <= top + slack


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("x", [-2.5, -0.4, 0.3, 1.0, 7.0])
def test_a_face_at_a_point_is_the_operator(name, x):
    expected = float(evaluate(call(name), {"x": x}))
    if math.isfinite(expected):
        assert float(evaluate_in(mpmath.mp, call(name), {"x": mpmath.mpf(x)})) == pytest.approx(expected, rel=1e-12)


def test_every_operator_with_a_class_of_its_own_has_a_face():
    heads = {name for name, operator in OPERATORS.items() if operator.head is not None}
    assert heads <= FACES.keys()


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "1/x", "x**0.5", "exp(exp(x))"])
def test_what_is_undefined_in_a_part_of_a_box_is_bounded_by_nothing(text):
    low, high = enclose(parse(text, "activation").node, {"x": (-1.0, 20.0)})
    assert math.isinf(low) or math.isinf(high)


def test_signs_bracket_a_root():
    found = signs(parse("x**2 - 2", "activation").node, "x", (0.5, 1.0, 3.0))
    assert pattern(found) == (-1, 1)
    assert narrow(found)
    before, after = found[0].high, found[-1].low
    assert before <= math.sqrt(2) <= after
    assert after - before < 1e-6


def test_a_function_that_touches_zero_is_not_told_positive():
    found = signs(parse("(x - 1)**2", "activation").node, "x", (0.0, 3.0))
    assert all(each.sign == 1 or each.low <= 1 <= each.high for each in found)
    assert any(each.sign is None for each in found)


def test_zero_is_told_zero():
    assert signs(Constant(0), "x", (0.0, 1.0)) == (Stretch(0.0, 1.0, 0),)


def test_a_spent_budget_decides_nothing_more():
    found = signs(parse("sin(40*x)", "activation").node, "x", (0.0, 10.0), budget=20)
    assert not narrow(found)
    assert (found[0].low, found[-1].high) == (0.0, 10.0)


@given(st.floats(0.1, 3.0), st.floats(-2.0, 2.0))
@settings(max_examples=25)
def test_proven_signs_are_those_of_the_values(a, b):
    node = parse(f"exp({a!r}*x) - x**2 + {b!r}*x", "activation").node
    for each in signs(node, "x", (-2.0, 0.0, 2.0)):
        if each.sign is not None:
            assert (np.sign(evaluate(node, {"x": np.linspace(each.low, each.high, 50)})) == each.sign).all()


def test_bounds_over_a_range_hold_on_a_grid():
    node = parse("sin(3*x)*exp(-x)", "activation").node
    low, high = bounds_over(node, "x", (0.0, 1.0, 2.0))
    values = evaluate(node, {"x": np.linspace(0, 2, 999)})
    assert low <= values.min()
    assert high >= values.max()
    assert high - low < 1.6 * np.ptp(values)
