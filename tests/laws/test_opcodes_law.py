"""Laws that every instruction of the kernel keeps: its number, its values and slopes at edges, as torch has them."""

import pytest
import torch

from symloss.judging import interpreter
from symloss.judging.kernel import CohortLoss
from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss
from symloss.language.operators import OPERATORS
from symloss.language.tape import OPCODES
from tests.agreement import TAPED, disagreement, edge_outputs

INF, NAN = float("inf"), float("nan")
TINY = 1.1754944e-38
EDGES = [
    0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1e-7,
    -1e-7,
    1e-30,
    TINY,
    1e-42,
    20.0,
    20.1,
    -20.0,
    87.0,
    88.8,
    -87.4,
    -103.0,
    -110.0,
]
FAR = [3.1415927, 1.5707964, 1e3, 12345.678, 1e6, 2e6, 1e9, 3e38, -1e5, INF, -INF, NAN]
POWERS = ["0.5", "0.7", "1.5", "2", "3", "4", "5", "7", "13", "0.3", "2.5", "17.25"]
TEXTS = {
    **{name: f"{name}(f)" for name in TAPED if OPERATORS[name].arity == 1},
    **{name: f"{name}(f, y)" for name in ("add", "sub", "mul", "div", "min", "max", "aq")},
    **{f"pow {c}": f"f**{c}" for c in POWERS},
    **{f"one over pow {c}": f"1/f**{c}" for c in POWERS},
}
ROUNDED = {"tanh(f)": 2.4e-7, "aq(f, y)": 1e-7}  # slopes that are differences: as exact as their terms
every_call = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


@pytest.mark.parametrize("name", OPCODES)
def test_interpreter_and_tape_mean_the_same_number(name: str) -> None:
    assert getattr(interpreter, name.upper()) == OPCODES[name]


def precision(text: str) -> float:
    """Return four units in the last place; torch rounds an exponent to float32 in whole vectors, and only there."""
    return 2e-6 if "**0." in text else 5e-7


def one_by_one(text: str, f: torch.Tensor, y: float) -> tuple[torch.Tensor, ...]:
    """Return values and slopes of kernel and torch, each number a member of its own."""
    formula = parse(text, "regression")
    own = f.clone().requires_grad_()
    expected = SymbolicLoss(formula, reduction="none")(own, torch.full_like(f, y))
    slopes = torch.autograd.grad(expected.sum(), own)[0] if expected.requires_grad else torch.zeros_like(f)
    cohort = CohortLoss([formula], "regression")
    assert cohort.tapes[0] is not None
    losses, gradients = cohort.values_and_gradients(f[:, None, None, None], torch.full((1, 1, 1), y))
    return losses[:, 0], gradients[:, 0, 0, 0], expected.detach(), slopes


@every_call
@pytest.mark.parametrize("y", [0.0, 1.0, -0.5])
def test_every_call_is_as_exact_as_torch_at_edges(text: str, y: float) -> None:
    """NaN and infinity are where torch has them."""
    values, slopes, expected, expected_slopes = one_by_one(text, torch.tensor(EDGES + FAR), y)
    torch.testing.assert_close(values, expected, rtol=precision(text), atol=1e-44, equal_nan=True)
    torch.testing.assert_close(
        slopes, expected_slopes, rtol=2 * precision(text), atol=ROUNDED.get(text, 1e-44), equal_nan=True
    )


@every_call
def test_every_call_is_as_exact_as_torch_on_a_grid(text: str) -> None:
    f = torch.cat([torch.linspace(-12, 12, 1999), torch.logspace(-20, 4, 500), -torch.logspace(-20, 4, 500)])
    values, slopes, expected, expected_slopes = one_by_one(text, f, 0.75)
    torch.testing.assert_close(values, expected, rtol=precision(text), atol=1e-44, equal_nan=True)
    torch.testing.assert_close(
        slopes, expected_slopes, rtol=2 * precision(text), atol=ROUNDED.get(text, 1e-44), equal_nan=True
    )


CLASSIFICATION = {
    **{name: f"t*{name}(p) - {name}(1 - p) + {name}(t)" for name in TAPED if OPERATORS[name].arity == 1},
    **{name: f"{name}(t, p) - {name}(p, 1 - t)*C" for name in ("add", "sub", "mul", "div", "min", "max", "aq")},
    **{f"pow {c}": f"t*(1 - p)**{c} - p**{c}" for c in POWERS},
}


@pytest.mark.parametrize("text", CLASSIFICATION.values(), ids=CLASSIFICATION.keys())
def test_every_operator_agrees_in_classification(text: str) -> None:
    assert disagreement(parse(text), *edge_outputs("classification")) == ""
