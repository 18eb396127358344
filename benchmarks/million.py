"""A run of a million candidates: the driver's memory on the way, and how long resume, show and report take after it.

    python -m benchmarks.million [--candidates 1000000] [--keep FOLDER]

The search, its free tests and its store are the engine's own; the pool scores at once. A million candidates take about
ten minutes to make; with --keep the run is left in the folder, and a folder that holds it already is used as it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.driver import begin_run, session_without_work
from benchmarks.record import write_record
from symloss.judging.tasks import make_task
from symloss.language.grammar import read_grammar
from symloss.running.config import read_experiment
from symloss.running.observer import Progress, Silent
from symloss.running.run import search_run
from symloss.running.session import Work
from symloss.running.storage.rundir import RunDirectory, read_text
from symloss.settings import read_toml

POPULATION = 200
ENDLESS = "stop.evaluations=1000000000"
ROUNDS = 3


class Memory(Silent):
    """Notes the process's resident memory, in MB, whenever so many candidates more have been told."""

    def __init__(self, every: int) -> None:
        self.seen: dict[int, float] = {}
        self._every = every

    def batch_done(self, progress: Progress) -> None:
        """See Observer.batch_done."""
        step = progress.candidates // self._every * self._every
        if step and step not in self.seen:
            self.seen[step] = resident()


def resident() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def make(path: Path, candidates: int) -> dict[str, Any]:
    """Search until so many candidates are told."""
    generations = candidates // (POPULATION - 6)
    work = begin_run(path, [f"search.population={POPULATION}", f"stop.generations={generations}", ENDLESS])
    memory, began = Memory(10_000), time.perf_counter()
    with session_without_work(work, memory) as session:
        search_run(session, session.ending())
        told = sum(batch.candidates for batch in session.store.batches())
    return {"candidates": told, "seconds": time.perf_counter() - began, "memory_mb": memory.seen}


def go_on(path: Path) -> dict[str, Any]:
    """Resume for one generation more; return the seconds until it is told, and until it was asked."""
    began, run = time.perf_counter(), RunDirectory(path)
    place = str(run.experiment)
    experiment = read_experiment(read_toml(read_text(run.experiment), place), place, path)
    grammar, task = read_grammar(read_text(run.grammar), str(run.grammar)), make_task(experiment.task)
    with ExitStack() as stack:
        work = Work(run, experiment, grammar, task)
        session = stack.enter_context(session_without_work(work))
        opened = time.perf_counter() - began
        stop = replace(experiment.stop, generations=len(session.store.batches()) + 1)
        session = replace(session, work=replace(work, experiment=replace(experiment, stop=stop)))
        search_run(session, session.ending())
        told = sum(batch.candidates for batch in session.store.batches())
    return {"candidates": told, "open": opened, "seconds": time.perf_counter() - began, "memory_mb": resident()}


def seconds_of(*command: str) -> float:
    """Return the median wall time of a command of symloss."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "symloss", *command], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return median(taken)


def main() -> None:
    """Measure and write `benchmarks/results/million.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder for the run")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (asked.keep or Path(folder)) / "run"
        figures: dict[str, Any] = {}
        if not RunDirectory(path).store.exists():
            figures["search"] = make(path, asked.candidates)
            print(figures["search"])
        figures["bytes"] = RunDirectory(path).store.stat().st_size
        figures["show"] = seconds_of("show", str(path), "--quick")  # closed forms may take five seconds for any formula
        figures["report"] = seconds_of("report", str(path))
        print(figures["bytes"], figures["show"], figures["report"])
        figures["resume"] = go_on(path)
        print(figures["resume"])
    print(write_record("million", figures))


if __name__ == "__main__":
    main()
