"""What was not trained, and why: how many candidates each free test ended, and how far trainings went by step.

The reasons are texts in the store; those that differ in their numbers alone count as one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from symloss.language.candidate import State
from symloss.running.reached import Reached

_NUMBERED = re.compile(r"\s*[(:,]|\s+(?:at|of|is|in|for|than)?\s*[-+]?(?:\d|nan\b|inf\b)")
_LONGEST = 120  # characters of a kind

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


def savings(endings: Iterable[tuple[str, str, int]], each: float) -> list[Saving]:
    """Return what the free tests saved, the most first.

    Args:
        endings: see `RunStore.endings`.
        each: seconds that training a candidate takes.
    """
    found: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for state, reason, count in endings:
        key = state, TWIN if state == State.DUPLICATE else without_numbers(reason)
        found[key] += count
        examples.setdefault(key, reason)
    return [Saving(*key, examples[key], count, count * each) for key, count in found.most_common()]


def without_numbers(reason: str) -> str:
    """Cut a reason where its particulars begin."""
    found = _NUMBERED.search(reason)
    return (reason if found is None or not found.start() else reason[: found.start()])[:_LONGEST]


def rungs(reached: Reached) -> list[Rung]:
    """Return the steps at which trainings were measured, the first first; each was measured at all before its last."""
    steps = sorted({*reached.trainings, *reached.candidates})
    last = max(steps, default=0)
    return [
        Rung(
            step,
            sum(count for end, count in reached.trainings.items() if end >= step),
            sum(count for end, count in reached.candidates.items() if end >= step),
            reached.candidates.get(step, 0) if step < last else 0,
            reached.trainings.get(step, 0) * (last - step),
        )
        for step in steps
    ]
