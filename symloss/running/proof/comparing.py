"""Comparing formulas that a person names, as finals do, without a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError
from symloss.interrupts import Interrupts
from symloss.judging.stacking import Decision, choose_stacking
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.language.formula import Formula
from symloss.running.config import RATES, Experiment, read_experiment, resolved
from symloss.running.notebook import usual_observer
from symloss.running.observer import Observer
from symloss.running.planning import plan_finals, plan_trainings
from symloss.running.proof.entrants import Entrant
from symloss.running.proof.finals import Finals, compare
from symloss.running.proof.trials import Trials, Watcher
from symloss.running.session import Crew, opened_pool
from symloss.settings import setting, whole


@dataclass(frozen=True)
class Trying:
    """How formulas are tried.

    Args:
        seeds: trainings of each formula.
        steps: optimiser steps of each training.
        learning_rates: tuned over, for every formula alike; None for the task's own and one beyond at either end.
        seed: from which the training seeds come.
        resamples: of the bootstrap behind each interval.
    """

    seeds: int = setting(whole(2), 12)
    steps: int = setting(whole(1), 300)
    learning_rates: tuple[float, ...] | None = setting(RATES, None)
    seed: int = setting(whole(0), 0)
    resamples: int = setting(whole(100), 5000)


def compare_formulas(
    formulas: Mapping[str, Formula],
    task_spec: Mapping[str, Any],
    trying: Trying,
    crew: Crew,
    observer: Observer | None = None,
) -> Finals | None:
    """Try formulas on a task as finals do: rates tuned on validation, then the test set, the first against the rest.

    Args:
        formulas: name -> formula of the task's slot.
        task_spec: as `make_task` reads it.

    Returns:
        None when interrupted.

    Raises:
        ExperimentError: a formula is of another slot, or the task cannot be made.
    """
    read, watched = comparison(task_spec, trying), observer or usual_observer()
    task = make_task(read.task)
    for name, formula in formulas.items():
        if formula.slot != task.slot:
            raise ExperimentError(f"{name} is of the slot {formula.slot}, and task '{task.name}' needs {task.slot}.")
    trials = plan_comparison(read, task)
    watcher = Watcher(watched.trial_done, watched.verdict_done)
    field = [Entrant(name, formula, "named") for name, formula in formulas.items()]
    with Interrupts() as interrupts, opened_pool(read.task, crew, task) as pool:
        finals = compare(field, task, trials, pool, interrupts.stop, watcher)
    if finals is not None:
        watched.finals_done(finals.sentence)
    return finals


def plan_comparison(read: Experiment, task: Task, stacking: Decision | None = None) -> Trials:
    """Return how formulas are trained on a task, as finals would train them.

    Args:
        read: the experiment that stands for the comparison, see `comparison`.
        stacking: how a formula trains; None measures what pays.
    """
    experiment = resolved(read, task.learning_rates)
    return plan_finals(experiment, stacking or choose_stacking(task, plan_trainings(experiment)))


def comparison(task_spec: Mapping[str, Any], trying: Trying) -> Experiment:
    """Return the experiment that stands for trying formulas on a task; its `task` holds whole paths."""
    return read_experiment(_table(task_spec, trying), "compare", Path())


def _table(task_spec: Mapping[str, Any], trying: Trying) -> dict[str, Any]:
    rates = {} if trying.learning_rates is None else {"learning_rates": list(trying.learning_rates)}
    table = {"name": "compare", "seed": trying.seed, "task": dict(task_spec), "budget": {"steps": trying.steps}}
    return table | {
        "stop": {"generations": 1},
        "finals": {"seeds": trying.seeds, "resamples": trying.resamples, **rates},
    }
