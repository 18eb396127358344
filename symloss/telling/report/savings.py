"""What was not trained, and why: how many candidates each free test ended, and how far trainings went by step.

The reasons are texts in the store; those that differ in their numbers alone count as one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from symloss.language.candidate import State
from symloss.telling.report.material import Row

_NUMBERED = re.compile(r"\s*[(:,]|\s+(?:at|of|is|in|for|than)?\s*[-+]?(?:\d|nan\b|inf\b)")
_LONGEST = 120  # characters of a kind

NO_FORMULA = "the tree has no formula"
TWIN = "same gradient as an earlier candidate"


@dataclass(frozen=True)
class Saving:
    """Candidates that one free test kept from training.

    Args:
        state: that they ended in.
        kind: the reason without its numbers.
        example: one reason in full.
        seconds: of training that they would have cost, at the mean of those that were trained.
    """

    state: str
    kind: str
    example: str
    count: int
    seconds: float


@dataclass(frozen=True)
class Rung:
    """A step at which trainings were measured.

    Args:
        trainings: that were measured there; one for each candidate, learning rate and seed.
        candidates: that were measured there.
        stopped: candidates that were measured here and never later, though others were.
        saved: optimiser steps that trainings did not take because they ended here, in trainings times steps.
    """

    step: int
    trainings: int
    candidates: int
    stopped: int
    saved: int


def savings(rows: Sequence[Row]) -> list[Saving]:
    """Return what the free tests saved, the most first."""
    each = mean_seconds(rows)
    found: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.outcome is not None and row.outcome.state in (State.REJECTED, State.DUPLICATE):
            key = (row.ending, kind_of(row))
            found[key] += 1
            examples.setdefault(key, row.outcome.reason)
    return [Saving(*key, examples[key], count, count * each) for key, count in found.most_common()]


def mean_seconds(rows: Sequence[Row]) -> float:
    """Return the mean training time of the candidates that were trained; 0 when none was."""
    spent = [row.outcome.seconds for row in rows if row.outcome is not None and row.place is not None]
    return fmean(spent) if spent else 0.0


def kind_of(row: Row) -> str:
    """Return the reason of an untrained candidate without its numbers.

    Example:
        >>> kind_of(row), row.outcome.reason
        ('its value is not finite', 'its value is not finite at 44 of 440 probe points ...')
    """
    if row.outcome is None:
        return ""
    if row.outcome.state is State.DUPLICATE:
        return TWIN
    return NO_FORMULA if row.candidate.fault else without_numbers(row.outcome.reason)


def without_numbers(reason: str) -> str:
    """Cut a reason where its particulars begin."""
    found = _NUMBERED.search(reason)
    return (reason if found is None or not found.start() else reason[: found.start()])[:_LONGEST]


def rungs(rows: Sequence[Row]) -> list[Rung]:
    """Return the steps at which trainings were measured, the first first."""
    trainings: Counter[int] = Counter()
    candidates: Counter[int] = Counter()
    ends: Counter[int] = Counter()  # last step -> trainings that ended there
    stopped: Counter[int] = Counter()  # last step -> candidates of which nothing went further
    for row in rows:
        measured = () if row.outcome is None else row.outcome.measurements
        if not measured:
            continue
        # Sorted by step, the last of each training stands.
        lasts = {(each.learning_rate, each.seed): each.step for each in sorted(measured, key=lambda each: each.step)}
        trainings.update(each.step for each in measured)
        candidates.update({each.step for each in measured})
        ends.update(lasts.values())
        stopped[max(lasts.values())] += 1
    last = max(trainings, default=0)
    return [
        Rung(step, trainings[step], candidates[step], stopped[step] if step < last else 0, ends[step] * (last - step))
        for step in sorted(trainings)
    ]
