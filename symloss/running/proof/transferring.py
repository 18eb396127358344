"""Trying a formula on tasks that it was not searched on: the same fair trial on each, and what all of them come to.

Every task has a store of its own, so that an interrupted transfer goes on where it was.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError, RunError
from symloss.interrupts import Interrupts
from symloss.judging.seal import data_digest
from symloss.judging.stacking import Decision
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.language.files import plain, write_whole
from symloss.language.formula import Formula
from symloss.markup import fields_html, table_html
from symloss.running.notebook import usual_observer
from symloss.running.observer import Observer
from symloss.running.proof.comparing import Trying, comparison, plan_comparison
from symloss.running.proof.entrants import Entrant
from symloss.running.proof.evidence import PATHS
from symloss.running.proof.finals import Row, rows_of
from symloss.running.proof.pairs import Tested, unit_for, verdicts
from symloss.running.proof.trials import Ring, Trials
from symloss.running.proof.verdict import Interval, Unit, Verdict, sentence
from symloss.running.seeds import transfer_seeds
from symloss.running.session import Crew, opened_pool
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore

RESULT = "transfer.json"


@dataclass(frozen=True)
class Ground:
    """A task that formulas are tried on.

    Args:
        label: as tables call it.
        task: as `make_task` reads it.
        steps, learning_rates: of its own; None for those of the transfer.
    """

    label: str
    task: Mapping[str, Any]
    steps: int | None = None
    learning_rates: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Column:
    """What came out on one task.

    Args:
        rows: one a formula, in the transfer's order.
        differences: of each formula but the reference to the reference, larger is better; the reference stands out.
        unit: in which the differences are written.
        sentence: the first formula against every other, in words.
    """

    label: str
    task: Mapping[str, Any]
    metric: str
    steps: int
    seeds: int
    rows: tuple[Row, ...]
    differences: tuple[Verdict, ...]
    unit: Unit
    sentence: str


@dataclass(frozen=True)
class Transfer:
    """A formula and others on several tasks.

    Args:
        subject: name of the formula that is tried.
        reference: name of the formula that all are set against.
        formulas: name -> text, the subject first.
    """

    subject: str
    reference: str
    formulas: Mapping[str, str]
    columns: tuple[Column, ...]

    @property
    def sentence(self) -> str:
        """What the tasks come to for the subject, in words."""
        found = [_standing(column, self.subject) for column in self.columns]
        parts = [f"{words} on {found.count(words)}" for words in _STANDINGS if words in found]
        tasks = "one task" if len(found) == 1 else f"{len(found)} tasks"
        return f"{self.subject} against tuned {self.reference} on {tasks}: {', '.join(parts)}"

    def _repr_html_(self) -> str:
        rows = [{"loss": name} | {each.label: _cell(each, name) for each in self.columns} for name in self.formulas]
        title = f"Difference to {self.reference} on the test set, 95 % interval (+ is better)"
        return fields_html([("verdict", self.sentence)]) + table_html(rows, title)

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        table: dict[str, Any] = plain(asdict(self))
        return table | {"sentence": self.sentence}


def _cell(column: Column, name: str) -> str:
    verdict = next((each for each in column.differences if each.baseline == name), None)
    if verdict is None or verdict.interval is None:
        return "the reference" if verdict is None else verdict.reason
    interval, unit = verdict.interval, column.unit
    numbers = [
        unit.number(each, interval.low, interval.high) for each in (interval.difference, interval.low, interval.high)
    ]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]}) {unit.name}"


_STANDINGS = ("better", "not better", "worse", "not comparable")


def _standing(column: Column, name: str) -> str:
    verdict = next((each for each in column.differences if each.baseline == name), None)
    if verdict is None or verdict.interval is None:
        return _STANDINGS[3]
    return _STANDINGS[0 if verdict.better else 2 if verdict.worse else 1]


def transfer_formulas(
    formulas: Mapping[str, Formula],
    grounds: Sequence[Ground],
    trying: Trying,
    folder: Path,
    crew: Crew | None = None,
    observer: Observer | None = None,
    column_done: Callable[[Column], None] = lambda column: None,
) -> Transfer | None:
    """Train with each formula on each task, rates tuned on validation alike, fresh seeds, the test set once.

    Args:
        formulas: name -> formula; the first is the one that is tried, the second the reference.
        folder: keeps what was trained, and the result as `transfer.json`; made where it is missing.
        column_done: told each task's result.

    Returns:
        None when interrupted; the same call goes on.

    Raises:
        ExperimentError: a task cannot be made, or is of another slot than the formulas.
        RunError: the folder cannot be used.
    """
    tasks = [_fitting(ground, formulas) for ground in grounds]
    watched, columns = observer or usual_observer(), []
    (subject, reference), *_ = [tuple(formulas)[:2]]
    with Interrupts() as interrupts, _locked(folder):
        for ground, task in zip(grounds, tasks, strict=True):
            column = _try_on(ground, task, formulas, trying, folder, crew or Crew(), interrupts, watched)
            if column is None:
                return None
            columns.append(column)
            column_done(column)
            so_far = Transfer(subject, reference, {name: each.text for name, each in formulas.items()}, tuple(columns))
            write_whole(folder / RESULT, json.dumps(so_far.document(), indent=2) + "\n")
    watched.finals_done(so_far.sentence)
    return so_far


def _fitting(ground: Ground, formulas: Mapping[str, Formula]) -> Task:
    task, slot = make_task(ground.task), next(iter(formulas.values())).slot
    if task.slot != slot:
        raise ExperimentError(
            f"--tasks: '{ground.label}' is of the slot {task.slot}, and the formula of {slot}; a formula transfers "
            "within its slot. `symloss list tasks` shows the tasks with their slots."
        )
    return task


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made to keep a transfer in: {error}.") from error
    with RunDirectory(folder).locked():
        yield


def _try_on(
    ground: Ground, task: Task, formulas: Mapping[str, Formula], trying: Trying, folder: Path, crew: Crew,
    interrupts: Interrupts, observer: Observer,
) -> Column | None:  # fmt: skip
    own = replace(
        trying,
        steps=ground.steps or trying.steps,
        learning_rates=ground.learning_rates or trying.learning_rates,
    )
    field = [Entrant(name, formula, "named") for name, formula in formulas.items()]
    with _store(folder, ground, own, task) as store, opened_pool(ground.task, crew, task) as pool:
        trials = _trials(ground, task, own, store)
        ring = Ring(task, trials, pool, store, interrupts.stop, observer.trial_done)
        chosen = ring.validate(field)
        tested = None if chosen is None else ring.test(field, chosen)
    if chosen is None or tested is None:
        return None
    rows = rows_of(field, chosen, tested, task)
    return _column(ground, field, rows, tested, task, trials)


def _trials(ground: Ground, task: Task, trying: Trying, store: RunStore) -> Trials:
    known = store.meta()
    decided = Decision(known["stack"], "", known["members"]) if "stack" in known else None
    trials = plan_comparison(comparison(ground.task, trying), task, decided)
    store.write_meta({"stack": trials.plan.stack, "members": trials.plan.members})
    return replace(trials, plan=replace(trials.plan, seeds=transfer_seeds(trying.seed, trying.seeds)))


def _column(
    ground: Ground, field: Sequence[Entrant], rows: tuple[Row, ...], tested: Tested, task: Task, trials: Trials
) -> Column:
    subject, reference, *others = field
    won = tuple(verdicts(subject, [reference, *others], tested, task.metric, task, trials))
    against = [replace(won[0], baseline=subject.name)]
    for each in verdicts(reference, others, tested, task.metric, task, trials):
        against.append(replace(each, interval=each.interval and _negative(each.interval)))
    unit = unit_for(task.metric, next(iter(tested.values()), None), task)
    spec = {key: value for key, value in ground.task.items() if key not in PATHS}
    seeds = len(trials.plan.seeds)
    said = sentence(won, unit)
    return Column(ground.label, spec, task.metric.name, trials.plan.steps, seeds, rows, tuple(against), unit, said)


def _negative(interval: Interval) -> Interval:
    return replace(interval, difference=-interval.difference, low=-interval.high, high=-interval.low)


def _store(folder: Path, ground: Ground, trying: Trying, task: Task) -> RunStore:
    """Open the store that keeps what was trained on a task; another task, or other data, has another one."""
    facts = json.dumps([dict(ground.task), data_digest(task), asdict(trying)], sort_keys=True, default=str)
    stem = re.sub(r"\W+", "-", ground.label).strip("-")[:40] or "task"
    path = folder / f"{stem}-{hashlib.sha256(facts.encode()).hexdigest()[:8]}.sqlite"
    if path.exists():
        return RunStore.open(path)
    # Renamed when whole: a store without its facts could not be opened again.
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    RunStore.create(part, {"name": ground.label}).close()
    part.replace(path)
    return RunStore.open(path)
