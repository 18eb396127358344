"""Losses with open numbers, and training steps that are differentiated in them."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

import symloss
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.judging.unrolled import Rehearsal, Unrolled
from symloss.language.formula import parse
from symloss.language.loss import compile_loss
from symloss.language.open_loss import OpenLoss
from symloss.language.probing import prefix
from symloss.language.slots import SLOTS
from symloss.language.template import Template, with_coefficients, written
from symloss.language.tuning import Tuning
from symloss.language.zoo import ZOO, zoo

TUNING = Tuning("gradient", inner_rate=0.5)
PLAN = Plan(10, (0.1,), (3, 8))


def template_of(name: str, places: str = "edges") -> Template:
    formula = zoo[name] if name in ZOO else parse(name)
    return with_coefficients(list(prefix(formula.node)), places)


def blobs(**options: Any) -> symloss.SupervisedTask:
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(120, 5, generator=draws), torch.arange(120) % 3
    x[torch.arange(120), y] += 2.0
    model = options.pop("model", lambda: nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)))
    return symloss.SupervisedTask("blobs", x=x, y=y, model=model, optimiser="sgd", metric="accuracy", batch_size=20)


def unrolled(name: str = "gce", tuning: Tuning = TUNING, task: Task | None = None, places: str = "edges") -> Unrolled:
    task = task or blobs()
    return Unrolled(OpenLoss(template_of(name, places), task.slot), task, PLAN, tuning, 10)


@pytest.mark.parametrize("places", ["nodes", "edges", "constants"])
@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.slot == "classification"])
def test_an_open_loss_is_the_formula_that_its_numbers_make(name: str, places: str) -> None:
    template = template_of(name, places)
    numbers = torch.linspace(0.9, 1.2, template.count)
    for hole in template.holes:
        if hole.scale == 3.0:  # the exponent of a negative base stays whole
            numbers[hole.number] = 1.0
    closed = compile_loss(parse(written(template.fill(numbers.tolist(), digits=17))))
    opened = OpenLoss(template, "classification").at(numbers)
    output, target = torch.randn(1, 1, 16, 10, generator=torch.Generator().manual_seed(1)), torch.arange(16) % 10
    found, known = (
        SLOTS["classification"].objective(function, output, target[None, None]) for function in (opened, closed)
    )
    torch.testing.assert_close(found, known, rtol=2e-4, atol=1e-4, equal_nan=True)


def test_the_sure_logarithm_stays_sure_where_it_has_no_number() -> None:
    output, target = torch.tensor([[[[200.0, 0.0]]]]), torch.tensor([[[1]]])
    template = template_of("-1.5*t*log(p)", "constants")
    loss = OpenLoss(template, "classification").at(torch.ones(1))
    assert SLOTS["classification"].objective(loss, output, target).item() == pytest.approx(300.0)


def test_one_step_is_a_step_of_sgd_and_the_loss_is_cross_entropy_on_validation() -> None:
    task, loss = blobs(), unrolled("gce")
    rehearsal = Rehearsal(task, 3, TUNING, 5)
    (x, y), (valid_x, valid_y), model = rehearsal.step(0), rehearsal.judged(0), rehearsal.model
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    symloss.SymbolicLoss(zoo["gce"])(model(x[0]), y[0, 0]).backward()
    optimiser.step()
    expected = torch.nn.functional.cross_entropy(model(valid_x[0]), valid_y[0, 0])
    found = loss(torch.ones(template_of("gce").count), 0)
    torch.testing.assert_close(found.detach(), expected.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("name", ["gce", "baikal", "focal", "sce"])
def test_its_derivative_is_that_of_finite_differences(name: str, inner: int) -> None:
    loss = unrolled(name, Tuning("gradient", inner_steps=inner, inner_rate=0.2))
    numbers = torch.linspace(0.8, 1.2, template_of(name).count, requires_grad=True)
    (found,) = torch.autograd.grad(loss(numbers, 1), numbers)
    differences = []
    for place in range(len(numbers)):
        step = torch.zeros_like(numbers)
        step[place] = 0.02
        differences.append((loss(numbers + step, 1) - loss(numbers - step, 1)).item() / 0.04)
    np.testing.assert_allclose(found.numpy(), differences, rtol=0.02, atol=3e-4)
    assert np.abs(differences).max() > 0.003


def test_a_trial_depends_on_its_number_alone_and_draws_nothing_of_others() -> None:
    model = lambda: nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3))  # noqa: E731
    numbers = torch.ones(template_of("gce").count)
    loss = unrolled(task=blobs(model=model))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = [loss(numbers, trial).item() for trial in range(4)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = unrolled(task=blobs(model=model))
    assert [again(numbers, trial).item() for trial in reversed(range(4))] == first[::-1]
    assert len(set(first)) == 4


@pytest.mark.parametrize(("task", "text"), [("diabetes", "abs(r)*1.5"), ("digits_activation", "x*sigmoid(1.5*x)")])
def test_other_slots_are_differentiated_too(task: str, text: str) -> None:
    made = make_task({"name": task})
    template = with_coefficients(list(prefix(parse(text, made.slot).node)), "nodes")
    loss = Unrolled(OpenLoss(template, made.slot), made, PLAN, Tuning("gradient", inner_rate=0.1), 2)
    numbers = torch.ones(template.count, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(numbers, 0), numbers)
    assert bool(slope.isfinite().all())
    assert float(slope.abs().max()) > 0


def points_around(template: Template, count: int = 4) -> torch.Tensor:
    return 1.0 + 0.2 * torch.randn(count, template.count, generator=torch.Generator().manual_seed(2))


MODELS = {
    "tanh": lambda: nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)),
    "dropout": lambda: nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)),
    "batch norm": lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)),
}


@pytest.mark.parametrize("name", ["gce", "baikal", "sce"])
@pytest.mark.parametrize("model", MODELS)
def test_points_abreast_come_to_what_they_come_to_one_by_one(model: str, name: str) -> None:
    loss = unrolled(name, Tuning("cma", inner_steps=4, inner_rate=0.3), blobs(model=MODELS[model]))
    points = points_around(template_of(name))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    for trial in range(3):
        single = torch.stack([loss(point, trial).detach() for point in points])
        torch.testing.assert_close(loss.abreast(points, trial), single, rtol=1e-4, atol=1e-5)
        assert len(single.unique()) == len(points)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("task", "text"), [("diabetes", "abs(r)*1.5"), ("digits_activation", "x*sigmoid(1.5*x)")])
def test_points_of_other_slots_come_to_the_same_abreast(task: str, text: str) -> None:
    made = make_task({"name": task})
    template = with_coefficients(list(prefix(parse(text, made.slot).node)), "nodes")
    loss = Unrolled(OpenLoss(template, made.slot), made, PLAN, Tuning("cma", inner_rate=0.1), 2)
    points = points_around(template)
    single = torch.stack([loss(point, 1).detach() for point in points])
    torch.testing.assert_close(loss.abreast(points, 1), single, rtol=1e-4, atol=1e-5)
    assert len(single.unique()) == len(points)


def test_a_point_that_diverges_has_no_loss_and_spoils_no_other() -> None:
    loss = unrolled("gce", Tuning("cma", inner_steps=5, inner_rate=0.3))
    points = points_around(template_of("gce"))
    alone = loss.abreast(points, 0)
    points[1] = 1e38
    together = loss.abreast(points, 0)
    others = torch.tensor([0, 2, 3])
    assert not bool(together[1].isfinite())
    assert torch.equal(together[others], alone[others])
    assert not bool(loss.abreast(points[1:2], 0).isfinite().any())


def test_models_that_count_as_they_run_are_left_as_they_were() -> None:
    model = lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))  # noqa: E731
    loss, numbers = unrolled(task=blobs(model=model)), torch.ones(template_of("gce").count)
    assert loss(numbers, 0).item() == loss(numbers, 0).item()


def test_functional_call_is_what_the_model_does() -> None:
    rehearsal = Rehearsal(blobs(), 3, TUNING, 1)
    x = rehearsal.step(0)[0][0]
    parameters, buffers = rehearsal.weights()
    torch.testing.assert_close(functional_call(rehearsal.model, (parameters, buffers), (x,)), rehearsal.model(x))
