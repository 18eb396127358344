"""An experiment: what is searched, on which task, at what cost, until when, and how the winner is tried.

It is read from TOML with overrides, checked whole, and written back resolved, so that a run says what it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import tomli_w

import symloss
from symloss.errors import ExperimentError, SymlossError, shortened, unknown
from symloss.judging.plan import COHORT, MEMORY
from symloss.judging.tasks.task import Task
from symloss.language.files import expanded, names_file, read_text
from symloss.language.grammar import Grammar
from symloss.language.lossfile import read_loss
from symloss.language.tuning import UNTUNED, Tuning
from symloss.language.zoo import ZOO, adopt_entry, zoo
from symloss.searching.searches import read_settings
from symloss.searching.warm_start import plant_all
from symloss.settings import (
    LONGEST,
    choice,
    duration,
    number,
    override,
    pattern,
    read_record,
    read_toml,
    setting,
    several,
    size,
    table,
    whole,
)

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
RATES = several(number(0.0, above=True), "[0.001, 0.01], each positive and finite")

REDUCTION_FACTOR = 2.0  # what docs/fidelity.md finds to cost nothing

# What a resumed run may change: results so far do not depend on these.
CHANGEABLE = ("stop", "finals")


@dataclass(frozen=True)
class Budget:
    """What one evaluation may cost.

    Args:
        steps: optimiser steps of each training.
        learning_rates: every candidate trains at each, and is judged at its best one; None for the task's own.
        seeds: trainings per learning rate, each with weights, order, noise and split of its own.
        rungs: steps below `steps` at which validation, at most 2,048 rows of it, is measured, and hopeless learning
            rates are stopped.
        reduction_factor: of all learning rates of all earlier candidates, the best one in so many go on at each rung;
            1 stops nobody; None for 2.
        rate_factor: of a candidate's own learning rates the best one in so many go on at each rung; 1 stops none.
        cohort: candidates that train together at most; a job is as many of them as make a stack.
        stack: train a cohort as one stacked model, one by one, or as a short measurement says.
        timeout: seconds that one job may take.
        memory: bytes that a worker's stack of models may take; a cohort that needs more is cut into several stacks.
    """

    steps: int = setting(whole(1), 300)
    learning_rates: tuple[float, ...] | None = setting(RATES, None)
    seeds: int = setting(whole(1), 2)
    rungs: tuple[int, ...] = setting(several(whole(1), "[50, 100]", at_least=0), ())
    reduction_factor: float | None = setting(number(1.0), None)
    rate_factor: float = setting(number(1.0), 1.0)
    cohort: int = setting(whole(1), COHORT)
    stack: str = setting(choice("auto", "stacked", "single"), "auto")
    timeout: float = setting(duration(), 120.0)
    memory: int = setting(size(), MEMORY)


@dataclass(frozen=True)
class Stop:
    """When the search ends: whichever of these comes first.

    Args:
        generations: that the search has asked for and been told about; of an asynchronous one, as many candidates.
        evaluations: distinct candidates trained; the batch in which the number is reached is finished.
        time: seconds of searching, all sessions of the run together.
        target: fitness, in the metric's own units, that the best candidate must reach.
        steps: training steps of the base model, those of tuning included: the cost by which methods are compared; the
            batch in which the number is reached is finished.
    """

    generations: int | None = setting(whole(1), None)
    evaluations: int | None = setting(whole(1), None)
    time: float | None = setting(duration(), None)
    target: float | None = setting(number(), None)
    steps: int | None = setting(whole(1), None)


@dataclass(frozen=True)
class FinalsPlan:
    """How the winner is chosen and tried.

    Args:
        seeds: fresh training seeds, at least 2 for an interval.
        top: best formulas of the search that enter; 0 holds no finals.
        steps: optimiser steps; None for the budget's.
        learning_rates: tuned over, for every formula alike; None for the budget's and one beyond at either end.
        baselines: zoo names, the first is the one to beat; None for the slot's.
        resamples: of the bootstrap behind each interval.
        polish: how the numbers of the top formulas are tuned once more, see Tuning; the tuned ones enter beside the
            others. By default they are not.
    """

    seeds: int = setting(whole(2), 12)
    top: int = setting(whole(0), 5)
    steps: int | None = setting(whole(1), None)
    learning_rates: tuple[float, ...] | None = setting(RATES, None)
    baselines: tuple[str, ...] | None = setting(several(pattern(NAME, "a zoo name"), '["cross_entropy"]'), None)
    resamples: int = setting(whole(100), 5000)
    polish: Tuning = setting(table(UNTUNED, "[finals.polish]"), UNTUNED)  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class _Top:
    """The keys outside the sections."""

    name: str = setting(pattern(NAME, "up to 64 letters, digits, '_', '.' and '-'"))
    seed: int = setting(whole(0), 0)
    grammar: str = setting(pattern(r"[^\n]+", "a grammar's name, or the path of a .toml file"), "compact")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's result; the machine and the number of workers do not.

    Args:
        grammar: a built-in grammar's name, or an absolute path.
        task: as `tasks.make_task` reads it, its paths absolute: `data_dir`, and the `folder` that a relative factory
            path starts from.
        search: `method`, and that method's settings.
    """

    name: str
    seed: int
    grammar: str
    task: Mapping[str, Any]
    search: Mapping[str, Any]
    budget: Budget = field(default_factory=Budget)
    stop: Stop = field(default_factory=Stop)
    finals: FinalsPlan = field(default_factory=FinalsPlan)

    @property
    def method(self) -> str:
        """The search's name in SEARCHES."""
        return str(self.search["method"])

    @property
    def search_settings(self) -> dict[str, Any]:
        """The search's own settings, without its method."""
        return {key: value for key, value in self.search.items() if key != "method"}

    @property
    def tuning(self) -> Tuning:
        """How the search has each formula's numbers tuned."""
        return read_settings(self.method, self.search_settings).tuning


SECTIONS = {"budget": Budget, "stop": Stop, "finals": FinalsPlan}


def load_experiment(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
    """Read an experiment by the name of a built-in one or by path.

    Args:
        overrides: changes such as `search.population=80` or `stop.time=10m`, made before anything is checked.

    Raises:
        ExperimentError: there is no such experiment, or it cannot be run as it stands.

    Example:
        >>> load_experiment("noisy_digits", ["stop.generations=3"]).stop.generations
        3
    """
    path = _find(str(name_or_path))
    try:
        text = read_text(path, 4 * LONGEST, "an experiment")
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read as an experiment: {error}.") from error
    table = override({"name": path.stem, **read_toml(text, str(path))}, overrides)
    return read_experiment(table, str(path), path.parent)


def read_experiment(table: Mapping[str, Any], place: str, folder: Path) -> Experiment:
    """Check a table and turn it into an experiment.

    Args:
        place: the file, as complaints name it.
        folder: where relative paths start.

    Raises:
        ExperimentError: a key is unknown, missing or not allowed, or no stop is set.
    """
    top = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    known = [*(each.name for each in fields(Experiment))]
    for key in table:
        if key not in known:
            raise ExperimentError(unknown(place, "section" if key not in top else "key", key, known))
    _sections_are_tables(table, place)
    head = read_record(_Top, _only(top, _Top), place)
    sections: dict[str, Any] = {
        key: read_record(kind, table.get(key, {}), f"{place}: [{key}]") for key, kind in SECTIONS.items()
    }
    task, search = _task(table.get("task"), place, folder), _search(table.get("search", {}), place, folder)
    experiment = Experiment(head.name, head.seed, _grammar(head.grammar, folder), task, search, **sections)
    _check(experiment, place)
    return experiment


def resolved(experiment: Experiment, learning_rates: Sequence[float]) -> Experiment:
    """Fill in what an experiment leaves to its task and to its own budget.

    Args:
        learning_rates: the task's own.

    Returns:
        The experiment with all learning rates, steps and the reduction factor in place, as it is kept with its run.
    """
    # Not a default of the record: a run that was begun before there was a factor goes on without one.
    factor = experiment.budget.reduction_factor or (REDUCTION_FACTOR if experiment.budget.rungs else None)
    rates = experiment.budget.learning_rates or tuple(learning_rates)
    beyond = (float(f"{min(rates) / 3:.3g}"), *rates, float(f"{max(rates) * 3:.3g}"))
    finals = replace(
        experiment.finals,
        steps=experiment.finals.steps or experiment.budget.steps,
        learning_rates=experiment.finals.learning_rates or tuple(sorted(beyond)),
    )
    budget = replace(experiment.budget, learning_rates=rates, reduction_factor=factor)
    return replace(experiment, budget=budget, finals=finals)


def experiment_toml(experiment: Experiment) -> str:
    """Write a resolved experiment as TOML that reads back as the same experiment."""
    table: dict[str, Any] = {"name": experiment.name, "seed": experiment.seed, "grammar": experiment.grammar}
    table |= {"task": dict(experiment.task), "search": dict(experiment.search)}
    return tomli_w.dumps(table | {key: _table(getattr(experiment, key)) for key in SECTIONS})


def changed_for_resume(experiment: Experiment, overrides: Iterable[str], place: str) -> Experiment:
    """Return a stored run's experiment with overrides made, where they may be made.

    Raises:
        ExperimentError: an override would change something that the results so far depend on.
    """
    own = read_toml(experiment_toml(experiment), place)
    table = override(own, overrides)
    for key, value in own.items():  # first of all: what else is wrong with such a change is of no interest
        if key not in CHANGEABLE and table[key] != value:
            raise ExperimentError(
                f"{place}: [{key}] differs from the run's own, and its results so far depend on it. "
                f"A resumed run may change only [{'] and ['.join(CHANGEABLE)}]; start a new run for the rest."
            )
    return read_experiment(table, place, Path(place).parent)


def check_fit(experiment: Experiment, grammar: Grammar, task: Task) -> None:
    """Refuse a grammar or baselines of another slot than the task's.

    Raises:
        ExperimentError: what does not fit, in words.
    """
    if grammar.slot != task.slot:
        raise ExperimentError(
            f"{experiment.name}: grammar {grammar.name} is for the slot {grammar.slot}, and task '{task.name}' needs "
            f"{task.slot}; choose another grammar."
        )
    try:
        plant_all(experiment.search.get("initial", ()), grammar)
    except ExperimentError as error:
        raise ExperimentError(f"{experiment.name}: {error}") from error
    for name in experiment.finals.baselines or ():
        adopt_entry(name)
    known = [name for name, entry in ZOO.items() if entry.slot == task.slot]
    for name in experiment.finals.baselines or ():
        if name not in known:
            raise ExperimentError(unknown(f"{experiment.name}: [finals] baselines", "baseline", name, known))


def list_experiments() -> list[str]:
    """Return the names of the built-in experiments."""
    return sorted(path.stem for folder in _folders() for path in folder.rglob("*.toml"))


def _folders() -> list[Path]:
    package = Path(symloss.__file__).parent
    both = (package / "experiments", package.parent / "experiments")
    return [folder for folder in both if folder.is_dir()][:1]


def _find(name: str) -> Path:
    path = Path(name)
    if names_file(path):
        return path.resolve()
    if name.endswith(".toml") or len(path.parts) != 1:
        raise ExperimentError(f"there is no experiment file {name}; built in are: {', '.join(list_experiments())}.")
    found = [path for folder in _folders() for path in sorted(folder.rglob("*.toml")) if path.stem == name]
    if not found:
        raise ExperimentError(unknown("the command", "experiment", name, list_experiments()))
    return found[0]


def _sections_are_tables(table: Mapping[str, Any], place: str) -> None:
    for key in ("task", "search", *SECTIONS):
        if not isinstance(table.get(key, {}), Mapping):
            raise ExperimentError(f"{place}: {key} is {shortened(repr(table[key]))}; it must be a section, [{key}].")
    for each in fields(_Top):
        if isinstance(table.get(each.name), Mapping):
            raise ExperimentError(f"{place}: [{each.name}] is a section; it must be a value, {each.name} = ...")


def _only(table: Mapping[str, Any], kind: type[_Top]) -> dict[str, Any]:
    return {each.name: table[each.name] for each in fields(kind) if each.name in table}


def _task(table: Mapping[str, Any] | None, place: str, folder: Path) -> dict[str, Any]:
    if not table:
        raise ExperimentError(f'{place} lacks [task]; write name = "digits", or factory = "my_task.py:task".')
    if "factory" not in table:
        data = {key: str((folder / expanded(str(table[key]))).resolve()) for key in table if key == "data_dir"}
        return {**table, **data}
    base = folder / str(table.get("folder", "."))
    return {**table, "folder": str(base.resolve())}


def _search(table: Mapping[str, Any], place: str, folder: Path) -> dict[str, Any]:
    """Return the section with its warm starts as texts, so that a run needs no file of elsewhere."""
    search = {"method": "evolution", **table}
    given = search.get("initial")
    if isinstance(given, list | tuple):
        search["initial"] = [_initial(each, place, folder) for each in given]
    return search


def _initial(given: Any, place: str, folder: Path) -> Any:
    if not isinstance(given, str):
        return given
    adopt_entry(given)
    if given in ZOO:
        return zoo[given].text
    if not given.endswith(".json"):
        return given
    try:
        return read_loss(folder / expanded(given)).formula.text
    except SymlossError as error:
        raise ExperimentError(f"{place}: [search] initial: {error}") from error


def _grammar(name: str, folder: Path) -> str:
    return str((folder / name).resolve()) if name.endswith(".toml") else name


def _check(experiment: Experiment, place: str) -> None:
    budget, stop = experiment.budget, experiment.stop
    if not isinstance(experiment.search["method"], str):
        raise ExperimentError(f"{place}: [search] method is {experiment.method}; it must be a search's name.")
    read_settings(experiment.method, experiment.search_settings, place)
    if any(rung >= budget.steps for rung in budget.rungs):
        raise ExperimentError(
            f"{place}: [budget] rungs is {list(budget.rungs)}; each must lie below steps = {budget.steps}."
        )
    if budget.rate_factor > 1 and not budget.rungs:
        raise ExperimentError(
            f"{place}: [budget] rate_factor is {budget.rate_factor:g}, and there are no rungs at which learning rates "
            f"could be compared; set rungs, e.g. [{max(1, budget.steps // 4)}], or leave rate_factor out."
        )
    if all(getattr(stop, each.name) is None for each in fields(stop)):
        names = ", ".join(each.name for each in fields(stop))
        raise ExperimentError(f"{place}: [stop] is empty, so the search would never end; set one of {names}.")


def _table(record: Budget | Stop | FinalsPlan) -> dict[str, Any]:
    pairs = ((each.name, getattr(record, each.name)) for each in fields(record))
    return {key: _plain(value) for key, value in pairs if value is not None and value != UNTUNED}


def _plain(value: Any) -> Any:
    if isinstance(value, Tuning):
        return asdict(value)
    return list(value) if isinstance(value, tuple) else value
