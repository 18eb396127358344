"""One driver that feeds a thousand workers, in simulated time: `python -m benchmarks.thousand`.

Search, free tests, run store and fleet are the engine's own; the workers are actors of tests/simulated.py, which score
at once and take as long as a training would. Their time is simulated, the driver's is real: whatever it computes makes
them wait, to the microsecond, and nothing else takes time. What a message to a worker costs the driver in Ray, which
the simulation leaves out, is measured beside it with one real worker, and added to the driver's time.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.driver import NoWork
from benchmarks.record import RESULTS, write_record, write_table
from symloss.interrupts import Interrupts
from symloss.judging.actors import RayActors
from symloss.judging.cluster import load_ray, make_home, remove_home, start_ray
from symloss.judging.drain import Stop, never
from symloss.judging.evaluate import Job, Judged
from symloss.judging.fleet import Fleet
from symloss.judging.pool import Finished, outcomes_of
from symloss.judging.stacking import Decision
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome
from symloss.language.grammar import load_grammar
from symloss.running.config import load_experiment, resolved
from symloss.running.observer import Silent
from symloss.running.planning import plan_search
from symloss.running.run import search_run
from symloss.running.session import Crew, Session, Work
from symloss.running.storage.rundir import make_directory
from symloss.running.storage.store import RunStore
from tests.simulated import SimulatedActors

DOCUMENT = Path(__file__).parent.parent / "docs" / "scaling.md"
SPREAD = 0.25  # of a training's length, as a standard deviation of its logarithm: machines and formulas differ


class SimulatedPool:
    """A fleet over simulated actors.

    Args:
        workers: their number.
        seconds: that a candidate takes on average.
        message: seconds that sending a job and taking its answer costs the driver in Ray.
    """

    def __init__(self, workers: int, seconds: float, message: float) -> None:
        self._seconds, self._message = seconds, message
        self._draw, self._judge = random.Random(0), NoWork()
        self.actors = SimulatedActors(self._score, self._takes, counting=True, startup=10.0)
        self.fleet = Fleet(self.actors, workers, {"name": "digits"}, workers)
        self.spent, self.worked = 0.0, 0.0

    def _score(self, number: int, text: str, job: Job) -> Judged:
        return Judged(self._judge._scored(job, number, text))

    def _takes(self, job: Job) -> float:
        lengths = [self._draw.lognormvariate(-(SPREAD**2) / 2, SPREAD) for _ in job.candidates]
        takes = self._seconds * sum(lengths)
        self.worked += takes
        self.actors.charge(self._message)
        return takes

    def start(self) -> None:
        """Take the workers on."""
        self.fleet.fill()

    def run(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[tuple[Job, list[Outcome]]]:
        """See Pool.run."""
        return outcomes_of(self.run_with_outputs(jobs, stop))

    def run_with_outputs(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[Finished]:
        """See Pool.run_with_outputs."""
        return self.fleet.run(jobs, stop)

    def expect(self, task: Task) -> None:
        """Nothing travels."""

    def facts(self) -> dict[str, Any]:
        """See Pool.facts."""
        return self.fleet.mishaps.facts()

    def close(self) -> None:
        """There is nothing to leave behind."""


@dataclass(frozen=True)
class Case:
    """What is simulated.

    Args:
        seconds: of a worker for one candidate.
        cohort: candidates in a job.
        population: proposed in a generation; of an asynchronous search those that it breeds from.
        generations: None for an asynchronous search.
        evaluations: that an asynchronous search trains.
    """

    seconds: float
    cohort: int
    population: int
    generations: int | None = None
    evaluations: int = 10**9

    def changes(self) -> list[str]:
        """Return what the experiment has in place of its own."""
        told = [f"search.population={self.population}", f"budget.cohort={self.cohort}", "budget.timeout=86400"]
        ends = f"stop.generations={10**9 if self.generations is None else self.generations}"
        streams = f"search.asynchronous={str(self.generations is None).lower()}"
        return [*told, streams, ends, f"stop.evaluations={self.evaluations}", "grammar=compact"]


def simulate(workers: int, case: Case, message: float) -> dict[str, Any]:
    """Search in simulated time; return how busy the workers were, from their start until the last of them was told."""
    experiment = load_experiment("noisy_digits", case.changes())
    task = make_task(experiment.task)
    settled = resolved(experiment, task.learning_rates)
    pool = SimulatedPool(workers, case.seconds, message)
    with tempfile.TemporaryDirectory() as folder, Interrupts() as interrupts:
        work = Work(make_directory(Path(folder) / "run"), settled, load_grammar("compact"), task)
        with RunStore.create(work.run.store, {"slot": task.slot, "sessions": []}) as store:
            search = plan_search(settled, work.grammar, task)
            decision = Decision("stacked", "told so", 64)
            session = Session(work, search, decision, store, pool, interrupts, Silent(), Crew(workers), (), {})
            real, cpu = time.perf_counter(), time.process_time()
            pool.start()
            search_run(session, session.ending())
            real, cpu = time.perf_counter() - real, time.process_time() - cpu
            told, trained = store.issued(), store.evaluations()
    makespan = pool.actors.now()
    jobs = len(pool.actors.asked)
    return {
        "workers": workers,
        "seconds_per_candidate": case.seconds,
        "cohort": case.cohort,
        "population": case.population,
        "generations": case.generations,
        "candidates": told,
        "trained": trained,
        "jobs": jobs,
        "hours": makespan / 3600,
        "busy": pool.worked / (workers * makespan),
        "driver_share": (real + jobs * message) / makespan,
        "driver_seconds_per_trained": (real + jobs * message) / trained,
        "driver_seconds_per_proposed": (real + jobs * message) / told,
        "processor_seconds": cpu,
    }


def message_cost(count: int = 300) -> float:
    """Return the seconds that one job costs the driver in Ray itself: asking one real actor, and taking its answer."""
    home, ray = make_home(), load_ray()
    start_ray(ray, 1, home)
    try:
        actors = RayActors(ray)
        actor = actors.new()
        actors.answer(actors.ask(actor, "hello"))
        spent = time.process_time()
        for asked in [actors.ask(actor, "ping") for _ in range(count)]:
            actors.answer(asked)
        return (time.process_time() - spent) / count
    finally:
        ray.shutdown()
        remove_home(home)


# The same with generations and without; an asynchronous search breeds from the best thousand.
CASES = (
    Case(300.0, 1, 60_000, 3),
    Case(300.0, 1, 1000, evaluations=40_000),
)


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Lay out what came out."""
    head = ["an evaluation", "in a job", "proposed", "generations", "trained", "for each worker", "busy", "driver"]
    return [[*head, "driver, each trained"], *map(cells, rows)]


def cells(row: Mapping[str, Any]) -> list[str]:
    """Lay out one case."""
    streams = row["generations"] is None
    shown = [f"{row['cohort']:g}", f"{row['candidates']:g}", "asynchronous" if streams else f"{row['generations']:g}"]
    shown += [f"{row['trained']:g}", f"{row['trained'] / row['workers']:.0f}"]
    shares = [f"**{100 * row['busy']:.1f} %**", f"{100 * row['driver_share']:.1f} %"]
    return [f"{row['seconds_per_candidate']:g} s", *shown, *shares, f"{1e3 * row['driver_seconds_per_trained']:.1f} ms"]


def main() -> None:
    """Simulate, print, keep what came out, and write the table of docs/scaling.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="one alone; all without")
    asked = parser.parse_args()
    known = RESULTS / "thousand.json"
    rows = json.loads(known.read_text())["rows"] if known.exists() else {}
    message = message_cost()
    print(f"a message costs {1e6 * message:.0f} us", flush=True)
    for place in range(len(CASES)) if asked.case is None else (asked.case,):
        rows[str(place)] = row = simulate(1000, CASES[place], message)
        print({name: value if value is None else float(f"{value:.4g}") for name, value in row.items()}, flush=True)
    print(write_record("thousand", {"message_seconds": message, "rows": rows}))
    write_table(DOCUMENT, "thousand", table([rows[place] for place in sorted(rows)]))


if __name__ == "__main__":
    main()
