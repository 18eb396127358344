"""Regularised evolution (Real, Aggarwal, Huang and Le 2019, arXiv:1802.01548; AutoML-Zero, arXiv:2003.03384).

The population is a queue: a child of the fittest of a few drawn at random enters, and the oldest leaves, however fit.
What lives on must be found again, so luck in one training does not last.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symloss.errors import ExperimentError
from symloss.language.grammar import Grammar
from symloss.searching.base import SearchSettings
from symloss.searching.breeding import RATE, BreedingSettings, bred, mutant, rates_of
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import Individual, by_merit
from symloss.settings import setting, whole


@dataclass(frozen=True)
class AgingSettings(BreedingSettings):
    """Settings of regularised evolution; as published a child has one parent.

    Args:
        population: trees that are alive.
        sample: drawn for each parent; the fittest of them it is.
        batch: candidates per ask; all of them come of the same population. 1 is as published.
    """

    population: int = setting(whole(2), 100)
    sample: int = setting(whole(1), 25)
    batch: int = setting(whole(1), 20)
    crossover: float = setting(RATE, 0.0)
    immigrants: float = setting(RATE, 0.0)

    def __post_init__(self) -> None:
        if self.sample > self.population:
            allowed = f"at most population = {self.population}"
            raise ExperimentError(f"[search] sample is {self.sample}; allowed: {allowed}.")


class Aging:
    """Regularised evolution; candidates that were rejected, or failed in training, do not enter the population."""

    def __init__(self, grammar: Grammar, settings: AgingSettings) -> None:
        self._grammar = grammar
        self._settings = settings
        self._rates = rates_of(settings)
        self._alive: list[Individual] = []  # oldest first

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> Any:
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, AgingSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the setting `batch`, and more while the population is not full."""
        return max(self._settings.batch, self._settings.population - len(self._alive))

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Grow a tree until the population is full; then take a child of the fittest of a sample."""
        settings = self._settings
        if len(self._alive) < settings.population or rng.random() < settings.immigrants:
            return grown(self._grammar, rng)
        mother = self._fittest_of_a_sample(rng)
        if not settings.crossover:
            return mutant(mother, self._rates, rng)
        return bred(mother, self._fittest_of_a_sample(rng), settings.crossover, self._rates, rng)

    def _fittest_of_a_sample(self, rng: random.Random) -> Individual:
        return by_merit(rng.sample(self._alive, self._settings.sample))[0]

    def absorb(self, told: Sequence[Individual]) -> None:
        """Let those that were scored or got far enter, and the oldest leave."""
        self._alive += [each for each in told if not each.failed]
        del self._alive[: -self._settings.population]
