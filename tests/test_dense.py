"""Stacked perceptrons without autograd: the same function and gradients, the same bits alone and in company."""

import gc
import weakref
from functools import cache
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from symloss.judging import fused
from symloss.judging.batches import load
from symloss.judging.bound import Bound, Call
from symloss.judging.dense import LANES, DensePasses, dense_layers, parts_of
from symloss.judging.passes import passes_for
from symloss.judging.plan import Plan
from symloss.judging.rungs import measure
from symloss.judging.stack import start
from symloss.judging.tasks import make_task
from symloss.judging.tasks.standardised import Standardised
from symloss.judging.train import Training, take_step
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

SEEDS, COLUMNS, BATCH, FEATURES = 2, 3, 16, 12


def perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


MODELS = {
    "one layer": perceptron(FEATURES, 10),
    "one output": perceptron(FEATURES, 20, 1),
    "two hidden": perceptron(FEATURES, 16, 9, 3),
    "flat": nn.Sequential(nn.Flatten(), *perceptron(FEATURES, 8, 10)),
    "standardised": Standardised(perceptron(FEATURES, 8, 10), torch.randn(50, FEATURES) * 3 + 1),
}


def stacked(model: nn.Module, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    parameters = {
        name: torch.randn(SEEDS, COLUMNS, *value.shape, generator=generator) * 0.3
        for name, value in model.named_parameters()
    }
    buffers = {name: value.expand(SEEDS, COLUMNS, *value.shape) for name, value in model.named_buffers()}
    return parameters, buffers


def member(values: dict[str, Tensor], seed: int, column: int) -> dict[str, Tensor]:
    return {name: value[seed, column] for name, value in values.items()}


def passes(model: nn.Module) -> DensePasses:
    layers = dense_layers(model)
    assert layers is not None
    return DensePasses(layers)


@pytest.mark.parametrize("name", MODELS)
def test_passes_equal_autograd(name: str) -> None:
    model = MODELS[name]
    parameters, buffers = stacked(model)
    x = torch.randn(SEEDS, BATCH, *((3, 4) if name == "flat" else (FEATURES,)))
    dense = passes(model)
    output = dense.forward(parameters, buffers, x)
    at_output = torch.randn_like(output)
    gradients = dense.backward(at_output)
    for seed in range(SEEDS):
        for column in range(COLUMNS):
            own = {name: value.requires_grad_() for name, value in member(parameters, seed, column).items()}
            expected = functional_call(model, (own, member(buffers, seed, column)), (x[seed],))
            torch.testing.assert_close(output[seed, column], expected)
            slopes = torch.autograd.grad(expected, list(own.values()), at_output[seed, column])
            for parameter, slope in zip(own, slopes, strict=True):
                torch.testing.assert_close(gradients[parameter][seed, column], slope)


@pytest.mark.parametrize("name", MODELS)
def test_a_column_has_the_same_bits_alone_and_in_company(name: str) -> None:
    model = MODELS[name]
    parameters, buffers = stacked(model)
    x = torch.randn(SEEDS, BATCH, *((3, 4) if name == "flat" else (FEATURES,)))
    dense = passes(model)
    together = dense.forward(parameters, buffers, x)
    at_output = torch.randn_like(together)
    gradients = {name: value.clone() for name, value in dense.backward(at_output).items()}
    for column in range(COLUMNS):
        own, its_buffers = (
            {n: v[:, column : column + 1].clone() for n, v in group.items()} for group in (parameters, buffers)
        )
        lone = passes(model)
        assert torch.equal(lone.forward(own, its_buffers, x)[:, 0], together[:, column])
        for parameter, value in lone.backward(at_output[:, column : column + 1].clone()).items():
            assert torch.equal(value[:, 0], gradients[parameter][:, column]), parameter


@pytest.mark.parametrize("name", MODELS)
def test_a_pass_is_the_same_in_its_old_memory_as_in_new(name: str) -> None:
    model = MODELS[name]
    parameters, buffers = stacked(model)
    dense, shape = passes(model), (3, 4) if name == "flat" else (FEATURES,)
    x, at_output = torch.empty(SEEDS, BATCH, *shape), torch.empty(0)
    for step in range(3):
        x.normal_()  # where the last mini-batch was
        output = dense.forward(parameters, buffers, x)
        new = passes(model)
        assert torch.equal(output, new.forward(parameters, buffers, x.clone()))
        at_output = torch.empty_like(output) if step == 0 else at_output
        at_output.normal_()
        gradients, expected = dense.backward(at_output), new.backward(at_output.clone())
        assert all(torch.equal(gradients[key], value) for key, value in expected.items())
        for key, value in parameters.items():
            value.sub_(0.1 * gradients[key])


def test_measuring_leaves_what_training_works_on_alone() -> None:
    task, plan = make_task({"name": "digits", "hidden": [16]}), Plan(4, (0.01, 0.1), (0, 1))
    stack = start([compile_loss(parse("-t*log(p)"))], task, plan, stacked=True)
    x, y = torch.randn(2, 30, 64), torch.randn(2, 30, 64)
    trained = stack.forward(x)
    kept = trained.clone()
    first, second = stack.outputs(x), stack.outputs(y)
    assert torch.equal(trained, kept)
    assert torch.equal(first, kept)
    assert not torch.equal(second, kept)
    assert stack.forward(x) is trained


class Shy(nn.Linear):
    """A layer that is linear by its class alone."""


def hooked() -> nn.Module:
    model = perceptron(4, 4, 4)
    model[0].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(4, 4),
        nn.Sequential(),
        nn.Sequential(nn.Linear(4, 4), nn.ReLU()),
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)),
        nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4)),
        nn.Sequential(nn.Linear(4, 4), nn.ReLU(), Shy(4, 4)),
        nn.Sequential(nn.Linear(4, 4, bias=False)),
        perceptron(4, 4, 4).double(),
        nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Linear(4, 4)),
        nn.Sequential(nn.Flatten(2), nn.Linear(4, 4)),
        hooked(),
    ],
)
def test_other_models_are_left_to_autograd(model: nn.Module) -> None:
    assert dense_layers(model) is None


@pytest.mark.parametrize("batch", [16, 20])
def test_a_wide_first_layer_is_the_same_function_whichever_side_its_batch_is_on(batch: int) -> None:
    model = perceptron(FEATURES, 40, 3)
    parameters, buffers = stacked(model)
    x, dense = torch.randn(SEEDS, batch, FEATURES), passes(model)
    output = dense.forward(parameters, buffers, x)
    turned = ("product", 0) in dense.memory
    compiled = passes_for(output.transpose(2, 3))
    assert turned == (batch % LANES > 0 and compiled is not None and compiled.add_bias_turned is not None)
    for seed in range(SEEDS):
        for column in range(COLUMNS):
            expected = functional_call(model, (member(parameters, seed, column), {}), (x[seed],))
            torch.testing.assert_close(output[seed, column], expected)


@pytest.mark.parametrize(("batch", "rows"), [(5, 3), (13, 16), (20, 37)])
@pytest.mark.parametrize("relu", [True, False])
def test_a_turned_product_gets_its_bias_as_any_other(batch: int, rows: int, relu: bool) -> None:
    products, biases = torch.randn(2, batch, rows), torch.randn(2, rows)
    products[0, 1, 2] = torch.nan
    turned, plain = torch.empty(2, rows, batch), products.transpose(1, 2).contiguous()
    fused.add_bias_turned(products, biases, turned, relu)()
    fused.add_bias(plain.view(-1, batch), biases.view(-1), relu)()
    assert torch.equal(turned.nan_to_num(7.0), plain.nan_to_num(7.0))
    assert turned[0, 2, 1].isnan()


def test_what_is_in_place_is_seen_and_what_takes_its_place_too() -> None:
    model = MODELS["two hidden"]
    parameters, buffers = stacked(model)
    x, dense = torch.randn(SEEDS, BATCH, FEATURES), passes(model)
    first = dense.forward(parameters, buffers, x).clone()
    for value in parameters.values():
        value.mul_(2)
    assert torch.equal(dense.forward(parameters, buffers, x), passes(model).forward(parameters, buffers, x))
    others = {name: value[:, :2].clone() / 2 for name, value in parameters.items()}
    assert torch.equal(dense.forward(others, buffers, x), first[:, :2])


def test_what_comes_once_is_not_held_and_what_comes_again_is_seen_once() -> None:
    seen, value = fused.Seen(), torch.randn(1, 2, 3)
    for _ in range(3):
        once = torch.randn(1, 2, 3)
        assert (seen(once) == once.numpy().reshape(1, 2, 3)).all()
        gone = weakref.ref(once)
        del once
        assert gone() is None
    seen(value)
    array = seen(value)
    assert seen(value) is array
    value.fill_(3.0)
    assert (seen(value) == 3.0).all()


def test_a_call_is_bound_anew_to_other_tensors() -> None:
    made: list[tuple[Tensor, ...]] = []

    def bind(*tensors: Tensor) -> Call:
        made.append(tensors)
        return lambda: sum(float(each.sum()) for each in tensors)

    one, other, total = torch.ones(2), torch.ones(3), Bound(bind)
    assert [total(one), total(one), total(one.mul_(2)), total(other), total(other, one)] == [2, 2, 4, 3, 7]
    assert [len(each) for each in made] == [1, 1, 2]


TEXTS = {"classification": ["-t*log(p)", "(t - p)**2", "log(p - 0.5)"], "regression": ["(y - f)**2", "abs(y - f)"]}


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("near", [9, 3, 1])
@pytest.mark.parametrize(
    ("name", "hidden", "seeds"),
    [("digits", 16, (0, 3)), ("digits", 16, (5,)), ("digits", 3, (0,)), ("diabetes", 16, (0, 3))],
)
def test_a_listed_step_is_the_step_that_walks(
    name: str,
    hidden: int,
    seeds: tuple[int, ...],
    near: int,
    compiled: bool,
    optimiser: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not compiled:
        monkeypatch.setattr("symloss.judging.passes.passes_on", cache(lambda kind: None))
    task = make_task({"name": name, "hidden": [hidden], "optimiser": optimiser})
    plan = Plan(12, (0.01, 0.1), seeds)
    functions = [compile_loss(parse(text, task.slot)) for text in TEXTS[task.slot]]
    monkeypatch.setattr("symloss.judging.dense.PART", near * task.x.shape[1] * hidden * len(seeds))
    listed, walking = (Training(functions, task, load(task, plan), start(functions, task, plan, True)) for _ in "ab")
    monkeypatch.setattr(walking.stack, "list_calls", lambda *_: None)
    for step in range(1, 13):
        calls = listed.stack.listed
        take_step(listed, step)
        take_step(walking, step)
        assert listed.stack.listed is not None
        assert (listed.stack.listed is calls) == (step not in (1, 7)), "it walks where columns have left, once"
        assert walking.stack.listed is None
        left, parts = len(listed.stack.columns), listed.stack.dense.bound().parts.values()
        assert [len(range(left)[each.columns]) for part in parts for each in part] == parted(left, near, hidden)
        assert torch.equal(listed.stack.alive, walking.stack.alive)
        if step == 6:
            for training in (listed, walking):
                training.records.append(measure(training.stack, functions, task, training.data, step, {}))
                training.stack.keep([0, *range(2, left)])
            assert listed.stack.listed is None
    for parameter, value in walking.stack.parameters.items():
        assert torch.equal(value, listed.stack.parameters[parameter]), parameter
    assert (task.slot == "classification") != bool(listed.stack.alive.all()), (
        "a loss that is not finite has no gradient"
    )


def parted(columns: int, near: int, hidden: int) -> list[int]:
    """Say how many columns of a first layer of so many outputs each part has."""
    if hidden == 3:  # only sixteen columns have a whole number of LANES rows
        return []
    counts = {(6, 3): [3, 3], (5, 3): [2, 3], (4, 3): [2, 2], (3, 3): []}
    return [] if near == 9 else [1] * columns if near == 1 else counts[columns, near]


@pytest.mark.parametrize("columns", [1, 2, 7, 13, 64])
@pytest.mark.parametrize("rows", [1, 2, 3, 10, 16, 24, 128])
@pytest.mark.parametrize("near", [1, 3, 100])
def test_parts_are_cut_where_rows_of_a_product_are_alike(columns: int, rows: int, near: int) -> None:
    parts = parts_of(columns, 2**18 // near, rows)
    assert [place for part in parts for place in range(columns)[part]] == list(range(columns))
    assert all(part.start * rows % LANES == 0 for part in parts)
    assert all(part.stop > part.start for part in parts)
    assert len(parts) == 1 or columns > near
    if rows % LANES == 0:
        assert len(parts) == -(-columns * (2**18 // near) // 2**18)


def test_calls_are_listed_where_they_are_all_of_a_step() -> None:
    task, plan = make_task({"name": "digits", "hidden": [16]}), Plan(4, (0.01,), (0,))
    taped, untaped = compile_loss(parse("-t*log(p)")), lambda p, t: -t * p.log()
    for functions, does in (([taped, taped], True), ([taped, untaped], False), ([untaped], False)):
        training = Training(functions, task, load(task, plan), start(functions, task, plan, True))
        take_step(training, 1)
        assert (training.stack.listed is not None) == does


def test_calls_listed_for_one_feed_are_not_taken_for_another() -> None:
    task, plan = make_task({"name": "digits", "hidden": [16]}), Plan(4, (0.01,), (0,))
    functions = [compile_loss(parse("-t*log(p)"))]
    one, turns = start(functions, task, plan, True), start(functions, task, plan, True)
    alone = Training(functions, task, load(task, plan), one)
    taking_turns = [Training(functions, task, load(task, plan), turns) for _ in range(2)]
    for step in range(1, 5):
        take_step(alone, step)
        take_step(taking_turns[step % 2], step)
    for name, value in one.parameters.items():
        assert torch.equal(value, turns.parameters[name]), name


def test_a_training_that_is_over_leaves_its_memory_at_once() -> None:
    """A collection of garbage may come much later, when other stacks have been made."""
    task, plan = make_task({"name": "digits", "hidden": [16]}), Plan(4, (0.01,), (0,))
    functions = [compile_loss(parse("-t*log(p)"))]
    training = Training(functions, task, load(task, plan), start(functions, task, plan, True))
    gc.disable()
    try:
        training.take(1)
        training.take(2)
        parameters = [weakref.ref(value) for value in training.stack.parameters.values()]
        del training
        assert [parameter() for parameter in parameters] == [None] * len(parameters)
    finally:
        gc.enable()


def test_columns_that_leave_take_their_memory_with_them() -> None:
    task = make_task({"name": "digits", "hidden": [16]})
    plan = Plan(4, (0.01, 0.1), (0,))
    functions = [compile_loss(parse("-t*log(p)"))] * 2
    stack = start(functions, task, plan, stacked=True)
    training = Training(functions, task, load(task, plan), stack)
    for step in (1, 2, 3):
        take_step(training, step)
    old = [weakref.ref(value) for value in stack.parameters.values()]
    stack.keep([0, 2])
    assert [value() for value in old] == [None] * len(old)
    take_step(training, 4)
    assert len(stack.columns) == 2
