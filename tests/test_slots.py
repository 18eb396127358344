"""What each slot alone promises."""

import numpy as np
import pytest
import sympy
import torch

from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss, compile_loss
from symloss.language.probing import Prober, prefix
from symloss.language.slots import SLOTS, Response
from symloss.language.zoo import zoo

CLASSIFICATION, REGRESSION, ACTIVATION = (SLOTS[name] for name in ("classification", "regression", "activation"))


def responded(slot: str, text: str, width: int = 10) -> Response:
    formula = parse(text, slot)
    return Prober(slot, width).respond(list(prefix(formula.node)), formula.text)


def free_test(slot: str, text: str, width: int = 10) -> str:
    response = responded(slot, text, width)
    return next(filter(None, (test.check(response, width) for test in SLOTS[slot].tests)), "")


def trace(text: str) -> np.ndarray:
    return CLASSIFICATION.probes(10).trace(responded("classification", text))


def test_a_loss_that_lowers_the_true_class_is_caught() -> None:
    assert "does not raise the true class" in free_test("classification", "t*log(p)")


def test_a_loss_that_ignores_the_label_is_caught() -> None:
    assert "does not raise the true class" in free_test("classification", "p*log(p)")


def test_a_regression_loss_that_pushes_away_is_caught() -> None:
    assert "above" in free_test("regression", "max(0 - r, 0)")
    assert "below" in free_test("regression", "-r**2")


def test_a_straight_activation_is_caught() -> None:
    assert "straight line" in free_test("activation", "2*x + 1")


def test_fingerprint_sees_through_added_constants_and_terms_without_p() -> None:
    one, other = map(trace, ("-t*log(p)", "3 - t*log(p) + t**2"))
    assert np.allclose(one, other, rtol=1e-12)


def test_fingerprint_sees_that_labels_are_zero_or_one() -> None:
    one, other = map(trace, ("(p - t)**2", "p*(p - 2*t)"))
    assert np.allclose(one, other, rtol=1e-9, atol=1e-12)


def test_fingerprint_keeps_factors_apart() -> None:
    one, other = map(trace, ("-t*log(p)", "-2*t*log(p)"))
    assert not np.allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize("text", ["(f - y)**2", "(y - f)**2", "f*f - 2*f*y + y*y", "r**2", "r*(f - y)"])
def test_regression_writes_residuals(text: str) -> None:
    expected = "r**2" if text != "f*f - 2*f*y + y*y" else parse(text, "regression").text
    assert parse(text, "regression").text == expected


def test_regression_keeps_what_is_no_residual() -> None:
    assert parse("r*y", "regression").variables == {"f", "y"}


def test_lacks_counts_stand_ins() -> None:
    assert REGRESSION.lacks({"r"}) == ()
    assert REGRESSION.lacks({"f"}) == ("y",)
    assert CLASSIFICATION.lacks({"p", "C"}) == ("t",)


def test_symbols_carry_their_range() -> None:
    symbols = CLASSIFICATION.symbols()
    assert symbols["p"].is_positive
    assert symbols["t"].is_nonnegative
    assert symbols["C"].is_integer
    assert sympy.sqrt(symbols["p"] ** 2) == symbols["p"]


def test_activation_runs_inside_the_model() -> None:
    function = compile_loss(zoo["relu"])
    x = torch.randn(4, 3)
    assert torch.equal(ACTIVATION.forward(function, lambda x, nonlinearity: nonlinearity(x), x), x.relu())
    assert torch.equal(SymbolicLoss(zoo["relu"])(x), x.relu())


def test_activation_trains_with_cross_entropy() -> None:
    logits, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    expected = torch.nn.functional.cross_entropy(logits, target)
    assert torch.allclose(ACTIVATION.objective(compile_loss(zoo["relu"]), logits, target), expected)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("mse", torch.nn.functional.mse_loss),
        ("l1", torch.nn.functional.l1_loss),
        ("huber", torch.nn.functional.huber_loss),
        ("log_cosh", lambda f, y: (f - y).cosh().log().mean()),
    ],
)
def test_regression_losses_equal_torch(name: str, reference: object) -> None:
    f, y = torch.randn(50, dtype=torch.float64) * 3, torch.randn(50, dtype=torch.float64)
    assert torch.allclose(SymbolicLoss(zoo[name])(f, y), reference(f, y), rtol=1e-9)  # type: ignore[operator]


def test_regression_refuses_silent_broadcasting() -> None:
    with pytest.raises(ValueError, match=r"got shape \(5,\) for predictions of shape \(5, 1\)"):
        SymbolicLoss(zoo["mse"])(torch.zeros(5, 1), torch.zeros(5))
