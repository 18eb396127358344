"""A run: ask, screen, train, store, tell, until a stop; then the finals.

All that a search learns comes out of the run store, so a resume is the same loop over outcomes that are there already.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symloss.disk import size_words
from symloss.errors import DiskError, PausedError, RunError
from symloss.judging.cluster import check_reachable
from symloss.judging.stacking import Decision, choose_stacking
from symloss.judging.tasks import make_task
from symloss.language.files import write_whole
from symloss.language.formula import Formula
from symloss.language.grammar import load_grammar, read_grammar
from symloss.language.lossfile import write_loss
from symloss.language.slots import SLOTS
from symloss.markup import Math, fields_html, table_html
from symloss.running.config import (
    Experiment,
    changed_for_resume,
    check_fit,
    experiment_toml,
    load_experiment,
    read_experiment,
    resolved,
)
from symloss.running.course import Course
from symloss.running.notebook import usual_observer
from symloss.running.observer import Observer, Progress
from symloss.running.planning import is_asynchronous, plan_finals, plan_search, plan_trainings
from symloss.running.proof.entrants import entrants
from symloss.running.proof.evidence import evidence_of, trial_record
from symloss.running.proof.finals import Finals, run_finals
from symloss.running.proof.polishing import polish
from symloss.running.proof.trials import Watcher
from symloss.running.session import Crew, Session, Work, opened, withdraw_finals
from symloss.running.stopping import DRY, Ending
from symloss.running.storage.room import check_room, room_needed, tell_network
from symloss.running.storage.rundir import (
    RunDirectory,
    check_vacant,
    default_directory,
    find_run,
    make_directory,
    read_text,
)
from symloss.running.storage.store import RunStore
from symloss.running.stream import stream_run
from symloss.running.wording import progress_line
from symloss.searching.archive import Entry
from symloss.settings import override, read_toml


class ForcedExit(SystemExit):
    """A second signal ended the driver at once; its run can be resumed.

    Args:
        directory: of the run.
    """

    def __init__(self, code: object, directory: Path) -> None:
        super().__init__(code)
        self.directory = directory


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Args:
        directory: where it is kept.
        reason: why the search ended.
        progress: at its end.
        front: Pareto front of fitness against complexity, simplest first.
        finals: None when interrupted before they ended, or none are to be held.
        interrupted: number of the signal that ended the run; None when it ended by itself.
    """

    directory: Path
    reason: str
    progress: Progress
    front: tuple[Entry, ...]
    finals: Finals | None
    interrupted: int | None = None

    @property
    def winner(self) -> Formula | None:
        """The winner of the finals."""
        return self.finals.winner if self.finals else None

    def _repr_html_(self) -> str:
        winner = Math(self.winner.latex()) if self.winner else None
        head = [
            ("run", self.directory),
            ("search", f"{self.reason}; {progress_line(self.progress)}"),
            ("winner", winner),
        ]
        if self.interrupted is not None:
            head.append(("interrupted", f"go on with symloss.resume({str(self.directory)!r})"))
        front = [
            {"complexity": each.formula.complexity, "fitness": each.fitness, "formula": each.formula.text}
            for each in self.front
        ]
        tables = (
            table_html(front, "Front: fitness on validation (larger is better) against complexity") if front else ""
        )
        return fields_html(head) + tables + (self.finals._repr_html_() if self.finals else "")


def search_run(session: Session, ending: Ending) -> str:
    """Search until a stop; what the store holds already is told again, not trained again.

    Returns:
        Why the search ended, in words.
    """
    if is_asynchronous(session.work.experiment):
        return stream_run(session, ending)
    course = Course(session, ending)
    while not (reason := ending.reason()):
        if course.recall():
            continue
        candidates = course.stored() or session.search.ask(stop=ending.now)
        if ending.fault is not None:
            raise ending.fault
        if not candidates:
            return ending.cut_short() or DRY
        if course.take(candidates) is None:
            return ending.cut_short()
    return reason


def search(
    experiment: str | Path | Mapping[str, Any] | Experiment,
    out: str | Path | None = None,
    workers: int | None = None,
    overrides: Iterable[str] = (),
    address: str | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Run an experiment from nothing: search, then finals.

    Args:
        experiment: name, path, table as TOML would give it, or a read experiment.
        out: a new directory for the run; by default `runs/<name>-<UTC stamp>`.
        workers: processes that train; None for one per core, 0 for this process.
        overrides: changes such as `search.population=40`.
        address: of a Ray cluster; None for this machine.
        observer: is told how the run goes.

    Raises:
        ExperimentError: the experiment cannot be run.
        RunError: the directory cannot be used, or the pool fails.
        PausedError: the disk takes no more; what was written stays, and `resume` goes on.

    Example:
        >>> result = search("noisy_digits", workers=2, overrides=["stop.generations=3"])
        >>> result.winner, result.finals.sentence
    """
    with new_work(experiment, out, overrides, address) as work:
        return _drive(work, Crew(workers, address), observer or usual_observer(), resumed=False)


def resume(
    directory: str | Path,
    overrides: Iterable[str] = (),
    workers: int | None = None,
    address: str | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Go on with an interrupted run, or extend a finished one; the result is that of a run without the break.

    Args:
        directory: of the run.
        overrides: changes to [stop] and [finals], e.g. `stop.generations=40`; they are kept.

    Raises:
        RunError: there is no run, another driver has it, or its files are damaged.
        PausedError: the disk takes no more; what was written stays.
        ExperimentError: an override would change what the results so far depend on.
    """
    with kept_work(directory, overrides) as work:
        return _drive(work, Crew(workers, address), observer or usual_observer(), resumed=True)


@contextmanager
def new_work(
    experiment: str | Path | Mapping[str, Any] | Experiment,
    out: str | Path | None = None,
    overrides: Iterable[str] = (),
    address: str | None = None,
) -> Iterator[Work]:
    """Set up a new run, and keep other drivers out of it while the block runs; the arguments are those of `search`."""
    read = read_given(experiment, overrides)
    grammar, task = load_grammar(read.grammar), make_task(read.task)
    check_fit(read, grammar, task)
    settled = resolved(read, task.learning_rates)
    plan_search(settled, grammar, task)  # whatever is wrong with it is said before anything is made
    path = Path(out) if out is not None else default_directory(read.name)
    check_vacant(path)
    check_room(path, room_needed(settled, task))
    if address is not None:
        check_reachable(address)
    # The measurement takes seconds, in which a person may think again: nothing is made before it.
    stacking = choose_stacking(task, plan_trainings(settled), settled.budget.cohort)
    work = Work(make_directory(path), settled, grammar, task)
    with work.run.locked():
        check_vacant(path)  # again: another driver may have been here in the meantime
        with work.run.begun():
            set_up(work, stacking)
        tell_network(work.run.path)
        yield work


@contextmanager
def kept_work(directory: str | Path, overrides: Iterable[str] = ()) -> Iterator[Work]:
    """Read what a run works on, and keep other drivers out of it while the block runs; see `resume`."""
    run = find_run(directory)
    with run.locked():
        place = str(run.experiment)
        kept = read_experiment(read_toml(read_text(run.experiment), place), place, run.path)
        experiment = changed_for_resume(kept, overrides, place)
        grammar = read_grammar(read_text(run.grammar), str(run.grammar))
        task = make_task(experiment.task)
        check_fit(experiment, grammar, task)  # before the change is kept: it would stand in every later resume's way
        work = Work(run, experiment, grammar, task)
        if experiment != kept:
            with pausing(work):
                _change(run, kept, experiment)
        tell_network(run.path)
        yield work


def set_up(work: Work, stacking: Decision) -> None:
    """Write what a run begins with into its directory; the store comes last, and makes it a run."""
    task = work.task
    write_whole(work.run.experiment, experiment_toml(work.experiment))
    write_whole(work.run.grammar, work.grammar.text)
    facts: dict[str, Any] = {"name": work.experiment.name, "slot": task.slot, "sessions": []}
    facts |= {"stack": stacking.stack, "stack_reason": stacking.reason, "stack_members": stacking.members}
    facts |= {"metric": task.metric.name, "maximise": task.metric.maximise}
    facts["tunes"] = work.experiment.tuning.method != "none"
    facts |= {"asynchronous": True} if is_asynchronous(work.experiment) else {}
    RunStore.create(work.run.part, facts).close()
    work.run.part.replace(work.run.store)


def _change(run: RunDirectory, kept: Experiment, experiment: Experiment) -> None:
    if experiment.finals != kept.finals:
        with RunStore.open(run.store) as store:
            withdraw_finals(run, store)
    write_whole(run.experiment, experiment_toml(experiment))


def _drive(work: Work, crew: Crew, observer: Observer, resumed: bool) -> RunResult:
    try:
        with pausing(work):
            return _sit(work, crew, observer, resumed)
    except SystemExit as ended:
        raise ForcedExit(ended.code, work.run.path) from ended


@contextmanager
def pausing(work: Work) -> Iterator[None]:
    """Tell how a run goes on should its disk take no more."""
    try:
        yield
    except DiskError as error:
        needed = size_words(room_needed(work.experiment, work.task))
        raise PausedError(
            f"{error} The run is paused, and what it had written stays. When its disk takes files again (a run needs "
            f"up to {needed}), go on with: symloss resume {work.run.path}"
        ) from error


def _sit(work: Work, crew: Crew, observer: Observer, resumed: bool) -> RunResult:
    with opened(work, crew, observer) as session:
        observer.started(work.run.path, work.experiment, resumed)
        reason, progress = _search(session)
        heard = session.interrupts.heard
        finals = hold_finals(session) if heard is None else None
        front = tuple(session.search.archive.front())
        return RunResult(work.run.path, reason, progress, front, finals, session.interrupts.heard)


def _search(session: Session) -> tuple[str, Progress]:
    session.store.write_meta({"ended": ""})
    ending = session.ending()
    try:
        reason = search_run(session, ending)
    finally:
        with suppress(RunError):  # a store that cannot be written has said so already
            session.keep_time(ending.session)
    progress = ending.progress()
    session.store.write_meta({"ended": reason})
    session.observer.search_done(progress, reason)
    return reason, progress


def hold_finals(session: Session) -> Finals | None:
    """Hold the finals that the experiment plans, and keep them; None when interrupted, or none are planned."""
    finals = _finals(session)
    session.keep_mishaps()
    if finals is not None:
        _keep(session, finals)
        session.observer.finals_done(finals.sentence)
    return finals


def _finals(session: Session) -> Finals | None:
    experiment, task = session.work.experiment, session.work.task
    if not experiment.finals.top:
        return None
    found = [entry.formula for entry in session.search.archive.best(experiment.finals.top)]
    trials, stop = plan_finals(experiment, session.stacking), session.interrupts.stop
    plan = plan_trainings(experiment, session.stacking)
    polished = polish(found, experiment.finals.polish, plan, trials.time_limit, session.pool, session.store, stop)
    if polished is None:
        return None
    field = entrants(found, experiment.finals.baselines or SLOTS[task.slot].baselines, polished)
    watcher = Watcher(session.observer.trial_done, session.observer.verdict_done)
    return run_finals(field, task, trials, session.pool, session.store, stop, watcher)


def _keep(session: Session, finals: Finals) -> None:
    document, experiment = finals.document(), session.work.experiment
    session.store.write_meta({"finals": document})
    if finals.winner is None:
        return
    sessions = [*session.earlier, session.facts]
    trials, task = plan_finals(experiment, session.stacking), session.work.task
    trial = trial_record(experiment.task, task, trials, sessions, session.crew.address is not None)
    write_loss(session.work.run.winner, finals.winner, evidence_of(finals, experiment.name, trial))


def read_given(experiment: str | Path | Mapping[str, Any] | Experiment, overrides: Iterable[str]) -> Experiment:
    """Read an experiment that is given by name, path, table, or read already."""
    if isinstance(experiment, str | Path):
        return load_experiment(experiment, overrides)
    table = read_toml(experiment_toml(experiment), "experiment") if isinstance(experiment, Experiment) else experiment
    return read_experiment(override({"name": "search", **table}, overrides), "experiment", Path.cwd())
