"""Runs that no search made: stores of any size, with any text in them, written in a moment."""

import json
import sqlite3
from pathlib import Path

from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore

EVIL = [
    "</script><img src=x onerror=window.hurt=1>",
    '"><svg onload=window.hurt=1>',
    "'; window.hurt=1; //",
    "<!--<script>window.hurt=1</script>",
    "{{ 7*7 }}{% raw %}",
    "]]></style><style>*{display:none}",
    "\u2028\u2029\u202e \x00\x1b[2J \U0001f600 ünï \ud7ff",
    "</math></svg></td></table></details><base href=//evil.example>",
    "javascript:window.hurt=1",
    "long " * 2000,
]

FACTS = {
    "name": "made", "slot": "classification", "metric": "accuracy", "maximise": True, "stack": "stacked",
    "stack_reason": "as told", "ended": "200 candidates are trained",
    "sessions": [{"started": "2026-01-01T00:00:00Z", "workers": 2, "cpus": 4, "platform": "Linux", "seconds": 12.5,
                  "versions": {"symloss": "0.1.0", "torch": "2.13.0"}}],
}  # fmt: skip


def interval(middle: float, half: float) -> dict:
    return {"difference": middle, "low": middle - half, "high": middle + half, "p": 0.02, "seeds": 4}


def finals(winner: str, names=("cross_entropy", "gce"), metric: str = "accuracy") -> dict:
    """Return a finals document: the winner beats the first baseline, and is even with the rest."""
    rows = [{"name": "found 1", "role": "found", "formula": winner, "learning_rate": 0.01, "validation": 0.95,
             "test": {metric: [0.93, 0.01], "nll": [0.3, None]}, "reason": ""},
            {"name": "found 2", "role": "found", "formula": "-t*p", "learning_rate": None, "validation": None,
             "test": {}, "reason": "no learning rate stayed finite on all seeds"}]  # fmt: skip
    rows += [{"name": name, "role": "baseline", "formula": f"-t*log(p)*{place + 1}", "learning_rate": 0.01,
              "validation": 0.9, "test": {metric: [0.9, 0.01], "nll": [0.4, 0.02]}, "reason": ""}
             for place, name in enumerate(names)]  # fmt: skip
    verdicts = [{"baseline": name, "interval": interval(0.02 - 0.018 * place, 0.01), "reason": "", "metric": metric}
                for place, name in enumerate(names)]  # fmt: skip
    others = [{"baseline": name, "interval": None, "reason": "it diverged", "metric": "nll"} for name in names]
    return {"winner": winner, "rows": rows, "verdicts": verdicts, "others": others, "metric": metric, "seeds": 4,
            "sentence": "beats tuned cross_entropy by 2.0 points (95 % CI 1.0 to 3.0, 4 seeds)"}  # fmt: skip


def formula_of(number: int) -> str:
    return f"-t*log(p) + {number}*p" if number % 3 else f"-t*log(p)*p**{1 + number / 1000}"


def fitness_of(number: int, count: int) -> float:
    return 0.8 + 0.15 * number / count + 0.04 * ((number * 7919) % 101) / 101


def make_run(path: Path, count: int = 60, text=None, rungs=(100,), **facts) -> Path:
    """Write a run of `count` candidates: of ten, six are rejected, one is a duplicate, three are scored.

    Args:
        text: number -> what stands wherever a store holds a text that is no formula; None for what is usual.
        rungs: steps at which every third scored candidate was measured; the others only at the first.
        facts: about the run, instead of FACTS.
    """
    path.mkdir(parents=True)
    run = RunDirectory(path)
    run.experiment.write_text('name = "made"\n[task]\nfolder = "/home/somebody"\n' + f"# {text(0) if text else ''}\n")
    run.grammar.write_text('slot = "classification"\n')
    RunStore.create(run.store, {**FACTS, **facts}).close()
    with sqlite3.connect(run.store) as connection:
        _fill(connection, count, text, rungs, {**FACTS, **facts}["metric"])
    connection.close()
    return path


def _fill(connection: sqlite3.Connection, count: int, text, rungs, metric: str) -> None:
    said = text or (lambda number: "")
    candidates, outcomes, measurements = [], [], []
    for number in range(count):
        kind, parents = number % 10, f"{number // 2} {number // 3}" if number > 9 else ""
        tree = f"mul(t, log({'p' if number % 2 else 't'}))" + said(number)
        formula = None if kind == 0 else formula_of(number)
        fault = (said(number) or "the tree divides by zero") if kind == 0 else ""
        candidates.append((number, number // 50, tree, formula, f"{number:016x}", 6 + number % 9, fault, parents,
                           "crossover" + said(number), str(number)))  # fmt: skip
        if kind < 6:
            reason = fault or f"its value is not finite at {number} of 440 probe points{said(number)}"
            outcomes.append((number, "rejected", reason, None, 0.0))
        elif kind == 6 and number > 9:
            outcomes.append(
                (number, "duplicate", f"its gradient equals that of candidate {number - 9}", number - 9, 0.0)
            )
        else:
            outcomes.append((number, "scored", "", None, 0.25))
            steps = rungs if number % 3 == 0 else rungs[:1]
            measurements += [
                (number, step, rate, 1, metric, fitness_of(number, count) - rate)
                for step in steps
                for rate in (0.01, 0.1)
            ]
    connection.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", candidates)
    connection.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?)", outcomes)
    connection.executemany("INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?)", measurements)
    batches = [(batch, 50, 0.9, 1.0) for batch in range(max(1, count // 50))] if count else []
    connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?)", batches)


def set_fact(path: Path, name: str, value: object) -> None:
    with sqlite3.connect(RunDirectory(path).store) as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))
    connection.close()
