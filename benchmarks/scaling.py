"""How the cost of a training grows: with the cohort, the formula, the model, the number of candidates, the workers.

`python -m benchmarks.scaling`. One thread in this process, but for the workers; digits, one learning rate, one seed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.limits import fastest
from benchmarks.problems import draw, one_thread
from benchmarks.record import asked_for_quick, write_record
from benchmarks.training import accuracies, warm_up
from symloss.judging.plan import Plan
from symloss.judging.pools import make_pool
from symloss.judging.tasks import make_task
from symloss.judging.train import train_cohort
from symloss.language.formula import Formula
from symloss.language.loss import compile_loss

STEPS = 100
PLAN = Plan(STEPS, (0.003,), (0,), stack="stacked")
COHORTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
HIDDEN = (16, 32, 64, 128, 256, 512)


def milliseconds(formulas: Sequence[Formula], hidden: int = 32) -> float:
    """Return what 100 steps of one training cost in milliseconds, trained together."""
    task, losses = make_task({"name": "digits", "hidden": [hidden]}), [compile_loss(each) for each in formulas]
    return 1e3 * fastest(lambda: train_cohort(losses, task, PLAN), 3) / len(losses)


def by_complexity(formulas: Sequence[Formula]) -> dict[int, float]:
    """Return nodes of a formula -> milliseconds, each over 64 copies of one formula of that size."""
    first = {each.complexity: each for each in reversed(formulas)}
    return {nodes: milliseconds([formula] * 64) for nodes, formula in sorted(first.items())}


def by_workers(formulas: Sequence[Formula], workers: int) -> float:
    """Return trainings a second with so many Ray workers, once they are warm."""
    pool = make_pool(workers, {"name": "digits", "hidden": [32]})
    try:
        warm_up(pool, formulas[: 2 * workers], PLAN)
        started = time.perf_counter()
        accuracies(pool, formulas, PLAN, 64)
        return len(formulas) / (time.perf_counter() - started)
    finally:
        pool.close()


def main() -> None:
    """Measure, print, and keep what was measured."""
    quick = asked_for_quick(__doc__)
    one_thread()
    formulas = draw(4 if quick else 512)
    figures: dict[str, Any] = {
        "cohort": {size: milliseconds(formulas[:size]) for size in COHORTS if size <= len(formulas)},
        "nodes": by_complexity(formulas),
        "hidden": {width: milliseconds(formulas[:32], width) for width in HIDDEN},
        "candidates": {count: seconds_of(formulas[:count]) for count in (64, 128, 256, 512) if count <= len(formulas)},
        "workers": {count: by_workers(formulas, count) for count in (1, 2)},
    }
    for name, found in figures.items():
        print(name, {key: float(f"{value:.3g}") for key, value in found.items()}, flush=True)
    if not quick:
        print(write_record("scaling", figures))


def seconds_of(formulas: Sequence[Formula]) -> float:
    """Return how long candidates take in cohorts of 64, one after the other."""
    parts = [formulas[first : first + 64] for first in range(0, len(formulas), 64)]
    return sum(1e-3 * len(part) * milliseconds(part) for part in parts)


if __name__ == "__main__":
    main()
