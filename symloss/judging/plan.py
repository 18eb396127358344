"""What training a cohort means, and how one candidate's training ended: the records around `train.py`."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symloss.errors import ExperimentError, unknown
from symloss.language.candidate import Measurement, State

STACKS = ("auto", "stacked", "single")
COHORT = 16  # candidates that train together where nothing else is said
MEMORY = 2**30  # bytes
SIZES = ("members", "memory")  # what of a plan decides how large stacks are, and nothing else


class Leg(NamedTuple):
    """The way of a training up to a rung, and what the rung asks of who trains on.

    Args:
        rung: step at which it is measured.
        threshold: see `Plan.thresholds`.
        rate_factor: see `Plan.rate_factor`.
    """

    rung: int
    threshold: float | None = None
    rate_factor: float = 1.0

    @property
    def decides(self) -> bool:
        """Whether anybody could be stopped there."""
        return self.threshold is not None or self.rate_factor > 1


@dataclass(frozen=True)
class Plan:
    """What training a cohort means.

    Args:
        steps: optimiser steps.
        learning_rates: each candidate trains at each of them.
        seeds: each fixes initial weights, mini-batch order, noise and split of one training per learning rate.
        rungs: steps at which metrics are measured, increasing, the last is `steps`; empty for `steps` alone.
        measure: `("valid",)`, or `("test",)`, which also keeps the outputs and takes one learning rate only.
        stack: `stacked` trains all at once, `single` one by one, `auto` measures which pays.
        members: models in one stack at most; None for as many as the memory holds.
        memory: bytes that a stack may take; what is larger is cut into several.
        thresholds: of each rung but the last, what a learning rate's mean over the seeds must reach there by the
            judging metric, in its own units, to train on; None lets all go on, and so does an empty tuple everywhere.
        rate_factor: of a candidate's own learning rates that a threshold lets go on, the best one in so many does, at
            each rung but the last; 1 lets all go on.

    Raises:
        ExperimentError: a value is out of its range.
    """

    steps: int
    learning_rates: tuple[float, ...]
    seeds: tuple[int, ...]
    rungs: tuple[int, ...] = ()
    measure: tuple[str, ...] = ("valid",)
    stack: str = "auto"
    members: int | None = None
    memory: int = MEMORY
    thresholds: tuple[float | None, ...] = ()
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rungs", self.rungs or (self.steps,))
        if self.steps < 1:
            raise ExperimentError(f"[budget] steps must be at least 1, got {self.steps}.")
        if list(self.rungs) != sorted(set(self.rungs)) or self.rungs[0] < 1 or self.rungs[-1] != self.steps:
            raise ExperimentError(
                f"[budget] rungs must increase from at least 1 to steps = {self.steps}, got {list(self.rungs)}."
            )
        if not self.learning_rates or not all(0 < rate < float("inf") for rate in self.learning_rates):
            raise ExperimentError(f"[budget] learning_rates must be positive, got {list(self.learning_rates)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ExperimentError(f"[budget] seeds must differ, at least one, got {list(self.seeds)}.")
        if self.stack not in STACKS:
            raise ExperimentError(unknown("[budget] stack", "way to train", self.stack, STACKS))
        if self.memory < 1 or (self.members is not None and self.members < 1):
            raise ExperimentError(f"[budget] memory and members must be at least 1, got {self.memory}, {self.members}.")
        if self.measure not in (("valid",), ("test",)):
            raise ExperimentError(f"measure must be ('valid',) or ('test',), got {self.measure!r}.")
        if self.thresholds and len(self.thresholds) != len(self.rungs) - 1:
            raise ExperimentError(
                f"A plan with {len(self.rungs)} rungs takes a threshold for each but the last, got {self.thresholds!r}."
            )
        if not 1 <= self.rate_factor < float("inf"):
            raise ExperimentError(f"[budget] rate_factor must be at least 1, got {self.rate_factor}.")
        if self.measure == ("test",) and len(self.learning_rates) > 1:
            raise ExperimentError("The test part is measured at one learning rate: choose it on validation first.")

    def legs(self) -> list[Leg]:
        """Return the way to each rung; nobody is stopped at the last."""
        thresholds = self.thresholds or (None,) * (len(self.rungs) - 1)
        decided = zip(self.rungs, thresholds, strict=False)
        return [*(Leg(rung, threshold, self.rate_factor) for rung, threshold in decided), Leg(self.steps)]


@dataclass(frozen=True)
class Trained:
    """How one candidate's training ended.

    Args:
        state: SCORED, STOPPED, DIVERGED, CRASHED or TIMED_OUT.
        reason: why it is not SCORED, in words.
        measurements: of the learning rates at which all seeds stayed finite, up to the rung at which each was stopped;
            by learning rate, seed, step.
        outputs: of the trained models on the test part, float32 `(seeds, n, outputs)`, when the plan measures it.
    """

    state: State
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    outputs: NDArray[np.float32] | None = None
