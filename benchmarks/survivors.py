"""Candidates that the probe points let pass, read and scored by short trainings: what studies of judging work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symloss.errors import FormulaError
from symloss.judging.plan import Plan, Trained
from symloss.judging.screen import Screen
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.judging.train import train_cohort
from symloss.language.candidate import Outcome, State
from symloss.language.formula import Formula, parse
from symloss.language.grammar import load_grammar
from symloss.language.loss import compile_loss
from symloss.searching.fitness import FAILED, Judge
from symloss.searching.searches import make_search

COHORT = 16


def survivors(grammar: str, task: Task, count: int, seed: int = 1) -> tuple[list[Formula], int]:
    """Propose until so many pass the probe points and are no duplicates; return them, and how many were proposed."""
    judge = Judge.by(task.metric)
    search = make_search("random", load_grammar(grammar), judge, seed, {"batch": 200}, task.width)
    screen, found, proposed = Screen(), [], 0
    while len(found) < count:
        candidates = search.ask()
        outcomes = screen.check(candidates)
        proposed += len(candidates)
        found += [each for each, outcome in zip(candidates, outcomes, strict=True) if outcome is None]
        search.tell([outcome or _unjudged(each.number) for each, outcome in zip(candidates, outcomes, strict=True)])
    formulas = [formula for each in found if (formula := _read(each.text, each.slot)) is not None]
    return formulas[:count], proposed


def _unjudged(number: int) -> Outcome:
    return Outcome(number, State.CRASHED, "not trained in this study")


def _read(text: str, slot: str) -> Formula | None:
    try:
        return parse(text, slot)
    except FormulaError:
        return None


def by_rate(formulas: Sequence[Formula], task: Task, plan: Plan) -> list[dict[float, float]]:
    """Train each formula; return its mean validation metric over the seeds at each learning rate, failures left out."""
    plan = replace(plan, stack="stacked")
    with one_thread():
        parts = [formulas[start : start + COHORT] for start in range(0, len(formulas), COHORT)]
        trained = [each for part in parts for each in train_cohort([compile_loss(f) for f in part], task, plan)]
    return [_rates(each, task, plan) for each in trained]


def _rates(trained: Trained, task: Task, plan: Plan) -> dict[float, float]:
    found: dict[float, list[float]] = {}
    for each in trained.measurements:
        if each.step == plan.steps:
            found.setdefault(each.learning_rate, []).append(each.values[task.metric.name])
    return {rate: sum(values) / len(values) for rate, values in found.items() if len(values) == len(plan.seeds)}


def best(rates: dict[float, float], among: Sequence[float]) -> float:
    """Return the best metric among some learning rates; minus infinity where all failed."""
    return max((rates[rate] for rate in among if rate in rates), default=FAILED)
