"""Laws of the tasks: disjoint parts of equal sizes, the same for the same seed, a model that fits, true options."""

import importlib
import inspect
import os
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from symloss.judging.tasks import TASKS, make_task
from symloss.judging.tasks.catalogue import HARDSHIPS
from symloss.judging.tasks.datafiles import VARIABLE
from symloss.judging.tasks.labels import Hardship
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    if not (TASKS[request.param].brings_data or os.environ.get(VARIABLE)):
        pytest.skip(f"needs its data: {VARIABLE} is not set")
    return make_task({"name": request.param})


def test_parts_share_no_rows_and_keep_their_sizes(task):
    sizes = set()
    for seed in range(5):
        split = task.split(seed)
        train, valid = set(split.train_index.tolist()), set(split.valid_index.tolist())
        assert not train & valid
        assert max(train | valid) < len(task.x)
        assert len(train) == len(split.train_index) == len(split.train_y)
        sizes.add((len(train), len(valid), len(split.valid_y)))
    assert len(sizes) == 1


def test_the_test_part_is_no_part_of_the_rest(task):
    rest = {row.numpy().tobytes() for row in task.x}
    assert not any(row.numpy().tobytes() in rest for row in task.test()[0])


def test_a_seed_gives_the_same_split_and_weights_whatever_was_drawn_before(task):
    first, weights = task.split(7), list(task.model(7).parameters())
    torch.rand(3)
    again, same = task.split(7), list(task.model(7).parameters())
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights, same, strict=True))
    assert not torch.equal(task.split(8).valid_index, first.valid_index)
    assert not all(torch.equal(a, b) for a, b in zip(weights, task.model(8).parameters(), strict=True))


def test_making_a_model_leaves_the_global_draws_alone(task):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    task.model(0)
    task.split(0)
    assert torch.equal(torch.rand(1), expected)


def test_the_model_has_the_tasks_width(task):
    reference = compile_loss(zoo[SLOTS[task.slot].baselines[0]])
    output = SLOTS[task.slot].forward(reference, task.model(0), task.x[:3])
    assert output.shape == (3, task.width)
    assert TASKS[task.name].slot == task.slot


def test_targets_are_of_the_slots_kind(task):
    labels = not task.test()[1].is_floating_point()
    assert SLOTS[task.slot].target == ("labels" if labels else "values")


def test_the_judging_metric_is_measured(task):
    assert task.metrics[0] is task.metric
    assert len({metric.name for metric in task.metrics}) == len(task.metrics) == 3


@pytest.mark.parametrize("name", TASKS)
def test_the_listed_options_are_the_functions_keywords(name):
    factory = TASKS[name]
    module, function = factory.home.split(":")
    keywords = set(inspect.signature(getattr(importlib.import_module(module), function)).parameters)
    assert set(factory.given) <= keywords
    assert set(HARDSHIPS) == {each.name for each in fields(Hardship)}
    assert factory.hardship == (set(HARDSHIPS) <= set(factory.options))
    assert set(factory.options) - set(HARDSHIPS) == keywords - set(factory.given) - {"hardship"}


@pytest.mark.parametrize("name", [name for name in TASKS if SLOTS[TASKS[name].slot].target == "labels"])
def test_every_task_of_labels_can_be_made_harder(name):
    assert TASKS[name].hardship


@pytest.mark.parametrize("name", TASKS)
def test_what_every_task_has_is_called_the_same(name):
    assert {"hidden", "optimiser", "metric", "batch_size", "device"} <= set(TASKS[name].options)
    assert all("default" in text for text in TASKS[name].options.values())


def test_told_defaults_are_true(task):
    options = TASKS[task.name].options
    assert f"default {task.metric.name}" in options["metric"]
    assert f"default {task.batch_size}" in options["batch_size"]
    widths = [len(value) for name, value in task.model(0).named_parameters() if name.endswith("bias")]
    assert f"default {widths[:-1]}" in options["hidden"]


@pytest.mark.parametrize("name", TASKS)
def test_the_docs_tell_of_every_task_and_option(name):
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    for word in (name, *TASKS[name].options):
        assert f"`{word}`" in page, word
