"""Limits and growth at the ends of a range, against what calculus says."""

import math

import pytest

from symloss.language.formula import parse
from symloss.telling.analysis.limits import Behaviour, behaviour

AT_ZERO = {
    "log(x)": (-math.inf, 0.0, 1.0),
    "1/x": (math.inf, -1.0, 0.0),
    "-1/sqrt(x)": (-math.inf, -0.5, 0.0),
    "x**2": (0.0, 2.0, 0.0),
    "x*log(x)": (0.0, 1.0, 1.0),
    "log(x)**2": (math.inf, 0.0, 2.0),
    "1/log(x)": (0.0, 0.0, -1.0),
    "x**0.0317": (0.0, 0.0317, 0.0),
    "cos(x) + 2": (3.0, 0.0, 0.0),
    "(exp(x) - 1 - x)/x**2": (0.5, 0.0, 0.0),
}


@pytest.mark.parametrize("text", AT_ZERO)
def test_behaviour_at_zero(text):
    found = behaviour(parse(text, "activation").node, "x", 0.0, 1)
    limit, power, logs = AT_ZERO[text]
    assert found.limit == pytest.approx(limit)
    assert (found.power, found.logs) == pytest.approx((power, logs))


@pytest.mark.parametrize(
    ("text", "below", "above"),
    [
        ("tanh(x)", -1.0, 1.0),
        ("max(x, 0)", 0.0, math.inf),
        ("x*sigmoid(x)", 0.0, math.inf),
        ("softplus(x)", 0.0, math.inf),
        ("exp(x)", 0.0, math.inf),
        ("x**3", -math.inf, math.inf),
        ("x/sqrt(1 + x**2)", -1.0, 1.0),
    ],
)
def test_behaviour_far_out(text, below, above):
    node = parse(text, "activation").node
    assert behaviour(node, "x", -math.inf).limit == pytest.approx(below)
    assert behaviour(node, "x", math.inf).limit == pytest.approx(above)


@pytest.mark.parametrize("text", ["exp(1/x)", "exp(exp(1/x))"])
def test_what_grows_faster_than_any_power_ends_in_time(text):
    found = behaviour(parse(text, "activation").node, "x", 0.0, 1)
    assert found.limit == math.inf
    assert math.isnan(found.power)


@pytest.mark.parametrize("text", ["sin(1/x)", "sqrt(-x)", "sin(x)/x**2 + sin(1/x**3)"])
def test_no_limit_is_told_where_there_is_none(text):
    found = behaviour(parse(text, "activation").node, "x", 0.0, 1)
    assert not (found.bounded and found.limit != 0)


def test_what_rounding_leaves_is_zero():
    node = parse("x + 1e-17", "activation").node
    assert behaviour(node, "x", 0.0, 1, scale=1.0).limit == 0


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Behaviour(math.inf, -1.0), "infinity like 1/p"),
        (Behaviour(0.0, 0.7), "0 like p^0.7"),
        (Behaviour(-math.inf, 0.0, 1.0), "-infinity like log(p)"),
        (Behaviour(0.0, 1.0, 1.0), "0 like p*log(p)"),
        (Behaviour(math.inf, -2.0, 1.0), "infinity like log(p)/p^2"),
        (Behaviour(0.0, 0.0, -1.0), "0 like 1/log(p)"),
        (Behaviour(1.43, 0.0), "1.43"),
        (Behaviour(math.nan, math.nan), "no limit"),
    ],
)
def test_behaviour_in_words(found, words):
    assert found.words("p") == words
