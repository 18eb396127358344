"""Laws that every operator of the table keeps."""

import numpy as np
import pytest
import sympy

from symloss.language.operators import OPERATORS, Operator, probe, torch_function

GRID = np.array([-2.7, -1.3, -0.4, 0.0, 0.3, 0.9, 1.7, 2.6])
every_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=lambda operator: operator.name)


def arguments(operator: Operator) -> list[object]:
    other = 0.7 if operator.exponent else np.array([[-1.6], [0.0], [2.2]])
    return [GRID, other][: operator.arity]


@every_operator
def test_key_is_name(operator: Operator) -> None:
    assert OPERATORS[operator.name] is operator


@every_operator
def test_numpy_gives_nan_exactly_outside_domain(operator: Operator) -> None:
    with np.errstate(all="ignore"):
        values = operator.numpy(*arguments(operator))
    assert np.array_equal(~np.isnan(values), np.broadcast_to(operator.domain(*arguments(operator)), values.shape))


@every_operator
def test_sympy_means_the_same_as_numpy(operator: Operator) -> None:
    for a, b in ((0.3, 0.8), (1.7, 2.2), (0.9, 0.25)):
        point = [a, 0.7 if operator.exponent else b][: operator.arity]
        exact = operator.sympy(*(sympy.Float(x) for x in point))
        assert float(exact) == pytest.approx(float(operator.numpy(*point)), rel=1e-12)


@every_operator
def test_torch_passes_its_probe(operator: Operator) -> None:
    if operator.torch is None:
        pytest.skip("spelled out in other operators")
    torch_function(operator)


def test_probe_refuses_a_wrong_gradient() -> None:
    with pytest.raises(AssertionError, match="gradient"):
        probe(OPERATORS["square"], lambda a: a.detach() * a)


def test_probe_refuses_a_protected_logarithm() -> None:
    with pytest.raises(AssertionError, match="NaN not exactly outside"):
        probe(OPERATORS["log"], lambda a: a.abs().log())


def test_probe_refuses_a_changed_dtype() -> None:
    with pytest.raises(AssertionError, match="float32"):
        probe(OPERATORS["square"], lambda a: a.double() * a.double())
