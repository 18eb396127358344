"""A whole search to the same best fitness: when does symloss find what the plain search has found by its end?

`python -m benchmarks.searching`; with `--pairs` more of them, for which `make bench` has no time. Of one search seed
both sides have the same rows, wrong labels, initial weights, learning rates and steps, and two workers each. When one
search finds its best is luck, so there are several pairs. The clock of each side starts before its processes do, and
stops when a candidate so good is scored. The images are Fashion-MNIST where SYMLOSS_DATA has it, else the
digits enlarged; with `--enlarged` both.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import plain, plain_search
from benchmarks.problems import Case, fashion
from benchmarks.record import write_record
from symloss.running.observer import Progress, Silent
from symloss.running.run import search
from symloss.running.seeds import search_seeds

NOISY_DIGITS = Case("noisy digits", {"name": "digits", "noise": 0.4}, (64, 64, 64, 10), "adam", 0.0, 64, 300)
NOISY_IMAGES = Case("noisy images", {"name": "digits28", "noise": 0.4}, (784, 128, 10), "adam", 0.0, 100, 500)
NOISY_FASHION = replace(NOISY_IMAGES, name="noisy Fashion-MNIST", task=fashion(noise=0.4))


@dataclass(frozen=True)
class Budget:
    """What one candidate costs on both sides, how many the plain loop trains, and what symloss is told besides.

    Args:
        candidates: a number, as what is found in a time would depend on how busy the machine is.
        search: of the experiment's [search]; the plain loop's population is as large as GLO's, 80.
        rungs: of its [budget].
    """

    rates: tuple[float, ...]
    seeds: int
    candidates: int
    search: Mapping[str, Any]
    rungs: Mapping[str, Any]


# What docs/surrogate.md finds to be better, and docs/fidelity.md to cost nothing: several proposals compete for each
# place, rungs stop the worse half, and on the images a candidate's own learning rates race.
SEARCH = {"population": 40, "preselect": 8}
RUNGS = {"rungs": [50, 100], "reduction_factor": 2.0}
IMAGE_RUNGS = {"rungs": [25, 75, 200], "reduction_factor": 2.0, "rate_factor": 2.0}
IMAGE_BUDGET = Budget((0.0003, 0.001), 2, 80, SEARCH, IMAGE_RUNGS)
DIGIT_BUDGET = Budget((0.003, 0.01), 4, 200, SEARCH, RUNGS)
QUICK = 4  # candidates
PAIRS = 3


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
    problems = case.problems(search_seeds(seed, budget.seeds))
    with plain.workers(problems, workers) as train:
        started = time.perf_counter() - began
        found = plain_search.curve(train, budget.rates, budget.seeds, budget.candidates, seed)
    points = [(started + at, *rest) for at, *rest in found["points"]]
    return {**found, "points": points, "seconds": started + found["seconds"]}


def our_side(case: Case, budget: Budget, workers: int, target: float, limit: float, seed: int) -> dict[str, Any]:
    """Run symloss until it has reached the target, for so many seconds at most."""
    table: Mapping[str, Any] = {
        "name": "bench",
        "seed": seed,
        "grammar": "compact",
        "task": dict(case.task),
        "search": {"method": "evolution", **budget.search},
        "budget": {"steps": case.steps, "learning_rates": list(budget.rates), "seeds": budget.seeds, **budget.rungs},
        "stop": {"target": target, "time": limit},
        "finals": {"top": 0},
    }
    watch = Stopwatch(target)
    with tempfile.TemporaryDirectory() as folder:
        search(table, out=Path(folder) / "run", workers=workers, observer=watch)
    return {"seconds": watch.seconds, "trained": watch.trained}


def compare(case: Case, budget: Budget, workers: int, seed: int) -> dict[str, Any]:
    """Run both sides on one problem with the same seeds: how long to the best that the plain search has found?

    symloss has as much time as the plain search took in all.
    """
    theirs = plain_side(case, budget, workers, seed)
    seconds, fitness, trained = theirs.pop("points")[-1]
    ours = our_side(case, budget, workers, fitness, theirs["seconds"], seed)
    ratio = seconds / ours["seconds"]  # 0 where symloss never found it
    plain = {"seconds": seconds, "trained": trained, "trained_in_all": theirs["trained"]}
    return {"fitness": fitness, "plain": plain, "symloss": ours, "ratio": ratio}


def chosen(enlarged: bool) -> list[tuple[Case, Budget]]:
    """Return the base problems that are searched on."""
    pictures = [NOISY_FASHION] if NOISY_FASHION.task else []
    enlarged_digits = [NOISY_IMAGES] if enlarged or not pictures else []
    return [(NOISY_DIGITS, DIGIT_BUDGET), *((case, IMAGE_BUDGET) for case in (*enlarged_digits, *pictures))]


def main() -> None:
    """Measure, print, and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="searches of either side")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; nothing is kept")
    parser.add_argument("--enlarged", action="store_true", help="the enlarged digits, too, beside Fashion-MNIST")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    for case, budget in chosen(given.enlarged):
        budget = replace(budget, candidates=QUICK if given.quick else budget.candidates)
        pairs = []
        for seed in range(1 if given.quick else given.pairs):
            pairs.append(found := compare(case, budget, given.workers, seed))
            print(
                f"{case.name}, seed {seed}: the plain search had {found['fitness']:.4f} after "
                f"{found['plain']['seconds']:.1f} s, symloss after {found['symloss']['seconds']:.1f} s",
                flush=True,
            )
        figures[case.name] = {"pairs": pairs, "ratio": statistics.median_low(each["ratio"] for each in pairs)}
        print(f"{case.name}: {figures[case.name]['ratio']:.1f} times", flush=True)
    if not given.quick:
        print(write_record("searching", figures))


if __name__ == "__main__":
    main()
