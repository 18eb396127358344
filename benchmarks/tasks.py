"""What a training of every task costs on one thread: the table of docs/tasks.md. `python -m benchmarks.tasks`.

Tasks whose files are not below SYMLOSS_DATA are left out of it. Times are the process's own, of steps of a cohort that
trains as the task's measurement decides; loading, starting and judging are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import write_record, write_table
from symloss.errors import ExperimentError
from symloss.judging.batches import load
from symloss.judging.plan import Plan
from symloss.judging.stack import start
from symloss.judging.stacking import choose_stacking
from symloss.judging.tasks import TASKS, make_task
from symloss.judging.tasks.networks import MODELS
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.judging.train import Training, take_step
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo

DOCUMENT = Path(__file__).parent.parent / "docs" / "tasks.md"
COHORT = 4  # candidates
STEPS, SECONDS = 1000, 1.0  # at most of each are measured


def main() -> None:
    """Measure every task that can be made, keep the figures and write the table."""
    found: dict[str, Any] = {}
    for name, options in variants():
        try:
            task = make_task({"name": name, **options})
        except ExperimentError as error:
            print(f"left out: {error}", flush=True)
            continue
        found[" ".join([name, *options.values()])] = cost = measured(task)
        print(name, options, cost, flush=True)
    print(write_record("tasks", {"tasks": found}))
    write_costs(found)


def variants() -> list[tuple[str, dict[str, str]]]:
    """Return every task, and the enlarged digits with every model: a step of theirs is one of MNIST's."""
    found: list[tuple[str, dict[str, str]]] = [(name, {}) for name in TASKS]
    models = [("digits28", {"model": model}) for model in MODELS if model != "mlp"]
    return [*found, *models]


@one_thread()
def measured(task: Task) -> dict[str, Any]:
    """Return a task's sizes, and the milliseconds that a step of one training takes."""
    plan = Plan(STEPS, task.learning_rates[:1], (0,))
    decision = choose_stacking(task, plan, COHORT)
    split, model = task.split(0), task.model(0)
    return {
        "inputs": task.x[0].numel(),
        "outputs": task.width,
        "rows": [len(split.train_y), len(split.valid_y), len(task.test()[1])],
        "parameters": sum(value.numel() for value in model.parameters()),
        "batch_size": task.batch_size,
        "stack": decision.stack,
        "ms_per_step": 1000 * step_seconds(task, decision.stack == "stacked"),
    }


def step_seconds(task: Task, stacked: bool) -> float:
    """Return the seconds that a step of one training takes: of a stack's, or of one alone."""
    functions = [compile_loss(zoo[SLOTS[task.slot].baselines[0]])] * (COHORT if stacked else 1)
    plan = Plan(STEPS, task.learning_rates[:1], (0,), stack="stacked" if stacked else "single")
    training = Training(functions, task, load(task, plan), start(functions, task, plan, stacked))
    take_step(training, 1)  # it finds its memory
    began, taken = time.process_time(), 0
    while taken < 2 or (taken + 1 < STEPS and time.process_time() - began < SECONDS):
        taken += 1
        take_step(training, taken + 1)
    return (time.process_time() - began) / taken / len(functions)


def write_costs(found: Mapping[str, Any]) -> None:
    """Write the table between the markers of the document."""
    head = [
        "task",
        "rows to train, validate, test",
        "inputs, outputs",
        "parameters",
        "batch",
        "trains",
        "100 steps of one",
    ]
    rows = [
        [
            name,
            ", ".join(map(str, each["rows"])),
            f"{each['inputs']}, {each['outputs']}",
            str(each["parameters"]),
            str(each["batch_size"]),
            each["stack"],
            in_words(each["ms_per_step"] / 10),
        ]
        for name, each in found.items()
    ]
    write_table(DOCUMENT, "costs", [head, *rows], "benchmarks.tasks")


def in_words(seconds: float) -> str:
    """Return a time in two digits."""
    return f"{seconds:.2g} s" if seconds >= 0.995 else f"{float(f'{1000 * seconds:.2g}'):g} ms"


if __name__ == "__main__":
    main()
