"""Verifying a loss file: the table that it carries is made again here, without running anything that is in the file."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from symloss.errors import ExperimentError
from symloss.interrupts import Interrupts
from symloss.judging.pool import Pool
from symloss.judging.seal import data_digest
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.language.lossfile import LossFile
from symloss.plugins import asleep
from symloss.running.machine import machine_facts, same_environment
from symloss.running.notebook import usual_observer
from symloss.running.observer import Observer
from symloss.running.proof.evidence import PATHS, Recorded, read_recorded
from symloss.running.proof.finals import Finals, retest, run_finals
from symloss.running.proof.recheck import Verification, judge_again
from symloss.running.proof.trials import Watcher
from symloss.running.session import Crew, opened_pool

QUICK = 3  # seeds of a quick verification


def verify_loss(
    loss: LossFile,
    place: str,
    task_spec: Mapping[str, Any] | None = None,
    quick: bool = False,
    crew: Crew | None = None,
    observer: Observer | None = None,
) -> Verification | None:
    """Make a loss file's recorded table again, and say whether it holds.

    Nothing of the file is run: its task is made only where it is built in. A task from a file of Python, or from a
    package, is made when the user names it.

    Args:
        place: the file, as complaints name it.
        task_spec: what the user names, as `make_task` reads it; None takes the file's own built-in task.
        quick: train the first seeds only, at the recorded learning rates.

    Returns:
        None when interrupted.

    Raises:
        RunError: the file carries no trial, or a damaged one.
        ExperimentError: its task cannot be made here, or is another one.
    """
    recorded = read_recorded(loss, place)
    crew, watched = crew or Crew(), observer or usual_observer()
    spec = _spec(recorded, task_spec, place)
    with nullcontext() if task_spec is not None else asleep():
        task = make_task(spec)
    _check_same_task(recorded, task, loss, place)
    exact = crew.address is None and _exact(recorded)
    watcher = Watcher(watched.trial_done, watched.verdict_done)
    with Interrupts() as interrupts, opened_pool(spec, crew, task) as pool:
        again = (_again_quickly if quick else _again)(recorded, task, pool, interrupts.stop, watcher)
    if again is None:
        return None
    verification = judge_again(recorded, again, exact, quick)
    watched.finals_done(verification.sentence)
    return verification


def _spec(recorded: Recorded, given: Mapping[str, Any] | None, place: str) -> dict[str, Any]:
    spec = {key: value for key, value in recorded.trial.task.items() if key not in PATHS}  # none of this machine
    if given is not None:
        kept = {key: value for key, value in spec.items() if key not in ("factory", "name", "folder")}
        if "name" in given and spec.get("name") != given["name"]:
            was = spec.get("name") or spec.get("factory")
            raise ExperimentError(f"{place} was tried on the task {was}, not on {given['name']}: name that one.")
        return {**given, **kept}
    if "factory" in spec:
        raise ExperimentError(
            f"{place} was tried on a task of its author's own, {str(spec['factory'])[:100]!r}, and no file runs code "
            "here unasked. If you have that task and trust it, name it: --task my_task.py:task"
        )
    return spec


def _check_same_task(recorded: Recorded, task: Task, loss: LossFile, place: str) -> None:
    if task.slot != loss.formula.slot:
        raise ExperimentError(f"{place} is of the slot {loss.formula.slot}, and task '{task.name}' needs {task.slot}.")
    if data_digest(task) != recorded.trial.data:
        raise ExperimentError(
            f"{place} was tried on other data than task '{task.name}' has here, so its table cannot be made again. "
            "Is it the same task, with the same version of what its data come from? "
            f"Recorded: {_versions(recorded)}."
        )
    if task.metric.name != recorded.trial.metric:
        raise ExperimentError(
            f"{place} was judged by {recorded.trial.metric[:40]}, and task '{task.name}' judges by {task.metric.name}."
        )


def _versions(recorded: Recorded) -> str:
    versions = recorded.trial.environment.get("versions")
    pairs = versions.items() if isinstance(versions, dict) else ()
    return ", ".join(f"{str(name)[:20]} {str(version)[:20]}" for name, version in [*pairs][:12]) or "no versions"


def _exact(recorded: Recorded) -> bool:
    environment = recorded.trial.environment
    return environment.get("mixed") is False and same_environment(environment, machine_facts(0))


def _again(recorded: Recorded, task: Task, pool: Pool, stop: Callable[[], bool], watcher: Watcher) -> Finals | None:
    return run_finals(recorded.entrants, task, recorded.trial.trials, pool, None, stop, watcher)


def _again_quickly(
    recorded: Recorded, task: Task, pool: Pool, stop: Callable[[], bool], watcher: Watcher
) -> Finals | None:
    trials = recorded.trial.trials
    few = replace(trials, plan=replace(trials.plan, seeds=trials.plan.seeds[:QUICK]))
    pairs = zip(recorded.entrants, recorded.rows, strict=True)
    rates = {each.formula.key: row.learning_rate for each, row in pairs if row.learning_rate is not None}
    return retest(recorded.entrants, rates, task, few, pool, stop, watcher)
