"""Laws that every operator of the table keeps."""

from typing import Any

import numpy as np
import pytest
import sympy
import torch

from symloss.language.operators import OPERATORS, Operator, probe, torch_function
from symloss.language.reading import heads

GRID = np.array([-2.7, -1.3, -0.4, 0.0, 0.3, 0.9, 1.7, 2.6])
every_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=lambda operator: operator.name)


def arguments(operator: Operator) -> list[object]:
    other = 0.7 if operator.exponent else np.array([[-1.6], [0.0], [2.2]])
    return [GRID, other][: operator.arity]


def everywhere(a: object) -> object:
    return np.ones(np.shape(a), dtype=bool)


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
    with pytest.raises(ValueError, match="gradient"):
        probe(OPERATORS["square"], lambda a: a.detach() * a)


def test_probe_refuses_a_protected_logarithm() -> None:
    with pytest.raises(ValueError, match="NaN not exactly outside"):
        probe(OPERATORS["log"], lambda a: a.abs().log())


def test_probe_refuses_a_changed_dtype() -> None:
    with pytest.raises(ValueError, match="float32"):
        probe(OPERATORS["square"], lambda a: a.double() * a.double())


def test_probe_refuses_a_wrong_gradient_of_the_second_argument() -> None:
    with pytest.raises(ValueError, match="gradient in b"):
        probe(OPERATORS["mul"], lambda a, b: a * b.detach() + 0 * b)


def test_probe_refuses_a_quotient_that_is_finite_at_zero() -> None:
    with pytest.raises(ValueError, match="NaN not exactly outside"):
        probe(OPERATORS["div"], lambda a, b: a / torch.where(b == 0, 1.0, b))


def test_probe_tries_several_exponents() -> None:
    with pytest.raises(ValueError, match=r"torch and numpy differ|NaN not exactly"):
        probe(OPERATORS["pow"], lambda a, c: a.abs() ** c if c == -1 else a**c)


@pytest.mark.parametrize(
    ("faces", "fault"),
    [
        ((3, sympy.sin, np.sin), "arity 3"),
        ((1, lambda a: None, np.sin), "no expression"),
        ((1, sympy.sin, np.cos), "the same function"),
        ((1, sympy.log, np.log), "NaN exactly outside"),
        ((1, sympy.Function("mine", real=True), np.sin), "."),
    ],
)
def test_a_record_whose_faces_do_not_fit_is_refused_when_made(faces: tuple[Any, ...], fault: str) -> None:
    with pytest.raises((ValueError, TypeError), match=fault):
        Operator("mine", *faces, None, everywhere, "about")


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_the_plain_form_is_the_same_function(name: str) -> None:
    plain = OPERATORS[name].plain
    assert plain is not None
    for value in (-1.3, 0.4):
        assert float(plain(sympy.Float(value))) == pytest.approx(float(OPERATORS[name].numpy(value)))


@every_operator
def test_an_operator_with_a_head_is_read_back_as_itself(operator: Operator) -> None:
    if operator.head is not None:
        assert heads()[operator.head] == operator.name
