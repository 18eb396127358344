"""A verification in words and tables: what was recorded, what came out, and whether that holds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from symloss.errors import visible
from symloss.language.lossfile import read_loss
from symloss.running.observer import Observer
from symloss.running.proof.recheck import ClaimCheck, RowCheck, Verification
from symloss.running.proof.verdict import Interval
from symloss.running.proof.verifying import verify_loss
from symloss.running.session import Crew
from symloss.running.storage.rundir import find_run, read_winner
from symloss.telling.comparison import task_table
from symloss.telling.show import decimals_for, fields, table


def verify_file(
    file: str | Path,
    task: str | None = None,
    quick: bool = False,
    crew: Crew | None = None,
    observer: Observer | None = None,
) -> Verification | None:
    """Make the table again that a loss file, or a run's winner, carries as its evidence.

    Args:
        task: your copy of the task where it is not a built-in one, e.g. `my_task.py:task`; that file is run.
        quick: train the first 3 seeds only, at the recorded learning rates.

    Returns:
        What came out, with `holds`, a sentence, and a check of every row; None when interrupted.

    Raises:
        RunError: there is no such file, or it carries no trial that can be made again.
        ExperimentError: its task cannot be made here.

    Example:
        >>> symloss.verify("runs/mine/winner.loss.json", quick=True).sentence
        'holds: every number came out to the last bit on the first 3 seeds'
    """
    path, spec = Path(file), None if task is None else task_table(task)["task"]
    if not path.is_dir():
        return verify_loss(read_loss(path), str(path), spec, quick, crew, observer)
    run = find_run(path)
    return verify_loss(read_winner(run), str(run.winner), spec, quick, crew, observer)


def verification_text(verification: Verification) -> str:
    """Lay out a verification for people."""
    asked = "to the last bit" if verification.exact else "within chance: versions or kind of machine are others"
    head = [
        ("recorded", verification.recorded),
        ("asked for", asked if not verification.quick else f"{asked}; quick, without tuning"),
        ("seeds", str(verification.seeds)),
    ]
    if not verification.quick:
        head.insert(1, ("again", verification.again))
    rows = table([_row(each) for each in verification.rows], "Means on the test set, recorded and again")
    claims = table([_claim(each) for each in verification.claims], "Differences of the winner to each baseline")
    return "\n\n".join([fields(head), rows, claims, visible(verification.sentence)])


def _row(row: RowCheck) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": row.name, "check": row.check.value}
    for name, value in row.recorded.items():
        shown |= {name: value, f"{name} again": row.again.get(name)}
    return shown | ({"note": row.note} if row.note else {})


def _claim(claim: ClaimCheck) -> dict[str, Any]:
    return {
        "other": claim.baseline,
        "metric": claim.metric,
        "check": claim.check.value,
        "recorded": f"{_span(claim.recorded)} {claim.claimed}",
        "again": f"{_span(claim.again)} {claim.found}",
    }


def _span(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    if not math.isfinite(interval.high - interval.low):
        return f"{interval.difference:+.4g} (no bounds)"
    decimals = decimals_for((interval.high - interval.low) / 2 or interval.difference or 1.0)
    return f"{interval.difference:+.{decimals}f} ({interval.low:+.{decimals}f} to {interval.high:+.{decimals}f})"
