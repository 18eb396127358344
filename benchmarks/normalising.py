"""Would it be fairer or cheaper to divide each loss by its gradient at uniform output, relative to cross-entropy's?

    python -m benchmarks.normalising

Every formula trains as it is and normalised, at each of several learning rates, with Adam and with momentum. The
standard is its best metric over all of them: a judge is fair as far as it ranks formulas alike.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.record import write_record
from benchmarks.survivors import best, by_rate, survivors
from symloss.judging.free_outputs import stuck
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.language.formula import Formula, parse
from symloss.language.probing import Prober, fingerprint, prefix

RATES = {"adam": (0.001, 0.003, 0.01, 0.03), "momentum": (0.01, 0.03, 0.1, 0.3)}
DEFAULT = {"adam": (0.003, 0.01), "momentum": (0.03, 0.1)}  # the two that a cheap judge would take
SINGLE = {"adam": 0.01, "momentum": 0.1}
FACTORS = (0.1, 10.0)
LEAST = 1e-4  # a first step smaller than this is not divided by: its loss starts from elsewhere


def first_step(formula: Formula, width: int) -> float:
    """Return the gradient on the true class's logit at uniform output, relative to cross-entropy's."""
    prober = Prober(formula.slot, width)
    response = prober.respond(list(prefix(formula.node)), formula.text)
    return float(response.gradients[-width]) / (1 / width - 1)


def normalised(formula: Formula, width: int) -> Formula:
    """Divide a formula by its first step; one that has none stays as it is."""
    step = first_step(formula, width)
    return scaled(formula, 1 / step) if abs(step) > LEAST and math.isfinite(step) else formula


def scaled(formula: Formula, factor: float) -> Formula:
    """Multiply a formula by a number."""
    return parse(f"({formula.text})*{factor!r}", formula.slot)


def shape(formula: Formula, width: int) -> bytes:
    """Return a fingerprint that does not see the gradient's size."""
    prober = Prober(formula.slot, width)
    gradients = prober.respond(list(prefix(formula.node)), formula.text).gradients[: -3 * width]
    return fingerprint(gradients / np.abs(gradients).max())


def study(optimiser: str, formulas: list[Formula], steps: int) -> dict[str, Any]:
    """Train formulas, their normalised forms and their multiples with one optimiser."""
    task = make_task({"name": "digits", "noise": 0.4, "optimiser": optimiser})
    rates = RATES[optimiser]
    plan = Plan(steps, rates, (21,), stack="stacked")
    raw = by_rate(formulas, task, plan)
    unit = by_rate([normalised(formula, task.width) for formula in formulas], task, plan)
    standard = [max(best(one, rates), best(other, rates)) for one, other in zip(raw, unit, strict=True)]
    few = formulas[:16]
    multiples = [by_rate([scaled(formula, factor) for formula in few], task, plan) for factor in FACTORS]
    again = [
        by_rate([normalised(scaled(formula, factor), task.width) for formula in few], task, plan) for factor in FACTORS
    ]
    judges = {"one rate": (SINGLE[optimiser],), "two rates": DEFAULT[optimiser], "all rates": rates}
    table = []
    for name, among in judges.items():
        for form, own, others in (("as it is", raw, multiples), ("normalised", unit, again)):
            table.append(
                {
                    "judge": name,
                    "losses": form,
                    "rank correlation with the standard": _correlation([best(each, among) for each in own], standard),
                    "points lost to the standard, mean": _lost(own, standard, among),
                    "spread of twins up to a factor, mean": _spread([own[: len(few)], *others], among),
                }
            )
    return {"optimiser": optimiser, "formulas": len(formulas), "table": table}


def _correlation(scores: list[float], standard: list[float]) -> float:
    return float(spearmanr(np.maximum(scores, 0.0), np.maximum(standard, 0.0)).statistic)


def _lost(own: list[dict[float, float]], standard: list[float], among: tuple[float, ...]) -> float:
    return float(
        np.mean([max(0.0, top) - max(0.0, best(each, among)) for each, top in zip(own, standard, strict=True)])
    )


def _spread(forms: list[list[dict[float, float]]], among: tuple[float, ...]) -> float:
    scores = np.array([[max(0.0, best(each, among)) for each in form] for form in forms])
    return float(np.mean(scores.max(0) - scores.min(0)))


def main() -> None:
    """Write `benchmarks/results/normalising.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formulas", type=int, default=48)
    parser.add_argument("--steps", type=int, default=150)
    asked = parser.parse_args()
    task = make_task({"name": "digits", "noise": 0.4})
    found, proposed = survivors("compact", task, asked.formulas)
    formulas = [each for each, reason in zip(found, stuck(found, task.slot, task.width), strict=True) if not reason]
    rows = [study(optimiser, formulas, asked.steps) for optimiser in RATES]
    shapes = len({shape(each, task.width) for each in found})
    steps = sorted(abs(first_step(each, task.width)) for each in found)
    more = {
        "proposed": proposed,
        "distinct by gradient": len(found),
        "distinct up to a factor": shapes,
        "first step relative to cross-entropy's, 10 %, median, 90 %": [steps[len(steps) * q // 10] for q in (1, 5, 9)],
    }
    print(more)
    for row in rows:
        print(row["optimiser"], row["formulas"])
        for each in row["table"]:
            print("   ", *(f"{value:.4f}" if isinstance(value, float) else f"{value:<10}" for value in each.values()))
    print(write_record("normalising", {"optimisers": rows, **more}))


if __name__ == "__main__":
    main()
