"""The size of stacks: the smallest that is nearly the quickest, within the memory."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest
import torch
from torch import nn

from symloss.errors import ExperimentError
from symloss.judging.memory import bytes_per_member
from symloss.judging.plan import Plan
from symloss.judging.sizing import STEPS, choose_size
from symloss.judging.tasks import make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.train import train_cohort
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

LOSS = compile_loss(parse("-t*log(p)", "classification"))
PLAN = Plan(10, (0.003, 0.01), (0, 1), stack="stacked")


def clock(*per_candidate: float) -> Callable[[Any], float]:
    """Pretend that a step of one candidate takes so long in stacks of 1, 2, 4, ... candidates, however often asked."""
    return slowed(per_candidate)


def slowed(per_candidate: tuple[float, ...], delays: Iterable[float] = ()) -> Callable[[Any], float]:
    """Pretend the same on a machine that is so many times slower at each measurement."""
    delay = chain(delays, repeat(1.0))

    def seconds(call: Any) -> float:
        call()
        width = len(call.args[0].functions)
        return width * per_candidate[(width - 1).bit_length()] * next(delay) * STEPS

    return seconds


@pytest.fixture(scope="module")
def digits() -> Any:
    return make_task({"name": "digits"})


@pytest.mark.parametrize(
    ("times", "candidates"),
    [((0.004, 0.003, 0.002, 0.00199), 4), ((0.001, 0.002, 0.003, 0.004), 1), ((0.008, 0.004, 0.002, 0.001), 8)],
)
def test_the_smallest_that_is_nearly_the_quickest(digits: Any, times: tuple[float, ...], candidates: int) -> None:
    size = choose_size(LOSS, digits, PLAN, 8, clock(*times))
    assert size.members == candidates * 4
    assert f"{candidates} candidates a stack" in size.reason
    assert "cut" not in size.reason


@pytest.mark.parametrize(
    ("times", "candidates"),
    [((0.001, 0.001), 1), ((0.002, 0.001, 0.0012), 2), ((0.001, 0.00096, 0.00092, 0.00088, 0.00085), 16)],
)
def test_larger_stacks_are_tried_as_long_as_they_gain(digits: Any, times: tuple[float, ...], candidates: int) -> None:
    assert choose_size(LOSS, digits, PLAN, 16, clock(*times)).members == candidates * 4  # the clock has no more to give


@pytest.mark.parametrize("delays", [(), (1.0, 1.4), (1.4, 1.0, 1.0), (1.0, 1.0, 1.4, 1.4)])
def test_what_slows_the_machine_for_a_moment_does_not_decide(digits: Any, delays: tuple[float, ...]) -> None:
    size = choose_size(LOSS, digits, PLAN, 8, slowed((0.0020, 0.0017, 0.0015, 0.0015), delays))
    assert size.members == 4 * 4


@pytest.mark.parametrize(
    ("times", "cohort", "measured"),
    [
        ((0.001, 0.001), 8, [1, 2, 1, 2]),
        ((0.002, 0.001), 2, [1, 2, 2]),
        ((0.0020, 0.0018, 0.0018, 0.0018), 8, [1, 2, 4, 1, 2, 4]),
        ((1.0, 0.1), 8, [1]),
    ],
)
def test_sizes_that_are_close_are_measured_twice(
    digits: Any, times: tuple[float, ...], cohort: int, measured: list[int]
) -> None:
    asked, seconds = list[int](), clock(*times)

    def counting(call: Any) -> float:
        asked.append(len(call.args[0].functions))
        return seconds(call)

    choose_size(LOSS, digits, PLAN, cohort, counting)
    assert asked == measured


def test_slow_trials_are_not_made_larger(digits: Any) -> None:
    assert choose_size(LOSS, digits, PLAN, 64, clock(1.0, 0.1)).members == 4


def test_a_cohort_is_cut_to_its_memory_and_the_cut_is_told(digits: Any) -> None:
    memory = bytes_per_member(digits, PLAN) * 13
    size = choose_size(LOSS, digits, replace(PLAN, memory=memory), 8, clock(0.003, 0.002, 0.001))
    assert size.members == 12
    assert "3 candidates a stack" in size.reason
    assert "a cohort of 8 is cut to fit" in size.reason


def test_models_of_one_candidate_that_do_not_fit_train_one_by_one(digits: Any) -> None:
    plan = replace(PLAN, memory=bytes_per_member(digits, PLAN) * 3)
    size = choose_size(LOSS, digits, plan, 8, clock())
    assert size.members == 0
    assert "the 4 models of one candidate would take about" in size.reason
    (stacked,) = train_cohort([LOSS], digits, plan)
    (single,) = train_cohort([LOSS], digits, replace(plan, stack="single"))
    assert stacked.measurements == single.measurements


def test_a_model_that_does_not_fit_at_all_is_refused(digits: Any) -> None:
    with pytest.raises(ExperimentError, match=r"training one model takes about .* KiB, and \[budget\] memory is 1 KiB"):
        choose_size(LOSS, digits, replace(PLAN, memory=1024), 8, clock())


class Crowd(nn.Linear):
    """A model whose numbers depend on how many run beside it, as some vectorised code has it in the last bit."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + Crowd.shift

    shift = 0.0


def test_timing_decides_nothing_where_numbers_depend_on_company(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(200, 6, generator=draws)
    task = SupervisedTask("crowd", x=x, y=(x[:, 0] > 0).long(), model=lambda: Crowd(6, 2), batch_size=16)
    from symloss.judging import sizing

    original = sizing._train

    def crowded(functions: Any, *rest: Any) -> Any:
        monkeypatch.setattr(Crowd, "shift", 0.1 * len(functions) * torch.arange(2.0))
        return original(functions, *rest)

    monkeypatch.setattr(sizing, "_train", crowded)
    size = choose_size(LOSS, task, PLAN, 8, clock())
    assert size.members == 8 * 4
    assert "all that train together" in size.reason
