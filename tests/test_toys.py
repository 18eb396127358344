"""XOR and the sine: data that follow from a formula, in the setting that was published."""

import math

import pytest
import torch

from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss


def trained(task, plan, text="r**2"):
    (found,) = train_cohort([compile_loss(parse(text, "regression"))], task, plan)
    assert found.state is State.SCORED
    return [each.values for each in found.measurements]


def test_xor_is_kozaxs_problem():
    task = make_task({"name": "xor"})
    model, split = task.model(0), task.split(0)
    assert [tuple(value.shape) for value in model.parameters()] == [(16, 2), (16,), (16, 16), (16,), (1, 16), (1,)]
    assert [type(layer).__name__ for layer in model] == ["Linear", "Tanh", "Linear", "Tanh", "Linear", "Sigmoid"]
    assert float(model[2].weight.detach().std()) == pytest.approx(math.sqrt(2 / 16), rel=0.2)
    assert (len(split.train_y), len(split.valid_y), len(task.test()[1])) == (7500, 500, 2000)
    assert (task.optimiser, task.batch_size, task.learning_rates) == ("adam", 50, (0.01,))
    x, y = task.test()
    assert torch.equal(y, ((x > 0.5).sum(1) == 1).float())
    assert [metric.name for metric in task.metrics] == ["side", "mse", "mae"]


def test_xor_is_learnt_in_its_150_steps(one_thread):
    values = trained(make_task({"name": "xor"}), Plan(150, (0.01,), (0, 1, 2, 3), stack="stacked"))
    assert min(each["side"] for each in values) > 0.85


def test_a_sine_is_its_parameters():
    task = make_task({"name": "sine", "amplitude": 3, "frequency": 2.0, "phase": 0.5})
    x, y = task.test()
    assert torch.allclose(y, 3 * torch.sin(2 * (x[:, 0] - 0.5)), atol=1e-5)
    assert float(x.min()) < -4.9
    assert float(x.max()) > 4.9
    shapes = [tuple(value.shape) for value in task.model(0).parameters()]
    assert shapes == [(100, 1), (100,), (10, 100), (10,), (1, 10), (1,)]
    assert all(not value.any() for name, value in task.model(0).named_parameters() if "bias" in name)


def test_a_sine_is_learnt(one_thread):
    values = trained(make_task({"name": "sine"}), Plan(300, (0.01,), (0, 1), stack="stacked"))
    assert max(each["mse"] for each in values) < 0.1
