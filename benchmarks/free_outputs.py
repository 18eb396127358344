"""What the test on free outputs rejects beyond the probe points, and whether any of it was worth training.

    python -m benchmarks.free_outputs

Formulas that pass the probe points are all trained on digits with 40 % label noise, whatever the test says of them.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.record import write_record
from benchmarks.survivors import best, by_rate, survivors
from symloss.judging.free_outputs import stuck
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.threads import one_thread

PLAN = Plan(150, (0.003, 0.01), (11,), stack="stacked")


def study(grammar: str, count: int) -> dict[str, Any]:
    """Train survivors of one grammar and part them by what the test says."""
    task = make_task({"name": "digits", "noise": 0.4})
    formulas, proposed = survivors(grammar, task, count)
    with one_thread():
        reasons = stuck(formulas, task.slot, task.width)
    scores = [best(rates, PLAN.learning_rates) for rates in by_rate(formulas, task, PLAN)]
    rejected = sorted(
        (
            (score, formula.text, reason)
            for formula, score, reason in zip(formulas, scores, reasons, strict=True)
            if reason
        ),
        reverse=True,
    )
    passed = sorted((score for score, reason in zip(scores, reasons, strict=True) if not reason), reverse=True)
    return {
        "grammar": grammar,
        "proposed": proposed,
        "pass the probe points": len(formulas),
        "rejected by free outputs": len(rejected),
        "best accuracy of a rejected one": rejected[0][0] if rejected else None,
        "best accuracy of one that passed": passed[0],
        "median accuracy of those that passed": passed[len(passed) // 2],
        "passed and below 0.3 in training": sum(score < 0.3 for score in passed),
        "rejected": [{"accuracy": a, "formula": f, "reason": r} for a, f, r in rejected],
    }


def main() -> None:
    """Study the compact and glo grammars and write `benchmarks/results/free_outputs.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formulas", type=int, default=160, help="trained for each grammar")
    asked = parser.parse_args()
    rows = [study(grammar, asked.formulas) for grammar in ("compact", "glo")]
    for row in rows:
        print({key: value for key, value in row.items() if key != "rejected"})
        for each in row["rejected"][:8]:
            print(f"    {each['accuracy']:.3f}  {each['formula']}  ({each['reason']})")
    print(write_record("free_outputs", {"grammars": rows}))


if __name__ == "__main__":
    main()
