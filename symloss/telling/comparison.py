"""Comparing losses that a person names: targets and a task in words become the finals' fair trial.

The task may be named as anywhere: built-in, a file of one's own, or the task of an experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError, unknown
from symloss.judging.tasks import TASKS, adopt_task
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo
from symloss.running.config import load_experiment
from symloss.running.observer import Observer
from symloss.running.proof.comparing import Trying, compare_formulas
from symloss.running.proof.finals import Finals
from symloss.running.session import Crew
from symloss.settings import override, read_record
from symloss.telling.target import Target, find_target


def compare_targets(
    texts: Sequence[str],
    task: str,
    overrides: Iterable[str] = (),
    slot: str | None = None,
    crew: Crew | None = None,
    observer: Observer | None = None,
) -> tuple[list[str], Finals | None]:
    """Train with each target on a task, and set the first against each other one.

    Args:
        texts: targets; a lone one meets its slot's reference loss.
        task: a built-in task, `file.py:function`, or an experiment whose task, steps and learning rates are taken.
        overrides: changes such as `task.noise=0.4`, `steps=600` or `seeds=20`.

    Returns:
        The names in the table, and the finals; None when interrupted.

    Raises:
        ExperimentError: the task or a setting is not allowed, or a target is of another slot.
    """
    table = override(task_table(task), overrides)
    spec = table.pop("task")
    if not isinstance(spec, dict):
        raise ExperimentError(f"--set task={spec} is no setting; write task.noise=0.4, or name another --task.")
    trying = read_record(Trying, table, "--set")
    formulas = _named([find_target(text, slot) for text in texts])
    finals = compare_formulas(formulas, spec, trying, crew or Crew(), observer)
    return list(formulas), finals


def task_table(task: str) -> dict[str, Any]:
    """Read a task's name, `file.py:function`, or an experiment, of which steps and learning rates are taken as well."""
    adopt_task(task)
    if task in TASKS:
        return {"task": {"name": task}}
    if ".py:" in task:
        return {"task": {"factory": task, "folder": str(Path.cwd())}}
    try:
        experiment = load_experiment(task)
    except ExperimentError as error:
        if task.endswith(".toml"):
            raise
        raise ExperimentError(unknown("--task", "task", task, TASKS)) from error
    budget, finals = experiment.budget, experiment.finals
    table: dict[str, Any] = {"task": dict(experiment.task), "steps": finals.steps or budget.steps}
    return table | ({"learning_rates": list(finals.learning_rates)} if finals.learning_rates else {})


def _named(targets: Sequence[Target]) -> dict[str, Formula]:
    if len(targets) == 1:
        name = SLOTS[targets[0].formula.slot].baselines[0]
        targets = [*targets, Target("zoo", name, zoo[name])]
    formulas: dict[str, Formula] = {}
    for target in targets:
        name = target.formula.text if target.kind == "formula" else target.name
        if target.formula in formulas.values():
            raise ExperimentError(f"{name} is the same formula as another target; name different ones.")
        formulas[name if name not in formulas else f"{name} ({len(formulas) + 1})"] = target.formula
    return formulas
