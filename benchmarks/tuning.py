"""What a step of tuning a formula's numbers takes, in training steps of one model: the currency of `[stop] steps`.

    python -m benchmarks.tuning

All are ratios within this run, by torch alone on one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

from benchmarks.record import write_record
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.threads import one_thread
from symloss.judging.train import train_singly
from symloss.judging.tuning import tune
from symloss.language.loss import compile_loss
from symloss.language.tuning import Tuning
from symloss.language.zoo import zoo

ROUNDS, WARM = 9, 2


def paired(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Return the median seconds of each call, taken in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, own in zip(calls, times, strict=True):
            began = time.perf_counter()
            call()
            own.append(time.perf_counter() - began)
    return [median(own[WARM:]) for own in times]


def figures_for(hidden: Sequence[int]) -> dict[str, Any]:
    """Compare tuning with training, for a perceptron on digits."""
    task = make_task({"name": "digits", "noise": 0.4, "hidden": list(hidden)})
    plan, function = Plan(200, (0.01,), (0,), stack="single"), compile_loss(zoo["gce"])
    gradient, cma = (Tuning(method, steps=50) for method in ("gradient", "cma"))
    calls = [partial(train_singly, function, task, plan)]
    training, by_gradient, by_cma = paired(
        [*calls, *(partial(tune, zoo["gce"], task, plan, t) for t in (gradient, cma))]
    )
    step = training / plan.steps
    return {
        "counted, training steps of a step by gradients": gradient.cost / gradient.steps,
        "taken": by_gradient / gradient.steps / step,
        "counted, training steps of a trial by CMA-ES": cma.cost / cma.trials,
        "taken by a trial": by_cma / cma.trials / step,
    }


def main() -> None:
    """Measure two models and write `benchmarks/results/tuning.json`."""
    with one_thread():
        figures = {str(hidden): figures_for(hidden) for hidden in ((64, 64), (512, 512))}
    for name, each in figures.items():
        print(name, each)
    print(write_record("tuning", figures))


if __name__ == "__main__":
    main()
