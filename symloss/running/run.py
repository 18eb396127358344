"""A run: ask, screen, train, store, tell, until a stop; then the finals.

All that a search learns comes out of the run store, so a resume is the same loop over outcomes that are there already.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError, unknown
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.pool import Pool
from symloss.judging.pools import make_pool
from symloss.judging.screen import Screen
from symloss.judging.stacking import choose_stacking
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Candidate
from symloss.language.formula import Formula
from symloss.language.grammar import Grammar, load_grammar, read_grammar
from symloss.language.lossfile import write_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO
from symloss.running.config import (
    Experiment,
    changed_for_resume,
    experiment_toml,
    load_experiment,
    read_experiment,
    resolved,
)
from symloss.running.finals import Entrant, Finals, Trials, compare, entrants, run_finals
from symloss.running.machine import count_workers, machine_facts
from symloss.running.observer import Observer, Progress, Silent
from symloss.running.rundir import RunDirectory, default_directory, find_run, make_directory, read_text, write_text
from symloss.running.seeds import finals_seeds, search_seeds
from symloss.running.stopping import Ending, Interrupts
from symloss.running.store import RunStore, StoredBatch
from symloss.searching.archive import Entry
from symloss.searching.fitness import Judge
from symloss.searching.searches import Search, make_search
from symloss.settings import override, read_toml

DRY = "the search has nothing new to propose: the grammar's space is exhausted"


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Args:
        directory: where it is kept.
        reason: why the search ended.
        progress: at its end.
        front: Pareto front of fitness against complexity, simplest first.
        finals: None when interrupted before they ended.
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


def search_run(
    search: Search,
    screen: Screen,
    pool: Pool,
    store: RunStore,
    cut: Callable[[Sequence[Candidate]], list[Job]],
    ending: Ending,
    observer: Observer,
) -> str:
    """Search until a stop; what the store holds already is told again, not trained again.

    Args:
        cut: candidates -> jobs; it depends on the candidates alone, never on the number of workers.

    Returns:
        Why the search ended, in words.
    """
    for batch in count():
        if reason := ending.reason():
            return reason
        began = time.monotonic()
        candidates = search.ask()
        if not candidates:
            return DRY
        first, last = candidates[0].number, candidates[-1].number
        screened = screen.check(candidates)
        store.write_batch(batch, candidates, [outcome for outcome in screened if outcome is not None])
        known = store.outcomes(first, last)
        jobs = cut([each for each, outcome in zip(candidates, screened, strict=True) if outcome is None])
        missing = [job for job in jobs if any(number not in known for number, *_ in job.candidates)]
        for _, outcomes in pool.run(missing, ending.now):
            store.write_outcomes(outcomes)
            ending.trained(outcomes)
            known |= {outcome.candidate: outcome for outcome in outcomes}
            observer.progressed(ending.progress(list(known.values())))
        stored = store.outcomes(first, last)
        if len(stored) < len(candidates):
            return ending.cut_short()
        told = [stored[candidate.number] for candidate in candidates]
        search.tell(told)
        ending.told_batch(told, search.archive)
        leader = ending.best[1] if ending.best else None
        store.write_told(StoredBatch(batch, len(told), leader, time.monotonic() - began))
        observer.batch_done(ending.progress())
    raise AssertionError("count() does not end")


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

    Example:
        >>> result = search("noisy_digits", workers=2, overrides=["stop.generations=3"])
        >>> result.winner, result.finals.sentence
    """
    read = _read(experiment, overrides)
    grammar = load_grammar(read.grammar)
    task = make_task(read.task)
    _check_fit(read, grammar, task)
    settled = resolved(read, task.learning_rates)
    _searcher(settled, grammar, task)  # complains before anything is made
    run = make_directory(Path(out) if out is not None else default_directory(read.name))
    with run.locked():
        plan = _search_plan(settled, settled.budget.stack)
        stacking = choose_stacking(task, plan)
        write_text(run.experiment, experiment_toml(settled))
        write_text(run.grammar, grammar.text)
        facts: dict[str, Any] = {
            "stack": stacking.stack,
            "stack_reason": stacking.reason,
            "slot": task.slot,
            "name": settled.name,
        }
        facts |= {"metric": task.metric.name, "maximise": task.metric.maximise, "sessions": []}
        RunStore.create(run.store, facts).close()
        return _drive(run, settled, grammar, task, workers, address, observer or Silent(), resumed=False)


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
        ExperimentError: an override would change what the results so far depend on.
    """
    run = find_run(directory)
    with run.locked():
        place = str(run.experiment)
        kept = read_experiment(read_toml(read_text(run.experiment), place), place, run.path)
        experiment = changed_for_resume(kept, overrides, place)
        grammar = read_grammar(read_text(run.grammar), str(run.grammar))
        task = make_task(experiment.task)
        if experiment != kept:
            write_text(run.experiment, experiment_toml(experiment))
        return _drive(run, experiment, grammar, task, workers, address, observer or Silent(), resumed=True)


def compare_formulas(
    formulas: Mapping[str, Formula],
    task_spec: Mapping[str, Any],
    seeds: int = 12,
    steps: int = 300,
    learning_rates: Sequence[float] | None = None,
    workers: int | None = None,
    seed: int = 0,
    address: str | None = None,
) -> Finals | None:
    """Try formulas on a task as finals do: rates tuned on validation, then the test set, the first against the rest.

    Args:
        formulas: name -> formula of the task's slot.
        task_spec: as `make_task` reads it.
        learning_rates: by default the task's own and one beyond at either end.

    Returns:
        None when interrupted.

    Raises:
        ExperimentError: a formula is of another slot, or the task cannot be made.
    """
    task = make_task(task_spec)
    for name, formula in formulas.items():
        if formula.slot != task.slot:
            raise ExperimentError(f"{name} is of the slot {formula.slot}, and task '{task.name}' needs {task.slot}.")
    rates = {} if learning_rates is None else {"learning_rates": list(learning_rates)}
    table = {"name": "compare", "seed": seed, "task": dict(task_spec), "budget": {"steps": steps}}
    table |= {"stop": {"generations": 1}, "finals": {"seeds": seeds, **rates}}
    experiment = resolved(read_experiment(table, "compare", Path()), task.learning_rates)
    trials = _trials(experiment, choose_stacking(task, _search_plan(experiment, "auto")).stack)
    field = [Entrant(name, formula, "named") for name, formula in formulas.items()]
    with ExitStack() as stack:
        pool = _open_pool(stack, workers, experiment, address)
        interrupts = stack.enter_context(Interrupts())
        return compare(field, task, trials, pool, lambda: interrupts.heard is not None)


def _drive(
    run: RunDirectory,
    experiment: Experiment,
    grammar: Grammar,
    task: Task,
    workers: int | None,
    address: str | None,
    observer: Observer,
    resumed: bool,
) -> RunResult:
    with ExitStack() as stack:
        store = stack.enter_context(RunStore.open(run.store))
        pool = _open_pool(stack, workers, experiment, address)
        interrupts = stack.enter_context(Interrupts())
        meta = store.meta()
        store.write_meta({"sessions": [*meta["sessions"], machine_facts(workers)]})
        observer.started(run.path, experiment, resumed)
        told = store.batches()
        sign = 1 if task.metric.maximise else -1
        ending = Ending(experiment.stop, sign, len(told), sum(batch.seconds for batch in told), interrupts)
        method = _searcher(experiment, grammar, task)
        screen = Screen(task.slot, task.width)
        plan = _search_plan(experiment, meta["stack"])
        cutter = Cutter(plan, experiment.budget.cohort, experiment.budget.timeout)
        reason = search_run(method, screen, pool, store, cutter, ending, observer)
        store.write_meta({"ended": reason})
        observer.search_done(ending.progress(), reason)
        finals = None
        if interrupts.heard is None:
            finals = _finals(experiment, method, task, meta["stack"], pool, store, interrupts, observer)
        if finals is not None:
            _keep(run, store, experiment, finals)
            observer.finals_done(finals.sentence)
        front = tuple(method.archive.front())
        return RunResult(run.path, reason, ending.progress(), front, finals, interrupts.heard)


@dataclass(frozen=True)
class Cutter:
    """Cuts candidates into jobs of one cohort each, in asked order."""

    plan: Plan
    cohort: int
    timeout: float

    def __call__(self, candidates: Sequence[Candidate]) -> list[Job]:
        """Return the jobs, numbered by their first candidate."""
        named = [(each.number, each.formula.text, each.formula.slot) for each in candidates if each.formula is not None]
        parts = [tuple(named[start : start + self.cohort]) for start in range(0, len(named), self.cohort)]
        return [Job(part[0][0], part, self.plan, self.timeout) for part in parts]


def _read(experiment: str | Path | Mapping[str, Any] | Experiment, overrides: Iterable[str]) -> Experiment:
    if isinstance(experiment, str | Path):
        return load_experiment(experiment, overrides)
    table = read_toml(experiment_toml(experiment), "experiment") if isinstance(experiment, Experiment) else experiment
    return read_experiment(override({"name": "search", **table}, overrides), "experiment", Path.cwd())


def _check_fit(experiment: Experiment, grammar: Grammar, task: Task) -> None:
    if grammar.slot != task.slot:
        raise ExperimentError(
            f"{experiment.name}: grammar {grammar.name} is for the slot {grammar.slot}, and task '{task.name}' needs "
            f"{task.slot}; choose another grammar."
        )
    known = [name for name, entry in ZOO.items() if entry.slot == task.slot]
    for name in experiment.finals.baselines or ():
        if name not in known:
            raise ExperimentError(unknown(f"{experiment.name}: [finals] baselines", "baseline", name, known))


def _searcher(experiment: Experiment, grammar: Grammar, task: Task) -> Search:
    judge = Judge(task.metric.name, task.metric.maximise)
    return make_search(experiment.method, grammar, judge, experiment.seed, experiment.search_settings)


def _search_plan(experiment: Experiment, stack: str) -> Plan:
    budget = experiment.budget
    assert budget.learning_rates is not None
    seeds = search_seeds(experiment.seed, budget.seeds)
    return Plan(budget.steps, budget.learning_rates, seeds, (*sorted(budget.rungs), budget.steps), ("valid",), stack)


def _trials(experiment: Experiment, stack: str) -> Trials:
    budget, finals = experiment.budget, experiment.finals
    assert finals.steps is not None
    assert finals.learning_rates is not None
    assert budget.learning_rates is not None
    seeds = finals_seeds(experiment.seed, finals.seeds)
    plan = Plan(finals.steps, finals.learning_rates, seeds, (finals.steps,), ("valid",), stack)
    trainings = len(finals.learning_rates) * finals.seeds * finals.steps
    usual = budget.cohort * len(budget.learning_rates) * budget.seeds * budget.steps
    # Twice a cohort's share, because a formula alone shares its forward pass with fewer.
    return Trials(plan, experiment.seed, finals.resamples, budget.timeout * max(1.0, 2 * trainings / usual))


def _open_pool(stack: ExitStack, workers: int | None, experiment: Experiment, address: str | None) -> Pool:
    pool = make_pool(count_workers(workers), experiment.task, address)
    stack.callback(pool.close)
    pool.start()
    return pool


def _finals(
    experiment: Experiment,
    method: Search,
    task: Task,
    stack: str,
    pool: Pool,
    store: RunStore,
    interrupts: Interrupts,
    observer: Observer,
) -> Finals | None:
    def stop() -> bool:
        interrupts.listen()
        return interrupts.heard is not None

    found = [entry.formula for entry in method.archive.best(experiment.finals.top)]
    names = experiment.finals.baselines or SLOTS[task.slot].baselines
    return run_finals(entrants(found, names), task, _trials(experiment, stack), pool, store, stop, observer.trial_done)


def _keep(run: RunDirectory, store: RunStore, experiment: Experiment, finals: Finals) -> None:
    store.write_meta({"finals": finals.document()})
    if finals.winner is None:
        return
    # The folder of a user's own task is a path of this machine, which is nobody's business elsewhere.
    task = {key: value for key, value in experiment.task.items() if key != "folder"}
    evidence = {"experiment": experiment.name, "task": task, "verdict": finals.sentence}
    document = finals.document()
    write_loss(run.winner, finals.winner, {**evidence, "table": document["rows"], "seeds": finals.seeds})
