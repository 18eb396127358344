"""Trainings a second against the plain loop, distinct valid candidates, and the fraction of the machine's limit.

`python -m benchmarks.training`. Both sides train the same candidates with two warm workers, in turns; ratios are of
medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import click

from benchmarks import plain
from benchmarks.limits import fastest, moved_bytes, parameters, peak_bytes, peak_flops, product_flops
from benchmarks.problems import DIGITS, IMAGES_ADAM, IMAGES_SGD, Case, draw, one_thread
from benchmarks.record import write_record
from symloss.judging import stand_in
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.pool import Pool
from symloss.judging.pools import make_pool
from symloss.judging.stacking import choose_stacking
from symloss.judging.tasks import make_task
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import Formula
from symloss.language.loss import compile_loss

COHORT = 96

Trainer = Callable[[Sequence[Formula]], list[float]]


def plan_of(case: Case, seeds: tuple[int, ...] = (0,)) -> Plan:
    """Return the plan of one training per candidate, stacked as the measurement of a run decides."""
    plan = Plan(case.steps, (case.rate,), seeds)
    decision = choose_stacking(make_task(case.task), plan, COHORT)
    return Plan(case.steps, (case.rate,), seeds, stack=decision.stack, members=decision.members)


def jobs_of(formulas: Sequence[Formula], plan: Plan, cohort: int) -> list[Job]:
    """Cut formulas into jobs; a candidate's number is its place."""
    named = [(place, each.text, each.slot) for place, each in enumerate(formulas)]
    parts = [tuple(named[start : start + cohort]) for start in range(0, len(named), cohort)]
    return [Job(number, part, plan, 600.0) for number, part in enumerate(parts)]


def accuracies(pool: Pool, formulas: Sequence[Formula], plan: Plan, cohort: int) -> list[float]:
    """Train formulas in a pool and return their accuracies on validation, in order; -1 for one that has none."""
    found = {}
    for _, outcomes in pool.run(jobs_of(formulas, plan, cohort)):
        for outcome in outcomes:
            scored = outcome.state is State.SCORED
            found[outcome.candidate] = outcome.measurements[-1].values["accuracy"] if scored else -1.0
    return [found[place] for place in range(len(formulas))]


def warm_up(pool: Pool, formulas: Sequence[Formula], plan: Plan) -> None:
    """Wait until a pool's workers have judged something; else this process would stand in for them at first."""
    with patch.object(stand_in, "is_harmless", lambda spec: False):
        accuracies(pool, formulas, plan, 2)


def rates(trainer: Trainer, candidates: Sequence[Formula]) -> tuple[float, list[float]]:
    """Return trainings a second, and what they gave."""
    started = time.perf_counter()
    gave = trainer(candidates)
    return len(candidates) / (time.perf_counter() - started), gave


def compare(case: Case, workers: int, theirs: int, ours: int, rounds: int) -> dict[str, Any]:
    """Time both sides in turns on one machine.

    Args:
        theirs: candidates that the plain loop trains in a round; symloss trains the same ones and more.
        ours: candidates that symloss trains in a round.
    """
    candidates, plan = draw(max(theirs, ours)), plan_of(case)
    cohort = min(COHORT, plan.members or 1)  # as a run cuts jobs, see `plan_jobs`
    pool = make_pool(workers, case.task)
    taken: dict[str, list[float]] = {"plain": [], "symloss": []}
    try:
        with plain.workers(case.problems(), workers) as train:
            warm_up(pool, candidates[: 2 * workers], plan)
            for _ in range(rounds):
                rate, slow = rates(
                    lambda c: list(train([(each.text, case.rate, 0) for each in c])), candidates[:theirs]
                )
                taken["plain"].append(rate)
                rate, fast = rates(lambda c: accuracies(pool, c, plan, cohort), candidates[:ours])
                taken["symloss"].append(rate)
    finally:
        pool.close()
    medians = {side: statistics.median(each) for side, each in taken.items()}
    apart = [abs(a - b) for a, b in zip(slow, fast, strict=False)]
    return {
        "workers": workers,
        "trainings_per_second": medians,
        "plain_step_us": 1e6 * workers / medians["plain"] / case.steps,
        "ratio": medians["symloss"] / medians["plain"],
        "ratios": [a / b for a, b in zip(taken["symloss"], taken["plain"], strict=True)],
        "cohort": cohort,
        "stack": plan.members,
        "median_difference_of_accuracies": statistics.median(apart),
    }


def fraction_of_limit(case: Case, candidates: int) -> dict[str, Any]:
    """Say how near one worker's training comes to the machine's limit: products at peak, and the optimiser's bytes."""
    one_thread()
    plan, task = plan_of(case), make_task(case.task)
    losses = [compile_loss(each) for each in draw(candidates)]
    state = 4 * parameters(case.sizes) * (plan.members or 1) * 4
    products = product_flops(case.sizes, case.batch) / peak_flops()
    moves = moved_bytes(case.sizes, case.optimiser) / peak_bytes(state)
    taken = fastest(lambda: train_cohort(losses, task, plan), 3) / candidates / case.steps
    return {
        "step_us": 1e6 * taken,
        "products_us": 1e6 * products,
        "bytes_us": 1e6 * moves,
        "fraction": (products + moves) / taken,
    }


@click.command()
@click.option("--rounds", default=5, show_default=True, help="turns of either side")
@click.option("--workers", default=2, show_default=True)
@click.option("--quick", is_flag=True, help="a few candidates, to see that it runs")
def main(rounds: int, workers: int, quick: bool) -> None:
    """Measure, print, and keep what was measured."""
    share = 8 if quick else 1
    asked = ((DIGITS, 48, 768), (IMAGES_ADAM, 24, 96), (IMAGES_SGD, 24, 96))
    figures: dict[str, Any] = {}
    for case, theirs, ours in asked:
        # The limit first: workers that are still at work would be part of it.
        limit = fraction_of_limit(case, max(4, min(ours // 3, COHORT) // share))
        figures[case.name] = compare(case, workers, theirs // share or 1, ours // share, 1 if quick else rounds) | limit
        found = figures[case.name]
        found["ratio_at_limit"] = found["plain_step_us"] / (found["products_us"] + found["bytes_us"])
        print(
            f"{case.name}: plain {found['trainings_per_second']['plain']:.2f}/s, symloss "
            f"{found['trainings_per_second']['symloss']:.1f}/s, {found['ratio']:.1f} times; "
            f"{100 * found['fraction']:.0f} % of the machine's limit",
            flush=True,
        )
    if not quick:
        print(write_record("training", figures))


if __name__ == "__main__":
    main()
