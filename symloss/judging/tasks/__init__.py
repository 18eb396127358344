"""The table of tasks, and how an experiment's [task] section becomes one.

A new task is one file here and one line in TASKS; a user's own task is a file that the experiment names.
"""

import importlib
import inspect
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss import plugins
from symloss.errors import ExperimentError, unknown
from symloss.judging.tasks.own import call_factory, make_own

if TYPE_CHECKING:
    from symloss.judging.tasks.task import Task

RESERVED = ("name", "factory", "folder")


@dataclass(frozen=True)
class TaskFactory:
    """A task that experiments can name.

    Args:
        home: `module:function`, imported when the task is made: listing the tasks costs no torch import.
        options: name of a setting -> what it does; the keywords of the function.
        brings_data: whether its data come with symloss or its packages; otherwise they are files of the user's.
        package: that it comes from; empty for a built-in one. What such a task is made of is checked.
    """

    name: str
    slot: str
    about: str
    home: str
    options: Mapping[str, str] = field(default_factory=dict)
    brings_data: bool = True
    package: str = ""

    def make(self, **options: Any) -> "Task":
        """Make the task.

        Raises:
            ExperimentError: an option is out of its range.
        """
        module, name = self.home.split(":")
        function = operator.attrgetter(name)(importlib.import_module(module))
        if self.package:
            return call_factory(f"[task] {self.name} of the package {self.package}", function, options)
        task: Task = function(**options)
        return task


_HARDSHIPS = {
    "noise": "share of training labels flipped to another class, in [0, 1); default 0",
    "examples": "training rows kept; default all 944",
    "imbalance": "rows of the most frequent class over the rarest's, at least 1; default 1",
}
_OPTIMISER = {
    "optimiser": "sgd, momentum or adam; default adam",
    "device": "cpu, cuda or auto, where models train; default cpu",
}
_IMAGES = (
    _HARDSHIPS
    | {"examples": "training rows kept; default all"}
    | _OPTIMISER
    | {
        "hidden": "widths of the hidden layers; default [128]",
        "batch_size": "rows per step; default 100",
        "validation": "rows of the official training part that validation takes; default 5000",
        "data_dir": "directory of data sets, with this one's folder in it; default the environment's SYMLOSS_DATA",
    }
)

TASKS: dict[str, TaskFactory] = {
    task.name: task
    for task in (
        TaskFactory(
            "digits",
            "classification",
            "handwritten digits, 1797 images of 8 x 8 pixels, 10 classes",
            "symloss.judging.tasks.digits:digits",
            _HARDSHIPS
            | {"model": "mlp or conv; default mlp"}
            | _OPTIMISER
            | {"hidden": "widths of the hidden layers; default [64, 64]"},
        ),
        TaskFactory(
            "diabetes",
            "regression",
            "progress of diabetes in 442 patients from 10 measurements",
            "symloss.judging.tasks.diabetes:diabetes",
            _OPTIMISER | {"hidden": "widths of the hidden layers; default [32, 32]"},
        ),
        TaskFactory(
            "digits_activation",
            "activation",
            "handwritten digits; the formula is the perceptron's nonlinearity",
            "symloss.judging.tasks.digits_activation:digits_activation",
            _HARDSHIPS | _OPTIMISER | {"hidden": "widths of the hidden layers; default [64, 64]"},
        ),
        TaskFactory(
            "mnist",
            "classification",
            "handwritten digits, 70000 images of 28 x 28 pixels, 10 classes; the files are yours",
            "symloss.judging.tasks.mnist:mnist",
            _IMAGES,
            brings_data=False,
        ),
        TaskFactory(
            "fashion_mnist",
            "classification",
            "pieces of clothing, 70000 images of 28 x 28 pixels, 10 classes; the files are yours",
            "symloss.judging.tasks.mnist:fashion_mnist",
            _IMAGES,
            brings_data=False,
        ),
    )
}


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
