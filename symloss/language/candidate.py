"""The records that searching and judging exchange: a proposed tree or formula, and its typed end.

Searching (floor 3) and judging (floor 2) meet in these records alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from symloss.language.formula import Canonical
from symloss.language.probing import Finding

TRAINABLE, DUPLICATE = "trainable", "duplicate"
"""What the free tests find of a candidate that none of them rejects, as their counts name it."""


class State(StrEnum):
    """How a candidate ended; exactly one for every candidate that a search has issued."""

    SCORED = "scored"
    STOPPED = "stopped"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    DIVERGED = "diverged"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"


MEASURED = (State.SCORED, State.STOPPED)
TRAINED = (State.SCORED, State.STOPPED, State.DIVERGED, State.TIMED_OUT, State.CRASHED)


@dataclass(frozen=True)
class Candidate:
    """What a search proposes. Its formula is read by the worker that trains it: few candidates come so far.

    Args:
        number: counts from 0 within its run.
        text: the genotype as text: a tree's prefix form, or a formula's; the formula parser reads both.
        slot: a name in SLOTS.
        finding: what the slot's probe points say of it.
        parents: numbers of the candidates it was made from; empty for a newly grown one.
        variation: what made it, e.g. `initial`, `crossover`, `crossover+leaf_to_node`.
        seed: the seed that every random draw for this candidate came from.
    """

    number: int
    text: str
    slot: str
    finding: Finding
    parents: tuple[int, ...] = ()
    variation: str = "initial"
    seed: int = 0


@dataclass(frozen=True)
class Measurement:
    """The metrics of one training at one step: raw, so that fitness can be computed anew from a stored run.

    Args:
        step: optimiser steps done when it was measured.
        learning_rate: of this training.
        seed: of this training; fixes its initial weights, mini-batches, noise and split.
        values: metric name -> value on the measured part, e.g. `{"accuracy": 0.93}`.
    """

    step: int
    learning_rate: float
    seed: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """A candidate's typed end. Every state but SCORED holds a reason in words.

    SCORED holds measurements of a whole training, and so does none other. STOPPED holds those up to the rung at which
    the last of its learning rates was stopped: they say how it began, and are no score.

    Args:
        candidate: the candidate's number.
        twin: for DUPLICATE, the number of the earlier candidate with the same gradient, whose outcome it shares.
        formula: as whoever trained it has read it; None where nobody did.
        seconds: training time that this candidate cost, its share of its cohort's.
    """

    candidate: int
    state: State
    reason: str = ""
    twin: int | None = None
    measurements: tuple[Measurement, ...] = field(default=())
    seconds: float = 0.0
    formula: Canonical | None = None

    def __post_init__(self) -> None:
        scored = self.state is State.SCORED
        measured = self.state in MEASURED
        assert measured == bool(self.measurements), "scored and stopped outcomes hold measurements, no others do"
        assert scored != bool(self.reason), "every state but scored holds a reason"
        assert (self.twin is not None) == (self.state is State.DUPLICATE), "a duplicate names its twin"
