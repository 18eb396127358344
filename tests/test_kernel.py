"""A cohort's losses in one call: as torch has them, the same in any company, and each candidate's trouble its own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from symloss.judging import compiling, interpreter
from symloss.judging.kernel import CohortLoss
from symloss.language.formula import Formula, parse
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from tests.agreement import disagreement, edge_outputs, random_formulas, walked
from tests.strategies import formulas

TEXTS = (
    "-t*log(p)",
    "-(1 - p)**2*t*log(p)",
    "t*(1 - p**0.7)/0.7",
    "cos(cos(sin(p))) - exp(p*(1 + t))",
    "max(t - p, 0)",
)
FORMULAS = [parse(text) for text in TEXTS]
LINKED = [name for name, slot in SLOTS.items() if slot.output_link is not None]


def batch(candidates: int, rates: int = 3, classes: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(candidates)
    output = 3 * torch.randn(2, candidates * rates, 33, classes, generator=draws)
    return output, torch.randint(0, classes, (2, 1, 33), generator=draws)


def both(formulas: list[Formula], output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    each = output.shape[1] // len(formulas)
    return CohortLoss(formulas, formulas[0].slot, [each] * len(formulas)).values_and_gradients(output, target)


@pytest.mark.parametrize("slot", LINKED)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_formula_agrees_with_torch(slot: str, data: st.DataObject) -> None:
    assert disagreement(data.draw(formulas(slot)), *edge_outputs(slot)) == ""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("slot", LINKED)
def test_random_formulas_agree_with_torch(slot: str) -> None:
    """Tries SYMLOSS_FORMULAS of them; 10,000 take about ten minutes a slot."""
    output, target = edge_outputs(slot)
    tried = random_formulas(slot, int(os.environ.get("SYMLOSS_FORMULAS", "100")), seed=len(slot))
    assert [fault for formula in tried if (fault := disagreement(formula, output, target))] == []


def test_the_rule_catches_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = CohortLoss.values_and_gradients

    def slightly_wrong(*arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        losses, gradients = kernel(*arguments)  # type: ignore[arg-type]
        return losses, gradients * (1 + 3e-5)

    monkeypatch.setattr(CohortLoss, "values_and_gradients", slightly_wrong)
    assert all("gradients" in disagreement(formula, *edge_outputs("classification")) for formula in FORMULAS)


@pytest.mark.parametrize("name", [name for name, loss in ZOO.items() if loss.slot in LINKED])
def test_published_losses_agree_with_torch(name: str) -> None:
    assert disagreement(zoo[name], *edge_outputs(zoo[name].slot)) == ""


@pytest.mark.parametrize("rates", [1, 3])
@pytest.mark.parametrize("classes", [2, 10, 17, 130])
def test_candidates_are_the_same_to_the_bit_alone_and_in_company(rates: int, classes: int) -> None:
    output, target = batch(len(FORMULAS), rates, classes)
    losses, gradients = both(FORMULAS, output, target)
    for i, formula in enumerate(FORMULAS):
        columns = slice(i * rates, (i + 1) * rates)
        alone = both([formula], output[:, columns], target)
        assert torch.equal(alone[0], losses[:, columns])
        assert torch.equal(alone[1], gradients[:, columns])


def test_columns_leave_one_by_one_and_change_no_bit() -> None:
    walked_too = [*FORMULAS[:2], lambda t, p, **rest: t * p, *FORMULAS[2:]]
    output, target = batch(len(walked_too))
    cohort = CohortLoss(walked_too, "classification", [3] * len(walked_too))
    losses, gradients = cohort.values_and_gradients(output, target)
    cohort.keep([2, 0, 1, 3, 0, 1])
    columns = [0, 2, 7, 9, 10, 11, 17]
    again = cohort.values_and_gradients(output[:, columns], target)
    assert len(cohort) == 4
    assert torch.equal(again[0], losses[:, columns])
    assert torch.equal(again[1], gradients[:, columns])
    cohort.keep([0, 0, 2, 1])
    again = cohort.values_and_gradients(output[:, [9, 11, 17]], target)
    assert torch.equal(again[1], gradients[:, [9, 11, 17]])


def test_columns_that_do_not_add_up_are_refused() -> None:
    output, target = batch(len(FORMULAS))
    with pytest.raises(AssertionError, match="no bounds"):
        CohortLoss(FORMULAS, "classification", [3, 3, 3, 3, 2]).values_and_gradients(output, target)


def test_an_empty_cohort_gives_nothing() -> None:
    losses, gradients = CohortLoss([], "classification").values_and_gradients(*batch(0))
    assert losses.shape == (2, 0)
    assert gradients.shape == (2, 0, 33, 10)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_a_broken_member_does_not_touch_its_neighbours(poison: float) -> None:
    output, target = batch(len(FORMULAS))
    clean = both(FORMULAS, output, target)
    output[1, 4, 7, 2] = poison
    losses, gradients = both(FORMULAS, output, target)
    assert not losses[1, 4].isfinite()
    others = torch.ones(2, 15, dtype=torch.bool)
    others[1, 4] = False
    assert torch.equal(losses[others], clean[0][others])
    assert torch.equal(gradients[others], clean[1][others])


def test_clamped_probabilities_have_no_gradient() -> None:
    output = torch.tensor([[40.0, 0.0, 0.0]]).expand(1, 1, 4, 3)
    losses, gradients = both([parse("1/p - t*p**2")], output, torch.zeros(1, 1, 4, dtype=torch.int64))
    assert float(losses) == pytest.approx(2e7, rel=1e-6)
    assert not gradients.any()


def test_what_only_the_label_sees_is_not_differentiated() -> None:
    formula = parse("sqrt(t) - t*log(p)")  # sqrt'(0) is infinite, and nobody asks for it
    assert both([formula], *batch(1))[1].isfinite().all()


def test_what_has_no_tape_is_walked_in_its_place() -> None:
    output, target = batch(3)
    cohort = CohortLoss([FORMULAS[0], lambda t, p, **rest: t * p, FORMULAS[1]], "classification", [3] * 3)
    assert [tape is None for tape in cohort.tapes] == [False, True, False]
    losses, gradients = cohort.values_and_gradients(output, target)
    for i, formula in enumerate((FORMULAS[0], parse("t*p"), FORMULAS[1])):
        columns = slice(3 * i, 3 * i + 3)
        expected = walked(formula, output[:, columns], target)
        torch.testing.assert_close(losses[:, columns], expected[0], rtol=1e-5, atol=0)
        torch.testing.assert_close(gradients[:, columns], expected[1], rtol=1e-5, atol=1e-8)


def test_an_exception_is_its_candidates_own() -> None:
    output, target = batch(2)
    failed = []

    @contextlib.contextmanager
    def guard(position: int) -> Iterator[None]:
        try:
            yield
        except ZeroDivisionError:
            failed.append(position)

    cohort = CohortLoss([lambda **variables: 1 / 0, FORMULAS[0]], "classification", [3, 3])
    losses, gradients = cohort.values_and_gradients(output, target, guard)
    assert failed == [0]
    assert not losses[:, :3].any()
    assert not gradients[:, :3].any()
    assert torch.equal(losses[:, 3:], both(FORMULAS[:1], output[:, 3:], target)[0])
    with pytest.raises(ZeroDivisionError):
        cohort.values_and_gradients(output, target)


@pytest.mark.parametrize("lies", ["class by class", "row by row"])
def test_what_is_written_into_again_is_computed_anew(lies: str) -> None:
    """The same output with other numbers, another output in the same memory, and one elsewhere."""
    output, target = batch(2)
    other, third = output.flip(0), output.flip(1)
    if lies == "class by class":
        output = output.transpose(2, 3).contiguous().transpose(2, 3)
    functions = [FORMULAS[0], lambda t, p, **rest: t * p]

    def expected(of: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return CohortLoss(functions, "classification", [3, 3]).values_and_gradients(of.clone(), target)

    cohort = CohortLoss(functions, "classification", [3, 3])
    first = cohort.values_and_gradients(output, target)
    for changed in (output, output.copy_(other), output.detach(), third, output):
        losses, gradients = cohort.values_and_gradients(changed, target)
        assert losses is first[0]
        assert gradients is first[1]
        assert torch.equal(losses, expected(changed)[0])
        assert torch.equal(gradients, expected(changed)[1])


def test_who_fails_later_leaves_nothing_of_an_earlier_call() -> None:
    output, target = batch(1)
    calls = []

    def once(t: torch.Tensor, p: torch.Tensor, **rest: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return t * p / (1 // (2 - len(calls)))

    cohort = CohortLoss([once], "classification", [3])
    assert cohort.values_and_gradients(output, target)[1].any()
    losses, gradients = cohort.values_and_gradients(output, target, lambda _: contextlib.suppress(ZeroDivisionError))
    assert not losses.any()
    assert not gradients.any()


@pytest.mark.parametrize("slot", SLOTS)
def test_other_precisions_are_walked(slot: str) -> None:
    formula = zoo[SLOTS[slot].baselines[0]]
    output = torch.randn(2, 1, 5, 1 if slot == "regression" else 4, dtype=torch.float64)
    target = torch.randn(2, 1, 5) if slot == "regression" else torch.randint(0, 4, (2, 1, 5))
    losses, gradients = both([formula], output, target)
    expected = SLOTS[slot].objective(compile_loss(formula), output, target)
    assert torch.equal(losses, expected)
    assert gradients.dtype == torch.float64


def test_outputs_that_are_no_block_of_memory_are_read_right() -> None:
    output, target = batch(1)
    turned = output.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(both(FORMULAS[:1], turned, target)[1], both(FORMULAS[:1], output, target)[1])


def test_the_output_keeps_its_graph_to_itself() -> None:
    output, target = batch(1)
    losses, gradients = both(FORMULAS[:1], output.requires_grad_(), target)
    assert not losses.requires_grad
    assert not gradients.requires_grad


def test_the_kernel_compiles_without_a_place_for_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def njit(cache: bool = False, **options: object) -> object:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiling.numba, "njit", njit)
    assert interpreter.cached(len) is len
    assert asked == [True, False]


def test_importing_symloss_leaves_numba_alone() -> None:
    script = "import symloss, symloss.language.formula, symloss.language.loss, sys; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    script = (
        "import torch; from symloss.language.formula import parse; from symloss.judging.kernel import CohortLoss;"
        "print(CohortLoss([parse('-t*log(p)')], 'classification')"
        ".values_and_gradients(torch.zeros(1, 1, 4, 10), torch.ones(1, 1, 4, dtype=torch.int64))[0].item())"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [float(process.communicate()[0]) for process in both] == [pytest.approx(2.3025851)] * 2
    assert list(tmp_path.rglob("*.nbi"))
