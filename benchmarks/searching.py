"""A whole search to the same best fitness: how long until half of the searches find what half of the plain ones do.

`python -m benchmarks.searching`; with `--long` the plain loop has minutes each time, for which `make bench` has no
time. Same data, learning rates, steps and number of seeds on both sides, two workers each. When one search finds its
best is luck, so there are several of either side. The clock of each starts before its processes do, and stops when a
candidate so good is scored.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import plain, plain_search
from benchmarks.problems import Case, images
from benchmarks.record import write_record
from symloss.running.observer import Progress, Silent
from symloss.running.run import search
from symloss.running.seeds import search_seeds

NOISY_DIGITS = Case("noisy digits", {"name": "digits", "noise": 0.4}, (64, 64, 64, 10), "adam", 0.0, 64, 300)
NOISY_IMAGES = Case("noisy images", images(noise=0.4), (784, 128, 10), "adam", 0.0, 100, 500)


@dataclass(frozen=True)
class Budget:
    """What one candidate costs on both sides, how long the plain loop runs, and what symloss is told besides.

    Args:
        long: seconds that the plain loop runs if there is time.
        search: of the experiment's [search]; the plain loop's population is as large as GLO's, 80.
        rungs: of its [budget].
    """

    rates: tuple[float, ...]
    seeds: int
    seconds: float
    long: float
    search: Mapping[str, Any]
    rungs: Mapping[str, Any]


# What docs/surrogate.md finds to be better, and docs/fidelity.md to cost nothing: several proposals compete for each
# place, rungs stop the worse half, and on the images a candidate's own learning rates race.
SEARCH = {"population": 40, "preselect": 8}
RUNGS = {"rungs": [50, 100], "reduction_factor": 2.0}
IMAGE_RUNGS = {"rungs": [50, 150], "reduction_factor": 1.5, "rate_factor": 2.0}
BUDGETS = {
    NOISY_DIGITS.name: Budget((0.003, 0.01), 4, 120.0, 300.0, SEARCH, RUNGS),
    NOISY_IMAGES.name: Budget((0.0003, 0.001), 2, 50.0, 120.0, SEARCH, IMAGE_RUNGS),
}
QUICK = 5.0  # seconds
SEEDS = 3  # searches of either side


class Stopwatch(Silent):
    """Takes the time at which a search had found what it was to find; it goes on to the end of the generation.

    Args:
        target: the fitness to reach.

    Attributes:
        seconds: until then; infinity where it was not found.
        trained: candidates until then, or until the end.
    """

    def __init__(self, target: float) -> None:
        self.seconds, self.trained = math.inf, 0
        self._began, self._target = time.perf_counter(), target

    def progressed(self, progress: Progress) -> None:
        """Look whether it is found."""
        if self.seconds < math.inf:
            return
        self.trained = progress.evaluated
        if progress.fitness is not None and progress.fitness >= self._target:
            self.seconds = time.perf_counter() - self._began


def plain_side(case: Case, budget: Budget, workers: int, seed: int) -> dict[str, Any]:
    """Run the plain search."""
    began = time.perf_counter()
    problems = [case.problem(seed) for seed in search_seeds(0, budget.seeds)]
    with plain.workers(problems, workers) as train:
        started = time.perf_counter() - began
        found = plain_search.curve(train, budget.rates, budget.seeds, budget.seconds, seed)
    return {**found, "points": [(started + at, fitness) for at, fitness in found["points"]]}


def our_side(case: Case, budget: Budget, workers: int, target: float, seed: int) -> dict[str, Any]:
    """Run symloss until it has reached the target, for as long as the plain search ran at most."""
    table: Mapping[str, Any] = {
        "name": "bench",
        "seed": seed,
        "grammar": "compact",
        "task": dict(case.task),
        "search": {"method": "evolution", **budget.search},
        "budget": {"steps": case.steps, "learning_rates": list(budget.rates), "seeds": budget.seeds, **budget.rungs},
        "stop": {"target": target, "time": budget.seconds},
        "finals": {"top": 0},
    }
    watch = Stopwatch(target)
    with tempfile.TemporaryDirectory() as folder:
        search(table, out=Path(folder) / "run", workers=workers, observer=watch)
    return {"seconds": watch.seconds, "trained": watch.trained}


def reached_at(points: Sequence[tuple[float, float]], target: float) -> float:
    """Return when a curve reached a fitness; infinity where it never did."""
    return next((at for at, fitness in points if fitness >= target), math.inf)


def compare(case: Case, budget: Budget, workers: int, seeds: tuple[int, int]) -> dict[str, Any]:
    """Run both sides on one problem with several search seeds: how long to what half of the plain searches find?

    Args:
        seeds: searches of the plain loop, and of symloss.
    """
    theirs = [plain_side(case, budget, workers, seed) for seed in range(seeds[0])]
    target = statistics.median_low([run["best"] for run in theirs])
    plain_seconds = [reached_at(run["points"], target) for run in theirs]
    ours = [our_side(case, budget, workers, target, seed) for seed in range(seeds[1])]
    medians = [statistics.median_high(times) for times in (plain_seconds, [run["seconds"] for run in ours])]
    return {
        "fitness": target,
        "plain": [{key: run[key] for key in ("trained", "proposed", "points")} for run in theirs],
        "plain_seconds": plain_seconds,
        "symloss": ours,
        "medians": medians,
        "ratio": medians[0] / medians[1],
    }


def main() -> None:
    """Measure, print, and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ours", type=int, default=SEEDS, help="searches of symloss, which take less time")
    parser.add_argument("--long", action="store_true", help="minutes for each plain search, half an hour in all")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; nothing is kept")
    given = parser.parse_args()
    seeds = (1, 1) if given.quick else (SEEDS, given.ours)
    figures: dict[str, Any] = {}
    for case in (NOISY_DIGITS, NOISY_IMAGES):
        budget = BUDGETS[case.name]
        budget = replace(budget, seconds=QUICK if given.quick else budget.long if given.long else budget.seconds)
        found = figures[case.name] = compare(case, budget, given.workers, seeds)
        print(
            f"{case.name}: half of the plain searches had {found['fitness']:.4f} after {found['medians'][0]:.0f} s, "
            f"half of symloss's after {found['medians'][1]:.1f} s: {found['ratio']:.1f} times",
            flush=True,
        )
    if not given.quick:
        print(write_record("searching_long" if given.long else "searching", figures))


if __name__ == "__main__":
    main()
