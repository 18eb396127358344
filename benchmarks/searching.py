"""A whole search to the same best fitness: the plain loop runs for some minutes, symloss until it has found as much.

`python -m benchmarks.searching`. Same data, learning rates, steps and number of seeds on both sides, two workers each.
The clock of either side starts before its processes do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
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
    """What one candidate costs on both sides, and how long the plain loop runs."""

    rates: tuple[float, ...]
    seeds: int
    seconds: float


BUDGETS = {NOISY_DIGITS.name: Budget((0.003, 0.01), 4, 200.0), NOISY_IMAGES.name: Budget((0.0003, 0.001), 2, 100.0)}


class Stopwatch(Silent):
    """Takes the time at which the search had what it was to find."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.seconds = 0.0
        self.progress: Progress | None = None

    def search_done(self, progress: Progress, reason: str) -> None:
        """Take the time; what follows are the finals."""
        self.seconds, self.progress = time.perf_counter() - self.began, progress


def plain_side(case: Case, budget: Budget, workers: int) -> dict[str, Any]:
    """Run the plain search."""
    began = time.perf_counter()
    problems = [case.problem(seed) for seed in search_seeds(0, budget.seeds)]
    with plain.workers(problems, workers) as train:
        started = time.perf_counter() - began
        found = plain_search.curve(train, budget.rates, budget.seeds, budget.seconds)
    return {**found, "points": [(started + at, fitness) for at, fitness in found["points"]]}


def our_side(case: Case, budget: Budget, workers: int, target: float, seed: int, limit: float) -> dict[str, Any]:
    """Run symloss until it has reached the target."""
    table: Mapping[str, Any] = {
        "name": "bench",
        "seed": seed,
        "grammar": "compact",
        "task": dict(case.task),
        "search": {"method": "evolution", "population": 80},
        "budget": {"steps": case.steps, "learning_rates": list(budget.rates), "seeds": budget.seeds},
        "stop": {"target": target, "time": limit},
        "finals": {"seeds": 2, "top": 1, "steps": 1, "baselines": ["cross_entropy"], "resamples": 100},
    }
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        search(table, out=Path(folder) / "run", workers=workers, observer=watch)
    assert watch.progress is not None
    return {"seconds": watch.seconds, "trained": watch.progress.evaluated, "reached": watch.seconds < limit}


def compare(case: Case, budget: Budget, workers: int, seeds: int) -> dict[str, Any]:
    """Run both sides on one problem, symloss with several search seeds."""
    theirs = plain_side(case, budget, workers)
    at, fitness = theirs["points"][-1]
    ours = [our_side(case, budget, workers, fitness, seed, budget.seconds) for seed in range(seeds)]
    taken = statistics.median(each["seconds"] for each in ours)
    return {
        "fitness": fitness,
        "plain": {"seconds": at} | {key: theirs[key] for key in ("trained", "proposed", "points")},
        "symloss": ours,
        "median_seconds": taken,
        "ratio": at / taken,
        "ratio_of_time_spent": theirs["seconds"] / taken,
    }


def main() -> None:
    """Measure, print, and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3, help="search seeds of symloss")
    parser.add_argument("--seconds", type=float, help="of the plain loop, on each problem")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    for case in (NOISY_DIGITS, NOISY_IMAGES):
        budget = BUDGETS[case.name]
        budget = replace(budget, seconds=given.seconds) if given.seconds else budget
        found = figures[case.name] = compare(case, budget, given.workers, given.seeds)
        print(
            f"{case.name}: plain had {found['fitness']:.4f} after {found['plain']['seconds']:.0f} s, symloss after "
            f"{found['median_seconds']:.1f} s: {found['ratio']:.1f} times",
            flush=True,
        )
    if not given.seconds:
        print(write_record("searching", figures))


if __name__ == "__main__":
    main()
