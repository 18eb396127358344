"""The memory of a stack: estimated from above, kept to, and cut to without changing a number."""

import subprocess
import sys
from dataclasses import replace

import pytest

from symloss.judging.memory import bytes_per_member, candidates_per_stack, members_that_fit
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task

PLAN = Plan(3, (0.003, 0.01), (0, 1), stack="stacked")
TASKS = {
    "mlp": {"name": "digits", "hidden": [256, 256]},
    "conv": {"name": "digits", "model": "convnet"},
    "activation": {"name": "digits_activation"},
}

# Trains a stack that may take 400 MiB, and prints what the process grew by at most.
GROWTH = """
from pathlib import Path
from symloss.judging.memory import candidates_per_stack
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.train import train_cohort
from symloss.language.formula import parse
from symloss.language.loss import compile_loss
import torch
torch.set_num_threads(1)

def peak():
    # Not getrusage: its figure begins with what the parent process had.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

spec, text, slot = {spec!r}, {text!r}, {slot!r}
task, function = make_task(spec), compile_loss(parse(text, slot))
plan = Plan(3, (0.003, 0.01), (0, 1), stack="stacked", memory=400 * 2**20)
train_cohort([function] * 2, task, plan)
before = peak()
train_cohort([function] * candidates_per_stack(task, plan), task, plan)
print(peak() - before)
"""


@pytest.mark.parametrize("name", TASKS)
def test_a_full_stack_stays_within_its_memory(name: str) -> None:
    text, slot = ("tanh(x)", "activation") if name == "activation" else ("-t*log(p)", "classification")
    script = GROWTH.format(spec=TASKS[name], text=text, slot=slot)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    grown = int(done.stdout) * 1024
    assert 20 * 2**20 < grown < 400 * 2**20


@pytest.mark.parametrize("name", TASKS)
def test_the_estimate_is_the_same_each_time_and_leaves_the_task_alone(name: str) -> None:
    task = make_task(TASKS[name])
    first = task.model(0).state_dict()
    assert bytes_per_member(task, PLAN) == bytes_per_member(make_task(TASKS[name]), PLAN)
    for key, value in task.model(0).state_dict().items():
        assert value.equal(first[key])


def test_a_task_without_a_hash_is_estimated_as_well() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]  # as that of a dataclass that is not frozen

        def __getattr__(self, name: str) -> object:
            return getattr(known, name)

    known = make_task(TASKS["mlp"])
    assert bytes_per_member(Unhashable(), PLAN) == bytes_per_member(known, PLAN)


def test_it_grows_with_the_batch_the_model_and_the_optimiser() -> None:
    def needed(**changes: object) -> int:
        return bytes_per_member(make_task({"name": "digits", **changes}), PLAN)

    assert needed(hidden=[512, 512]) > 5 * needed()
    assert needed(optimiser="adam") > needed(optimiser="momentum") > needed(optimiser="sgd")


def test_candidates_come_whole_and_what_does_not_fit_is_cut() -> None:
    task = make_task(TASKS["mlp"])
    each = bytes_per_member(task, PLAN)
    room = replace(PLAN, memory=each * 11)
    assert members_that_fit(task, room) == 10  # the judged part takes its share
    assert candidates_per_stack(task, room) == 2
    assert candidates_per_stack(task, replace(room, members=4)) == 1
    assert candidates_per_stack(task, replace(room, members=1)) == 1
    assert candidates_per_stack(task, replace(room, memory=each * 3)) == 0
