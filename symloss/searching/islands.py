"""Islands with migration (Whitley, Rana and Heckendorn 1999, The Island Model Genetic Algorithm).

Several populations evolve by themselves; every few generations the fittest of each are copied to the next one in a
ring. A candidate's number says whose it is, so that no counter is kept.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symloss.language.grammar import Grammar
from symloss.searching.base import SearchSettings
from symloss.searching.evolution import Evolution, EvolutionSettings
from symloss.searching.generations import Generations
from symloss.searching.proposing import Draft
from symloss.searching.selection import Individual, by_merit
from symloss.settings import setting, whole


@dataclass(frozen=True)
class IslandSettings(EvolutionSettings):
    """Settings of islands: those of evolution hold on each.

    Args:
        islands: how many; each has a population of its own.
        interval: generations between two migrations.
        migrants: the fittest, which are copied to the next island.
    """

    population: int = setting(whole(2), 40)
    elites: int = setting(whole(0), 3)
    islands: int = setting(whole(1), 4)
    interval: int = setting(whole(1), 5)
    migrants: int = setting(whole(0), 2)


class Islands:
    """A ring of evolving populations."""

    def __init__(self, grammar: Grammar, settings: IslandSettings) -> None:
        self._settings = settings
        self._islands = [Evolution(grammar, settings) for _ in range(settings.islands)]
        self._generations = Generations()

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> Any:
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, IslandSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the size of all islands' generations together."""
        return sum(island.batch() for island in self._islands)

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Let the candidate's island propose."""
        own, place = divmod(number, len(self._islands))
        return self._islands[place].propose(rng, own)

    def absorb(self, told: Sequence[Individual]) -> None:
        """Let each island absorb its own; then, every `interval` generations, let the fittest travel."""
        is_over = self._generations.told(len(told), self.batch())
        for place, island in enumerate(self._islands):
            if own := [each for each in told if each.number % len(self._islands) == place]:
                island.absorb(own)
        if is_over and self._generations.done % self._settings.interval == 0:
            self._migrate()

    def _migrate(self) -> None:
        leaving = [by_merit(island.population)[: self._settings.migrants] for island in self._islands]
        for place, island in enumerate(self._islands):
            island.welcome(leaving[place - 1])  # island 0 takes from the last one: a ring
