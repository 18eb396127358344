"""How well early scores foretell late ones: rank correlation, what a cut would lose, and what it saves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from symloss.language.candidate import Outcome, State

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Scores of candidates that trained to the end.

    Args:
        values: `(candidates, learning rates, steps, seeds)`, higher is better; NaN where a learning rate diverged.
        numbers: of the candidates.
    """

    values: Scores
    steps: tuple[int, ...]
    numbers: tuple[int, ...]

    def at(self, step: int, seeds: Sequence[int]) -> Scores:
        """Return `(candidates, learning rates)`, means over seeds; minus infinity where a learning rate diverged."""
        means = self.values[:, :, self.steps.index(step)][:, :, list(seeds)].mean(-1)
        return np.where(np.isnan(means), -np.inf, means)

    def fitness(self, step: int, seeds: Sequence[int]) -> Scores:
        """Return `(candidates,)`, each at its best learning rate."""
        return self.at(step, seeds).max(1)

    def those(self, chosen: NDArray[np.bool_]) -> Measured:
        """Return some of the candidates."""
        numbers = tuple(number for number, kept in zip(self.numbers, chosen, strict=True) if kept)
        return Measured(self.values[chosen], self.steps, numbers)

    def numbered(self, numbers: Sequence[int]) -> Measured:
        """Return the candidates of these numbers, in this order."""
        places = [self.numbers.index(number) for number in numbers]
        return Measured(self.values[places], self.steps, tuple(numbers))


def measured(outcomes: Sequence[Outcome], metric: str) -> Measured:
    """Lay out the measurements of scored candidates."""
    scored = [each for each in outcomes if each.state is State.SCORED]
    every = [one for each in scored for one in each.measurements]
    rates, steps, seeds = (
        {value: place for place, value in enumerate(sorted({getattr(one, name) for one in every}))}
        for name in ("learning_rate", "step", "seed")
    )
    values = np.full((len(scored), len(rates), len(steps), len(seeds)), np.nan)
    for row, outcome in enumerate(scored):
        for one in outcome.measurements:
            values[row, rates[one.learning_rate], steps[one.step], seeds[one.seed]] = one.values[metric]
    return Measured(values, tuple(steps), tuple(each.candidate for each in scored))


def tau(one: Scores, other: Scores) -> float:
    """Return Kendall's tau-b over all candidates that are finite in both."""
    both = np.isfinite(one) & np.isfinite(other)
    return float(kendalltau(one[both], other[both]).statistic)


def best_share(scores: Scores, share: float) -> NDArray[np.bool_]:
    """Return which candidates are among the best share."""
    count = math.ceil(share * len(scores))
    return scores >= np.sort(scores)[::-1][count - 1]


def passing(scores: Scores, factor: float) -> NDArray[np.bool_]:
    """Return which trainings go on at a rung: of all sound ones the best, one in `factor`."""
    sound = np.sort(scores[np.isfinite(scores)])[::-1]
    return scores >= sound[math.ceil(len(sound) / factor) - 1]


def cut_loss(held: Measured, step: int, seeds: Sequence[int], factor: float, share: float = 0.1) -> tuple[float, float]:
    """Return the share of the best candidates that one cut would lose, and the share of all steps that it saves.

    A candidate is lost when the cut stops the learning rate that gives it its score in the end.
    """
    last = held.steps[-1]
    final, goes_on = held.at(last, seeds), passing(held.at(step, seeds), factor)
    best = best_share(final.max(1), share)
    kept = goes_on[np.arange(len(final)), final.argmax(1)]
    sound = np.isfinite(final)
    saved = (sound & ~goes_on).sum() * (last - step) / (sound.sum() * last)
    return float((best & ~kept).sum() / best.sum()), float(saved)


def race_loss(held: Measured, step: int, seeds: Sequence[int], share: float = 0.1) -> tuple[float, float]:
    """Return what the best candidates lose by going on at their best learning rate of a step alone, and what it saves.

    Returns:
        Their mean score at the best rate less that at the rate that went on; the share of all steps that is saved.
    """
    last = held.steps[-1]
    final, early = held.at(last, seeds), held.at(step, seeds)
    best, rows = best_share(final.max(1), share), np.arange(len(final))
    lost = final.max(1) - final[rows, early.argmax(1)]
    sound = np.isfinite(final)
    saved = (sound.sum() - sound.any(1).sum()) * (last - step) / (sound.sum() * last)
    return float(lost[best].mean()), float(saved)


def steps_spent(outcomes: Sequence[Outcome]) -> list[int]:
    """Return each candidate's training steps, all learning rates and seeds together; diverged ones are not known."""
    spent = []
    for outcome in outcomes:
        furthest: dict[tuple[float, int], int] = defaultdict(int)
        for one in outcome.measurements:
            place = one.learning_rate, one.seed
            furthest[place] = max(furthest[place], one.step)
        spent.append(sum(furthest.values()))
    return spent
