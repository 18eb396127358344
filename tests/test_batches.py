"""The data of a plan: kept for the next job, and a sample of the judged part for the rungs before the last."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from symloss.judging import batches
from symloss.judging.batches import forget, load, sampled
from symloss.judging.desk import Desk
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.train import train_cohort
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

PLAN = Plan(20, (0.003,), (0, 3), rungs=(10, 20), stack="stacked")
LOSS = compile_loss(parse("-t*log(p)", "classification"))


@pytest.fixture
def digits() -> Any:
    return make_task({"name": "digits", "hidden": [8]})


class Unhashable(SupervisedTask):
    """A user's task that defines equality."""

    __hash__ = None  # type: ignore[assignment]


def test_data_are_kept_until_those_of_another_plan_are_asked_for(digits: Any) -> None:
    first = load(digits, PLAN)
    assert load(digits, replace(PLAN, learning_rates=(0.1,), rungs=(20,))) is first
    for other in (replace(PLAN, seeds=(1, 3)), replace(PLAN, steps=30, rungs=(30,)), replace(PLAN, measure=("test",))):
        assert load(digits, other) is not first
    again = load(digits, PLAN)
    assert again is not first
    assert torch.equal(again.rows, first.rows)
    forget(digits)
    assert load(digits, PLAN) is not again


def test_a_task_without_a_hash_is_loaded_each_time() -> None:
    x = torch.randn(90, 3, generator=torch.Generator().manual_seed(0))
    task = Unhashable("own", x=x, y=(x[:, 0] > 0).long(), model=lambda: nn.Linear(3, 2), batch_size=8)
    assert torch.equal(load(task, PLAN).rows, load(task, PLAN).rows)
    forget(task)


def test_data_that_a_users_code_has_seen_are_not_kept() -> None:
    desk = Desk({"factory": "evil_task.py:task", "folder": str(Path(__file__).parent)})
    kept = load(desk.task, PLAN)
    desk.judge(Job(0, ((0, "tanh(x)", "activation"),), PLAN, 60.0))
    assert load(desk.task, PLAN) is not kept


def test_a_sample_has_each_class_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "EARLY", 100)
    monkeypatch.setattr(batches, "FEW", 10)
    y = torch.tensor([0] * 300 + [1] * 200).expand(2, 1, -1)
    x = torch.arange(500.0).view(1, 500, 1).expand(2, -1, -1)
    own, targets = sampled(x, y, (4, 9))
    assert own.shape == (2, 100, 1)
    assert targets.sum(-1).tolist() == [[40], [40]]
    assert torch.equal((own[..., 0] >= 300).long(), targets[:, 0])  # inputs and targets are of the same rows
    assert len(own[0].unique()) == 100
    assert not torch.equal(own[0], own[1])
    assert torch.equal(sampled(x[:1], y[:1], (9,))[0][0], own[1])  # a seed's own, whatever the others are


@pytest.mark.parametrize("rare", [100, 1000])
def test_all_rows_are_looked_at_where_a_sample_would_hold_too_few_of_a_class(rare: int) -> None:
    y = torch.tensor([0] * 9000 + [1] * rare)[None, None]
    x = torch.zeros(1, y.shape[-1], 1)
    assert (sampled(x, y, (0,))[0] is x) == (rare == 100)


def test_few_rows_are_all_looked_at(digits: Any) -> None:
    data = load(digits, PLAN)
    assert data.early == (data.judged_x, data.judged_y)


@pytest.mark.parametrize("way", ["stacked", "single"])
def test_a_sample_is_for_the_rungs_before_the_last(digits: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def accuracies() -> dict[tuple[int, int], float]:
        forget(digits)
        (trained,) = train_cohort([LOSS], digits, replace(PLAN, stack=way))
        return {(each.step, each.seed): each.values["accuracy"] for each in trained.measurements}

    whole = accuracies()
    monkeypatch.setattr(batches, "EARLY", 64)
    monkeypatch.setattr(batches, "FEW", 2)
    found = accuracies()
    assert {key: value for key, value in found.items() if key[0] == 20} == {
        key: value for key, value in whole.items() if key[0] == 20
    }
    for seed in PLAN.seeds:
        assert 64 * found[10, seed] == round(64 * found[10, seed])
        assert found[10, seed] == pytest.approx(whole[10, seed], abs=0.2)
