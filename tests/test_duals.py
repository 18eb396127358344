"""Operators on pairs of value and slope: the numpy face's value, torch's derivative, None for what does not move."""

import numpy as np
import pytest
import torch

from symloss.language.duals import DUALS
from symloss.language.formula import parse
from symloss.language.loss import compile_loss
from symloss.language.operators import OPERATORS

A = np.array([-2.3, -1.1, -0.4, -1e-8, 0.0, 3e-8, 0.3, 0.9, 1.7, 2.6])
B = np.array([0.7, -1.1, 0.2, 1e-8, 0.0, 2.0, 0.3, -0.9, 1.2, -2.6])


def test_every_operator_has_a_rule() -> None:
    assert DUALS.keys() == OPERATORS.keys()


@pytest.mark.parametrize("name", DUALS)
def test_a_rule_gives_torchs_value_and_derivative(name: str) -> None:
    operator = OPERATORS[name]
    second = "0.7" if operator.exponent else "y"
    formula = parse(f"{name}(f{', ' + second if operator.arity == 2 else ''})", "regression")
    f, y = (torch.tensor(part, requires_grad=True) for part in (A, B))
    value = compile_loss(formula)(f=f, y=y, r=f - y)
    slopes = torch.autograd.grad(value.sum(), (f, y), allow_unused=True, materialize_grads=True)
    expected = (slopes[0] * 0.5 + slopes[1] * -2.0).numpy()
    arguments = [(A, np.full(10, 0.5)), (np.float64(0.7), None) if operator.exponent else (B, np.full(10, -2.0))]
    with np.errstate(all="ignore"):
        got, slope = DUALS[name](*arguments[: operator.arity])
    assert np.allclose(got, value.detach().numpy(), equal_nan=True)
    slope = np.zeros(10) if slope is None else slope
    sound = np.isfinite(expected) & np.isfinite(slope)
    assert sound.sum() >= 4
    assert np.allclose(slope[sound], expected[sound])


@pytest.mark.parametrize("name", DUALS)
def test_what_does_not_move_has_no_slope(name: str) -> None:
    operator = OPERATORS[name]
    with np.errstate(all="ignore"):
        assert DUALS[name](*[(np.float64(0.3), None)] * operator.arity)[1] is None


def test_ties_share_the_slope() -> None:
    x = (np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    still = (np.array([1.0, 1.0]), None)
    assert DUALS["max"](x, still)[1].tolist() == [0.5, 1.0]
    assert DUALS["min"](still, x)[1].tolist() == [0.5, 0.0]
