"""How an experiment's [task] section becomes a task: one of the table TASKS, or one of a user's own file."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss import plugins
from symloss.errors import ExperimentError, unknown
from symloss.judging.tasks.catalogue import TASKS, TaskFactory
from symloss.judging.tasks.own import make_own

if TYPE_CHECKING:
    from symloss.judging.tasks.task import Task

__all__ = ["TASKS", "TaskFactory", "adopt_task", "make_task"]

RESERVED = ("name", "factory", "folder")


def adopt_task(name: str) -> None:
    """Let a package that offers a task of this name add it to TASKS, see `plugins.adopt`."""
    plugins.adopt("tasks", TASKS, name, _fit)


def _fit(offer: plugins.Offer, given: Any) -> TaskFactory:
    """Take a TaskFactory, or a function that returns a task, of which the keywords are the options."""
    if isinstance(given, TaskFactory):
        return replace(plugins.record_of(TaskFactory, lambda record: record.name)(offer, given), package=offer.package)
    if not callable(given):
        raise ValueError(f"{offer.entry.value} is a {type(given).__name__}; it must be a function that makes a task.")
    about = (inspect.getdoc(given) or "").partition("\n")[0]
    parameters = inspect.signature(given).parameters.values()
    options = {each.name: "" if each.default is each.empty else f"default {each.default!r}" for each in parameters}
    return TaskFactory(
        offer.name, "", about, f"{offer.entry.module}:{offer.entry.attr}", options, package=offer.package
    )


def runs_own_code(spec: Mapping[str, Any]) -> bool:
    """Whether a task's model and data are code that is not symloss's own: a user's file, or a package."""
    return "factory" in spec or bool(TASKS[str(spec["name"])].package)


def make_task(spec: Mapping[str, Any]) -> "Task":
    """Make the task that an experiment's [task] section describes.

    A `factory` is a Python file of the user's: making the task RUNS THAT FILE'S CODE, here and in every worker.

    Args:
        spec: `{"name": "digits", "noise": 0.4}`, or `{"factory": "my_task.py:task", ...}`; the other keys are options,
            and a relative factory path starts from `spec["folder"]`.

    Raises:
        ExperimentError: the task, an option or the file is unknown, an option is out of range, the factory raises or
            returns something else.

    Example:
        >>> make_task({"name": "digits", "noise": 0.4}).slot
        'classification'
    """
    options = {key: value for key, value in spec.items() if key not in RESERVED}
    if ("name" in spec) == ("factory" in spec):
        raise ExperimentError(
            f"[task] needs either name (one of {', '.join(sorted(TASKS))}) "
            'or factory, e.g. factory = "my_task.py:task".'
        )
    if "factory" in spec:
        return make_own(str(spec["factory"]), Path(spec.get("folder", ".")), options)
    name = str(spec["name"])
    adopt_task(name)
    if name not in TASKS:
        raise ExperimentError(unknown("[task] name", "task", name, TASKS))
    for option in options:
        if option not in TASKS[name].options:
            raise ExperimentError(unknown(f"[task] {name}", "option", option, TASKS[name].options))
    return TASKS[name].make(**options)
