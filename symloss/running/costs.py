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
        steps: of each of its trainings, if no rung stops it.
        trainings: learning rates times seeds.
        tuning: of its numbers.
    """

    steps: int
    trainings: int = 1
    tuning: int = 0

    @classmethod
    def of(cls, experiment: Experiment) -> Price:
        """Return what a candidate of a resolved experiment costs."""
        budget = experiment.budget
        assert budget.learning_rates is not None, "the experiment is resolved"
        return cls(budget.steps, len(budget.learning_rates) * budget.seeds, experiment.tuning.cost)

    @property
    def whole(self) -> int:
        """Of a candidate that no rung stops."""
        return self.steps * self.trainings + self.tuning

    def spent(self, evaluated: int, reached: Reached) -> int:
        """Return what so many candidates that were worth training have cost.

        A training that a rung has stopped counts up to there, and one that diverged as if it had gone to its end.

        Args:
            reached: how far their trainings went.
        """
        saved = sum((self.steps - last) * count for last, count in reached.trainings.items() if last < self.steps)
        return evaluated * self.whole - saved
