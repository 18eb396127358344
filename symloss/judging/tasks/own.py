"""Tasks from a user's file: the function that an experiment names is imported, called, and its task checked.

Making such a task runs the file's code.
"""

import functools
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.errors import ExperimentError, SymlossError, unknown
from symloss.judging.failures import FAULTS, in_words
from symloss.language.slots import SLOTS, adopt_slot
from symloss.notices import notice

if TYPE_CHECKING:
    from symloss.judging.tasks.task import Task

PARTS = (
    "name",
    "slot",
    "x",
    "width",
    "metric",
    "metrics",
    "optimiser",
    "learning_rates",
    "batch_size",
    "split",
    "test",
    "model",
)  # of the protocol Task


def make_own(factory: str, folder: Path, options: Mapping[str, Any]) -> "Task":
    """Call the function of a user's file and check what it returns."""
    return call_factory(f"[task] factory {factory}", load_function(factory, folder), options)


def call_factory(place: str, function: Callable[..., Any], options: Mapping[str, Any]) -> "Task":
    """Call a function that makes a task and is not symloss's own, and check what it returns."""
    try:
        inspect.signature(function).bind(**options)
    except TypeError as error:
        raise ExperimentError(f"{place} does not take these options: {error}. Given: {sorted(options)}.") from error
    try:
        task = function(**options)
    except SymlossError:
        raise
    except FAULTS as error:
        raise ExperimentError(f"{place} raised {in_words(error)}.") from error
    return check_own(place, task)


def check_own(place: str, task: Any) -> "Task":
    """Refuse an object that is no task, as far as that shows before training."""
    missing = [part for part in PARTS if not hasattr(task, part)]
    if missing:
        raise ExperimentError(
            f"{place} must return a SupervisedTask (or an object like it), it returned "
            f"{type(task).__name__} without {', '.join(missing)}."
        )
    adopt_slot(str(task.slot))
    if task.slot not in SLOTS:
        raise ExperimentError(unknown(place, "slot", str(task.slot), SLOTS))
    try:
        split, _, _ = task.split(0), task.model(0), task.test()
        shared = set(split.train_index.tolist()) & set(split.valid_index.tolist())
    except SymlossError:
        raise
    except FAULTS as error:
        raise ExperimentError(f"{place}: split, model or test of its task raised {in_words(error)}.") from error
    if shared or not len(split.train_y) or not len(split.valid_y):
        raise ExperimentError(
            f"{place}: split must divide rows into training and validation, at least one row each and none in both; "
            f"it gave {len(split.train_y)} and {len(split.valid_y)} rows, {len(shared)} of them in both."
        )
    made: Task = task
    return made


def load_function(factory: str, folder: Path) -> Callable[..., Any]:
    """Import a user's file by its path and return the function that it names."""
    path_text, colon, name = factory.rpartition(":")
    if not colon or not path_text.endswith(".py") or not name.isidentifier():
        raise ExperimentError(f"[task] factory must be 'file.py:function', e.g. 'my_task.py:task', got '{factory}'.")
    path = (folder / path_text).resolve()
    if not path.is_file():
        raise ExperimentError(
            f"[task] factory names the file {path}, which does not exist. A relative path starts from {folder}."
        )
    _tell(path)
    module = import_file(path)
    functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if not callable(getattr(module, name, None)):
        raise ExperimentError(unknown(f"[task] factory {path_text}", "function", name, functions))
    function: Callable[..., Any] = getattr(module, name)
    return function


@functools.cache
def _tell(path: Path) -> None:
    """Say, once in a process, that a file is about to be run: an experiment may come from somebody else."""
    notice(f"this experiment runs your Python file {path}, which may do whatever you may do")


def import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"symloss_own_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except FAULTS as error:
        raise ExperimentError(f"[task] factory: importing {path} raised {in_words(error)}.") from error
    return module
