"""How many candidates a second one driver sustains when training costs nothing: ask, free tests, store, tell.

    python -m benchmarks.driver

The loop is the engine's own, `search_run`, with a real run store on disk; only the pool is replaced by one that scores
at once. What the workers do before they train, canonical forms and free outputs, is timed beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import write_record
from symloss.errors import FormulaError
from symloss.interrupts import Interrupts
from symloss.judging.evaluate import Job
from symloss.judging.free_outputs import stuck
from symloss.judging.screen import Screen
from symloss.judging.stacking import Decision
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.language.candidate import Candidate, Measurement, Outcome, State
from symloss.language.formula import Canonical, parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import Prober
from symloss.running.config import load_experiment, resolved
from symloss.running.observer import Observer, Silent
from symloss.running.planning import plan_search
from symloss.running.run import search_run, set_up
from symloss.running.session import Crew, Session, Work
from symloss.running.storage.rundir import make_directory
from symloss.running.storage.store import RunStore
from symloss.searching.archive import count_words

STAGES: tuple[tuple[str, type | None, str], ...] = (
    ("ask: propose and probe", None, "ask"),
    ("screen: fingerprints", Screen, "check"),
    ("store: proposals", RunStore, "write_batch"),
    ("store: outcomes", RunStore, "write_outcomes"),
    ("store: read back", RunStore, "outcomes"),
    ("store: told", RunStore, "write_told"),
    ("tell: fitness, hall of fame, population", None, "tell"),
)


class NoWork:
    """A pool that scores every formula at once, by a hash of its text."""

    def start(self) -> None:
        """There is nothing to get ready."""

    def expect(self, task: Task) -> None:
        """Nothing travels."""

    def facts(self) -> dict[str, Any]:
        """Nothing happens to workers that are not there."""
        return {}

    def close(self) -> None:
        """There is nothing to leave behind."""

    def run(self, jobs: Iterable[Job], stop: Callable[[], bool] = bool) -> Iterator[tuple[Job, list[Outcome]]]:
        """See Pool.run."""
        for job in jobs:
            yield job, [self._scored(job, number, text) for number, text, _ in job.candidates]

    def _scored(self, job: Job, number: int, text: str) -> Outcome:
        digest = hashlib.sha256(text.encode()).digest()
        fitness = int.from_bytes(digest[:4]) / 2**32
        plan = job.plan
        measured = tuple(
            Measurement(plan.steps, rate, seed, {"accuracy": fitness, "nll": 1.0, "ece": 0.1})
            for rate in plan.learning_rates
            for seed in plan.seeds
        )
        read = Canonical(digest[:8].hex(), text, count_words(text))
        return Outcome(number, State.SCORED, measurements=measured, formula=read)


class Clock:
    """Adds up the seconds that calls take, by name of their stage."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def watching(self, owner: Any, method: str, stage: str) -> Iterator[None]:
        """Time every call of a method while the block runs."""
        original = getattr(owner, method)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - began

        setattr(owner, method, timed)
        try:
            yield
        finally:
            if isinstance(owner, type):
                setattr(owner, method, original)


def begin_run(path: Path, changes: Iterable[str]) -> Work:
    """Make a new run's directory, as `symloss search noisy_digits` does."""
    experiment = load_experiment("noisy_digits", changes)
    task = make_task(experiment.task)
    settled = resolved(experiment, task.learning_rates)
    work = Work(make_directory(path), settled, load_grammar(settled.grammar), task)
    set_up(work, Decision("stacked", "told so", 64))
    return work


@contextmanager
def session_without_work(work: Work, observer: Observer | None = None) -> Iterator[Session]:
    """Open a session at a run whose pool scores at once."""
    with Interrupts() as interrupts, RunStore.open(work.run.store) as store:
        search = plan_search(work.experiment, work.grammar, work.task)
        stacking = Decision("stacked", "told so", 64)
        yield Session(work, search, stacking, store, NoWork(), interrupts, observer or Silent(), Crew(0), (), {})


def drive(grammar: str, population: int, candidates: int) -> dict[str, Any]:
    """Search until so many candidates are told; return the speed, the split by stage and the free tests' counts."""
    changes = [f"grammar={grammar}", f"search.population={population}"]
    with tempfile.TemporaryDirectory() as folder:
        work = begin_run(
            Path(folder) / "run",
            [*changes, f"stop.generations={max(1, candidates // population)}", "stop.evaluations=1000000000"],
        )
        with session_without_work(work) as session:
            clock, spent, busy = Clock(), time.perf_counter(), time.process_time()
            with ExitStack() as watch:
                for stage, owner, method in STAGES:
                    watch.enter_context(clock.watching(owner or session.search, method, stage))
                search_run(session, session.ending())
            spent, busy = time.perf_counter() - spent, time.process_time() - busy
            told = sum(batch.candidates for batch in session.store.batches())
            counts = session.store.meta()["free_tests"]
    split = {stage: 1e6 * seconds / told for stage, seconds in clock.seconds.items()}
    split["the rest of the loop"] = 1e6 * (spent - clock.seconds.total()) / told
    return {
        "grammar": grammar,
        "population": population,
        "candidates": told,
        "candidates_per_second": told / spent,
        "candidates_per_processor_second": told / busy,
        "microseconds_per_candidate": split,
        "ended_by": counts,
    }


def drive_apart(grammar: str, population: int, candidates: int) -> dict[str, Any]:
    """Drive in a process of its own, as a search is: memory that one has used slows the next by a twentieth."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_drive_warm, (grammar, population, candidates))


def _drive_warm(grammar: str, population: int, candidates: int) -> dict[str, Any]:
    random.seed(0)
    drive("compact", 200, min(400, candidates))  # imports, and fills caches
    return drive(grammar, population, candidates)


def worker_costs(grammar: str, proposals: int) -> dict[str, Any]:
    """Time what one probe costs the driver, and what a survivor costs its worker before training."""
    experiment = load_experiment("noisy_digits", [f"grammar={grammar}", f"search.population={proposals}"])
    task = make_task(experiment.task)
    search = plan_search(resolved(experiment, task.learning_rates), load_grammar(grammar), task)
    candidates = search.ask()
    survivors = [each for each, outcome in zip(candidates, Screen().check(candidates), strict=True) if outcome is None]
    prober = Prober(task.slot, task.width, load_grammar(grammar).lacks)
    trees = [tree for batch in search._asked.values() for _, tree in batch]
    looking = _timed(lambda: [prober.look(tree.nodes, tree.text) for tree in trees])
    formulas: list[Any] = []
    reading = _timed(lambda: formulas.extend(filter(None, map(_read, survivors))))
    cohort = formulas[:16]
    with one_thread():
        stuck(cohort, task.slot, task.width)  # compiles
        freeing = _timed(lambda: stuck(cohort, task.slot, task.width))
    return {
        "grammar": grammar,
        "probe points, each proposal (driver), microseconds": 1e6 * looking / len(trees),
        "canonical form, each survivor (worker), microseconds": 1e6 * reading / max(1, len(survivors)),
        "free outputs, each survivor (worker), microseconds": 1e6 * freeing / max(1, len(cohort)),
    }


def _read(candidate: Candidate) -> Any:
    try:
        return parse(candidate.text, candidate.slot)
    except FormulaError:
        return None


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Measure and write `benchmarks/results/driver.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=8000, help="told in each measurement")
    parser.add_argument("--quick", action="store_true", help="a few candidates, to see that it runs; nothing is kept")
    asked = parser.parse_args()
    sizes, told = ((20,), 40) if asked.quick else ((200, 2000), asked.candidates)
    rows = [drive_apart(grammar, size, told) for grammar in ("compact", "glo") for size in sizes]
    for row in rows:
        print(
            f"{row['grammar']}, population {row['population']}: {row['candidates_per_second']:.0f} candidates/s by the "
            f"clock, {row['candidates_per_processor_second']:.0f} by the processor's own"
        )
        for stage, cost in row["microseconds_per_candidate"].items():
            print(f"    {cost:7.1f} us  {stage}")
        print(f"    {row['ended_by']}")
    costs = [worker_costs(grammar, 40 if asked.quick else 400) for grammar in ("compact", "glo")]
    for cost in costs:
        print(cost)
    if not asked.quick:
        print(write_record("driver", {"driver": rows, "costs": costs}))


if __name__ == "__main__":
    main()
