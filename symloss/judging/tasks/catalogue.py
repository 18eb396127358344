"""The table of tasks: what experiments can name, with every option in words.

A new task is one file in this folder and one record here. Listing them imports no torch.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symloss.judging.tasks.own import call_factory
from symloss.judging.tasks.tables import TABLES, Table

if TYPE_CHECKING:
    from symloss.judging.tasks.task import Task

HARDSHIPS = {
    "noise": "share of training labels flipped to another class, in [0, 1); default 0",
    "noise_kind": "uniform, to any other class, or pair, to the next one; default uniform",
    "examples": "training rows kept; default all",
    "imbalance": "rows of the most frequent class over the rarest's, at least 1; default 1",
}


@dataclass(frozen=True)
class TaskFactory:
    """A task that experiments can name.

    Args:
        home: `module:function`, imported when the task is made: listing the tasks costs no torch import.
        options: name of a setting -> what it does; the keywords of the function.
        brings_data: whether its data come with symloss or its packages; otherwise they are files of the user's.
        package: that it comes from; empty for a built-in one. What such a task is made of is checked.
        given: keywords of the function that the record fills in, and no experiment may.
        hardship: whether the options of HARDSHIPS reach the function as one record, its keyword `hardship`.
    """

    name: str
    slot: str
    about: str
    home: str
    options: Mapping[str, str] = field(default_factory=dict)
    brings_data: bool = True
    package: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    hardship: bool = False

    def make(self, **options: Any) -> Task:
        """Make the task.

        Raises:
            ExperimentError: an option is out of its range.
        """
        module, name = self.home.split(":")
        function = operator.attrgetter(name)(importlib.import_module(module))
        keywords = {**(gathered(options) if self.hardship else options), **self.given}
        if self.package:
            return call_factory(f"[task] {self.name} of the package {self.package}", function, keywords)
        task: Task = function(**keywords)
        return task


def gathered(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with those of HARDSHIPS in one record."""
    from symloss.judging.tasks.labels import Hardship  # it imports torch

    hard = {name: value for name, value in options.items() if name in HARDSHIPS}
    return {name: value for name, value in options.items() if name not in HARDSHIPS} | {"hardship": Hardship(**hard)}


def training(metric: str, batch_size: int, hidden: str) -> dict[str, str]:
    """Return the options that every task has."""
    return {
        "hidden": f"widths of the hidden layers; default {hidden}",
        "optimiser": "sgd, momentum or adam; default adam",
        "metric": f"what candidates are judged by; default {metric}",
        "batch_size": f"rows per step; default {batch_size}",
        "device": "cpu, cuda or auto, where models train; default cpu",
    }


MODEL = {"model": "mlp, convnet or glo (GLO's network for MNIST); default mlp"}
DATA_DIR = {"data_dir": "directory of data sets, with this one's folder in it; default the environment's SYMLOSS_DATA"}


def of_digits(name: str, about: str, batch_size: int, hidden: str) -> TaskFactory:
    """Make the record of a task of scikit-learn's digits."""
    options = HARDSHIPS | MODEL | training("accuracy", batch_size, hidden)
    return TaskFactory(name, "classification", about, f"symloss.judging.tasks.digits:{name}", options, hardship=True)


def of_images(name: str, about: str) -> TaskFactory:
    """Make the record of a task of images that are the user's files."""
    validation = {"validation": "rows of the official training part that validation takes; default 5000"}
    options = HARDSHIPS | MODEL | training("accuracy", 100, "[128]") | validation | DATA_DIR
    about = f"{about}; the files are yours"
    home = "symloss.judging.tasks.images:images"
    return TaskFactory(name, "classification", about, home, options, False, given={"data": name}, hardship=True)


def of_table(table: Table) -> TaskFactory:
    """Make the record of a task of a table that is the user's file."""
    options = training(table.metric, table.batch_size, str(list(table.hidden))) | DATA_DIR
    return TaskFactory(
        table.name,
        "classification" if table.classes else "regression",
        f"{table.about}; the file is yours",
        "symloss.judging.tasks.tabular:tabular",
        HARDSHIPS | options if table.classes else options,
        brings_data=False,
        given={"data": table.name},
        hardship=bool(table.classes),
    )


TASKS: dict[str, TaskFactory] = {
    task.name: task
    for task in (
        of_digits("digits", "handwritten digits, 1797 images of 8 x 8 pixels, 10 classes", 64, "[64, 64]"),
        of_digits("digits28", "the digits enlarged to 28 x 28 pixels, for what MNIST would cost", 100, "[128]"),
        TaskFactory(
            "digits_activation",
            "activation",
            "handwritten digits; the formula is the perceptron's nonlinearity",
            "symloss.judging.tasks.digits_activation:digits_activation",
            HARDSHIPS | training("accuracy", 64, "[64, 64]"),
            hardship=True,
        ),
        TaskFactory(
            "diabetes",
            "regression",
            "progress of diabetes in 442 patients from 10 measurements",
            "symloss.judging.tasks.diabetes:diabetes",
            training("mse", 32, "[32, 32]"),
        ),
        TaskFactory(
            "xor",
            "regression",
            "whether just one of two numbers is above 1/2, as a value; Kozax's problem",
            "symloss.judging.tasks.xor:xor",
            training("side", 50, "[16, 16]"),
        ),
        TaskFactory(
            "sine",
            "regression",
            "amplitude * sin(frequency * (x - phase)) for x from -5 to 5; ML3's problem",
            "symloss.judging.tasks.sine:sine",
            {
                "amplitude": "above 0; default 1",
                "frequency": "radians per unit of x, above 0; default 1",
                "phase": "radians; default pi",
            }
            | training("mse", 50, "[100, 10]"),
        ),
        of_images("mnist", "handwritten digits, 70000 images of 28 x 28 pixels, 10 classes"),
        of_images("fashion_mnist", "pieces of clothing, 70000 images of 28 x 28 pixels, 10 classes"),
        of_images("cifar10", "animals and vehicles, colour images of 32 x 32 pixels, 10 classes"),
        *(of_table(table) for table in TABLES.values()),
    )
}
