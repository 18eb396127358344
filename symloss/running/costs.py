"""What a search has spent, in training steps: the one currency in which methods can be compared at equal cost.

A training step is a forward and a backward pass of one base model on one mini-batch. Tuning a formula's numbers is
counted in the same steps, see `Tuning.cost`.
"""

from __future__ import annotations

from dataclasses import dataclass

from symloss.running.config import Experiment
from symloss.running.reached import Reached


@dataclass(frozen=True)
class Price:
    """What judging one candidate costs, in training steps.

    Args:
        training: of all its trainings, if none is stopped.
        tuning: of its numbers.
    """

    training: int
    tuning: int = 0

    @classmethod
    def of(cls, experiment: Experiment) -> Price:
        """Return what a candidate of a resolved experiment costs."""
        budget = experiment.budget
        assert budget.learning_rates is not None, "the experiment is resolved"
        return cls(budget.steps * len(budget.learning_rates) * budget.seeds, experiment.tuning.cost)

    @property
    def whole(self) -> int:
        """Of a candidate that no rung stops."""
        return self.training + self.tuning

    def spent(self, evaluated: int, reached: Reached) -> int:
        """Return what so many candidates that were worth training have cost.

        A training counts up to where it was measured last, and a candidate that failed as if it had gone to its end. A
        learning rate that diverged beside others that did not counts for nothing: it left the stack when that was seen.

        Args:
            reached: how far their trainings went.
        """
        trained = sum(last * count for last, count in reached.trainings.items())
        failed = evaluated - sum(reached.candidates.values())
        return trained + failed * self.training + evaluated * self.tuning
