"""From an outcome's raw measurements to the number that a search selects by: higher is better, a failure ranks last.

Each candidate is judged at its best learning rate; at one fixed rate a search would find learning rates, not losses.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol, Self

from symloss.errors import ExperimentError, unknown
from symloss.language.candidate import Measurement, Outcome, State

FAILED = -math.inf
"""The fitness of every outcome but SCORED."""

Promise = tuple[int, float]  # how far a training was measured, and how it stood there

NO_PROMISE: Promise = (0, FAILED)


class Metric(Protocol):
    """What a task says of its metric."""

    @property
    def name(self) -> str: ...
    @property
    def maximise(self) -> bool: ...


@dataclass(frozen=True)
class Judge:
    """Scores outcomes by one metric.

    Args:
        metric: the name of a measured value, e.g. `accuracy`.
        maximise: whether more of it is better.

    Example:
        >>> Judge("accuracy", maximise=True).fitness(outcome)
        0.931
    """

    metric: str
    maximise: bool

    @classmethod
    def by(cls, metric: Metric) -> Self:
        """Return the judge by a task's metric."""
        return cls(metric.name, metric.maximise)

    def fitness(self, outcome: Outcome) -> float:
        """Return the mean over seeds at the last measured step, at the best learning rate; less is worse.

        Learning rates that a rung stopped before that step do not count. A metric to be minimised counts negatively. A
        learning rate at which a seed is missing or not finite counts as failed; when all do, or the outcome is not
        SCORED, the fitness is minus infinity.

        Raises:
            ExperimentError: the outcome was not measured by this metric.
        """
        return self.scores(outcome)[0]

    def best_learning_rate(self, outcome: Outcome) -> float | None:
        """Return the learning rate that `fitness` took, the lowest of equally good ones; None for a failure."""
        rates = {rate: fitness for rate, fitness in self._by_rate(outcome).items() if fitness > FAILED}
        return max(sorted(rates), key=rates.__getitem__, default=None)

    def robustness(self, outcome: Outcome) -> float:
        """Return the least fitness at the best learning rate and those tried beside it; minus infinity for a failure.

        A loss whose fitness hangs on its learning rate has little; one that failed at a neighbouring rate has none.
        """
        return self.scores(outcome)[1]

    def scores(self, outcome: Outcome) -> tuple[float, float]:
        """Return `fitness` and `robustness` from one look at the measurements."""
        by_rate = self._by_rate(outcome)
        fitness = [by_rate[rate] for rate in sorted(by_rate)]
        best = max(fitness, default=FAILED)
        if best == FAILED:
            return FAILED, FAILED
        place = fitness.index(best)
        return best, min(fitness[max(0, place - 1) : place + 2])

    def promise(self, outcome: Outcome) -> Promise:
        """Return how far a STOPPED candidate came and how it stood there, at its best learning rate; more is better.

        It orders those without a fitness among themselves, and is never compared with one: half a training is no score.
        """
        if outcome.state is not State.STOPPED:
            return NO_PROMISE
        return max(each.step for each in outcome.measurements), max(self._at_last_step(outcome).values())

    def _by_rate(self, outcome: Outcome) -> dict[float, float]:
        return self._at_last_step(outcome) if outcome.state is State.SCORED else {}

    def _at_last_step(self, outcome: Outcome) -> dict[float, float]:
        last = max(each.step for each in outcome.measurements)
        seeds = {each.seed for each in outcome.measurements}
        found: dict[float, dict[int, float]] = defaultdict(dict)
        for each in outcome.measurements:
            if each.step == last:
                found[each.learning_rate][each.seed] = self._value(each)
        return {rate: _mean(values.values()) if values.keys() == seeds else FAILED for rate, values in found.items()}

    def _value(self, measurement: Measurement) -> float:
        if self.metric not in measurement.values:
            raise ExperimentError(unknown("the judge", "metric", self.metric, measurement.values))
        value = measurement.values[self.metric]
        return value if self.maximise else -value


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return fmean(values) if all(map(math.isfinite, values)) else FAILED
