"""Inputs on one scale: by the training part alone, filled in where they are missing; words stay as they are."""

import pytest
import torch
from torch import nn

from symloss.judging.dense import DensePasses, dense_layers
from symloss.judging.plan import Plan
from symloss.judging.stack import start
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.standardised import Standardised, mean_and_deviation
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

NAN = float("nan")
X = torch.tensor([[1.0, NAN, 0.0, 7.0], [3.0, 2.0, 1.0, 7.0], [5.0, 6.0, 0.0, 7.0], [7.0, NAN, 0.0, 7.0]])


def test_what_is_missing_takes_no_part_and_becomes_the_mean() -> None:
    mean, deviation = mean_and_deviation(X)
    assert mean.tolist() == [4, 4, 0.25, 7]
    assert deviation.tolist() == pytest.approx([(20 / 3) ** 0.5, 8**0.5, 0.5, 1])
    seen = Standardised(nn.Identity(), X)(X)
    assert seen[:, 1].tolist() == pytest.approx([0, -(0.5**0.5), 0.5**0.5, 0])
    assert torch.equal(seen[:, 3], torch.zeros(4))


def test_without_missing_values_numbers_are_the_plain_ones() -> None:
    whole = X[:, ::2]
    mean, deviation = mean_and_deviation(whole)
    assert torch.equal(mean, whole.mean(0))
    assert torch.equal(deviation, whole.std(0))


def test_a_column_that_is_never_known_says_nothing() -> None:
    seen = Standardised(nn.Identity(), torch.full((3, 1), NAN))(torch.tensor([[NAN], [5.0]]))
    assert seen.isfinite().all()
    assert float(seen[0]) == 0


def test_one_row_has_no_deviation() -> None:
    assert Standardised(nn.Identity(), X[:1])(X).isfinite().all()


def test_columns_may_stay_as_they_are() -> None:
    scaled = torch.tensor([True, True, False, True])
    seen = Standardised(nn.Identity(), X, scaled)(X)
    assert torch.equal(seen[:, 2], X[:, 2])
    assert not torch.equal(seen[:, 0], X[:, 0])


def small(missing: float = 0.3) -> SupervisedTask:
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(80, 4, generator=draws) * 5 + 3
    y = (x[:, 0] > 3).long()
    x[torch.rand(80, 4, generator=draws) < missing] = NAN
    x[:, 3] = (torch.arange(80) == 7).float()  # a word that one row has
    model = lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))  # noqa: E731
    return SupervisedTask("holes", x=x, y=y, model=model, batch_size=10, standardise=[True, True, True, False])


def test_a_task_fills_in_by_each_seeds_training_part() -> None:
    task = small()
    for seed in (0, 1):
        part = task.x[task.split(seed).train_index]
        model = task.model(seed)
        assert torch.equal(model.mean, torch.cat([mean_and_deviation(part)[0][:3], torch.zeros(1)]))
        assert float(model.deviation[3]) == 1
    assert not torch.equal(task.model(0).mean, task.model(1).mean)


def test_stacked_perceptrons_see_the_same_inputs() -> None:
    task = small()
    plan = Plan(1, (0.01,), (0, 1), stack="stacked")
    stack = start([compile_loss(parse("-t*log(p)"))] * 2, task, plan, stacked=True)
    assert isinstance(stack.dense, DensePasses)
    assert dense_layers(task.model(0)) == ["model.0", "model.2"]
    output = stack.forward(task.x.expand(2, *task.x.shape))
    for seed in (0, 1):
        expected = task.model(seed)(task.x)
        assert torch.allclose(output[seed, 0], expected, atol=1e-6)
        assert torch.equal(output[seed, 0], output[seed, 1])
