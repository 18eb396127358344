"""Where models train: the device that a task names, and that a step asks nothing of the processor."""

import re
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from symloss.errors import ExperimentError
from symloss.judging import kernel
from symloss.judging.batches import load
from symloss.judging.cuda_graph import CapturedStep, uncapturable
from symloss.judging.device import find_device
from symloss.judging.optimisers import LAST, OPTIMISERS, Clock, corrections
from symloss.judging.plan import Plan
from symloss.judging.pools import make_pool
from symloss.judging.serial_pool import SerialPool
from symloss.judging.stack import Stack, start
from symloss.judging.tasks import TASKS, make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.digits import digits
from symloss.judging.tasks.labels import Hardship
from symloss.judging.train import Training, take_step
from symloss.language.formula import parse
from symloss.language.loss import compile_loss
from symloss.running.session import Crew, opened_pool

TEXTS = ("-t*log(p)", "(t - p)**2", "-t*sqrt(p)")
PLAN = Plan(12, (0.01, 0.1), (3, 4), stack="stacked")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_names_of_devices() -> None:
    assert find_device("task 'x'", "cpu") == torch.device("cpu")
    with pytest.raises(
        ExperimentError, match=re.escape("task 'x' names an unknown device 'cdua'. Did you mean 'cuda'?")
    ):
        find_device("task 'x'", "cdua")
    for name in ("cpu:0", "cuda:x", "cuda:", 3):
        with pytest.raises(ExperimentError, match="device"):
            find_device("task 'x'", name)  # type: ignore[arg-type]


@without_gpu
def test_a_gpu_that_is_not_there() -> None:
    assert find_device("task 'x'", "auto") == torch.device("cpu")
    words = f"device = 'cuda', and torch {torch.__version__} finds no GPU here. Use device = 'cpu', or 'auto'"
    with pytest.raises(ExperimentError, match=re.escape(words)):
        make_task({"name": "digits", "device": "cuda"})


def test_gpus_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("task 'x'", "auto") == torch.device("cuda", 0)
    assert find_device("task 'x'", "cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ExperimentError, match=re.escape("finds GPUs 0 to 1 here")):
        find_device("task 'x'", "cuda:2")


@pytest.mark.parametrize("name", [name for name, task in TASKS.items()])
def test_every_task_takes_a_device(name: str) -> None:
    assert "device" in TASKS[name].options
    with pytest.raises(ExperimentError, match=r"unknown device|data_dir"):
        make_task({"name": name, "device": "tpu"})


# What torch computes nothing on: an operator that mixes devices raises there, and so does whoever asks for a number.


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Let tasks put everything on the device `meta`, where losses find an interpreter that runs nothing."""
    device = torch.device("meta")
    monkeypatch.setattr("symloss.judging.tasks.base.find_device", lambda place, name: device)
    monkeypatch.setitem(kernel.INTERPRETERS, "meta", Idle)
    return device


class Idle:
    widest = 100

    def __init__(self, packed: object, device: torch.device) -> None:
        pass

    def bind(self, *tensors: object) -> kernel.Run:
        def run(given: torch.Tensor) -> None:
            there = [given, *(tensor for tensor in tensors if isinstance(tensor, torch.Tensor))]
            assert {tensor.device.type for tensor in there} == {"meta"}

        return run


class OnlyMeta(TorchDispatchMode):
    """Refuses every operator that reads or makes a tensor of the processor: meta's own let some mixtures pass."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [each for each in tree_leaves((args, kwargs, result)) if isinstance(each, torch.Tensor)]
        assert all(tensor.device.type == "meta" for tensor in tensors), f"{func} on the processor"
        return result


ONE = torch.ones(())


def small(model: str = "mlp", optimiser: Any = "adam") -> SupervisedTask:
    return digits(model=model, optimiser=optimiser, hidden=(16,), hardship=Hardship(examples=100))


def made(task: SupervisedTask, plan: Plan = PLAN) -> tuple[Stack, list[kernel.Function]]:
    functions = [compile_loss(parse(text)) for text in TEXTS]
    return start(functions, task, plan, stacked=True), functions


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("model", ["mlp", "convnet"])
@pytest.mark.parametrize("tapes", [True, False])
def test_a_step_asks_nothing_of_the_processor(
    model: str, optimiser: str, tapes: bool, nowhere: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not tapes:
        monkeypatch.delitem(kernel.INTERPRETERS, "meta")
    task = small(model, optimiser)
    data, (stack, functions) = load(task, PLAN), made(task)
    everything = [*stack.parameters.values(), *stack.buffers.values(), stack.alive, data.x, data.rows, data.judged_x]
    assert {tensor.device.type for tensor in everything} == {"meta"}
    training = Training(functions, task, data, stack)
    take_step(training, 1)
    for step in (2, None):  # the first one makes what the next ones use again
        with OnlyMeta():
            take_step(training, step)
    assert not training.failures, "a candidate's walk raised"


def test_what_asks_is_found(nowhere: torch.device) -> None:
    task = small()
    stack, _ = made(task)
    with pytest.raises((RuntimeError, NotImplementedError)):
        bool(stack.alive.all())
    with pytest.raises(AssertionError, match="add"), OnlyMeta():
        ONE + torch.empty(2, device=nowhere)


# The captured form of a step, run as it is: it takes everything from static memory and gives the same numbers.


def counting(stack: Stack) -> None:
    """Let a stack on the processor count its steps as one on a GPU does."""
    stack.stepper.clock = Clock(torch.device("cpu"), there=True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("model", ["mlp", "convnet"])
def test_the_captured_form_trains_as_the_plain_one(model: str, optimiser: str) -> None:
    task = small(model, optimiser)
    data = load(task, PLAN)
    plain, functions = made(task)
    form, _ = made(task)
    counting(form)
    recorded = []

    def record(take: object) -> object:
        recorded.append(len(form.columns))
        return take

    captured = CapturedStep(form, partial(take_step, Training(functions, task, data, form)), record)
    for step in range(1, PLAN.steps + 1):
        take_step(Training(functions, task, data, plain), step)
        captured(step)
        if step == 6:
            plain.keep([0, 3, 5])
            form.keep([0, 3, 5])
    assert recorded == [6, 3]
    for name, value in plain.parameters.items():
        assert torch.equal(value, form.parameters[name]), name
    assert torch.equal(plain.alive, form.alive)


def test_the_device_counts_adams_corrections() -> None:
    clock = Clock(torch.device("cpu"), there=True)
    for step in (1, 2, 3):
        clock.tick()
        assert [float(each) for each in clock.corrections()] == [float(torch.tensor(c)) for c in corrections(step)]
    clock.count.fill_(2 * LAST)
    assert [float(each) for each in clock.corrections()] == [1.0, 1.0]
    assert [float(torch.tensor(each)) for each in corrections(LAST)] == [1.0, 1.0]


def test_a_step_that_cannot_be_captured_is_taken_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    task = small()
    stack, _ = made(task)
    taken = []

    def refuse(take: object) -> object:
        raise RuntimeError("operation not permitted when stream is capturing")

    captured = CapturedStep(stack, taken.append, refuse)  # type: ignore[arg-type]
    for step in range(1, 8):
        captured(step)
    assert taken == [None] * 7
    assert captured.reason == "RuntimeError: operation not permitted when stream is capturing"
    assert captured.captures == 0
    assert "taken kernel by kernel: RuntimeError" in caplog.text


def test_what_is_not_captured() -> None:
    task = small()
    assert uncapturable(made(task)[0]) == ""
    walked = start([lambda t, p, **rest: t * p], task, PLAN, stacked=True)
    assert uncapturable(walked) == "a candidate has no tape, and its failure must be told from its neighbours'"
    own = small(optimiser=lambda p, rate: torch.optim.SGD(p, rate))
    alone = Plan(1, (0.1,), (1,), stack="single")
    assert uncapturable(start([parse(TEXTS[0])], own, alone, stacked=False)) == "the task's optimiser is its own"
    assert uncapturable(start([parse(TEXTS[0])], task, alone, stacked=False)) == "its model runs as it is"


def test_a_users_metric_and_data_may_come_from_anywhere() -> None:
    seen = []

    def metric(outputs: torch.Tensor, targets: torch.Tensor) -> float:
        seen.append((outputs.device.type, targets.device.type))
        return float(outputs.numpy().sum())

    x, y = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3
    task = SupervisedTask("mine", x=x, y=y, model=lambda: nn.Linear(4, 3), metric=(metric, "maximise"))
    assert task.metric.function(torch.zeros(2, 5, 3), torch.zeros(2, 5)).tolist() == [0.0, 0.0]
    assert seen == [("cpu", "cpu")] * 2


def test_a_gpu_is_used_by_this_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert isinstance(make_pool(0, {"name": "digits", "device": "auto"}), SerialPool)
    with pytest.raises(ExperimentError, match=re.escape("[task] device = 'cuda' trains in this process")):
        make_pool(2, {"name": "digits", "device": "cuda"})
    with opened_pool({"name": "digits", "device": "cuda"}, Crew()) as pool:
        assert isinstance(pool, SerialPool)
