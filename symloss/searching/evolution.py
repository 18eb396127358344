"""Genetic programming over loss trees (GLO: Gonzalez and Miikkulainen 2020, arXiv:1905.11528, section 3).

Each generation keeps its elites and fills up with children of selected parents; failures rank last, twins count once.
"""

import random
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from symloss.errors import ExperimentError
from symloss.language.grammar import Grammar
from symloss.searching.base import SearchSettings
from symloss.searching.breeding import BreedingSettings, MutationRates, between, bred, rates_of
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import SELECTIONS, Individual, SelectionSettings, by_merit, rank
from symloss.settings import choice, setting, whole

__all__ = ["Evolution", "EvolutionSettings", "MutationRates", "distinct"]

FEW = 16  # told ones that are put into their places one by one


@dataclass(frozen=True)
class EvolutionSettings(BreedingSettings):
    """Settings of evolution.

    GLO's own: `selection = "roulette"`, `fresh = 0`, `immigrants = 0`, and `gaussian`, `regrow`, `wrap`, `hoist` at 0.

    Args:
        population: trees in a generation, elites included.
        elites: the fittest, which live on unchanged; they are not asked again.
        selection: a name in SELECTIONS.
        tournament_size: aspirants in each tournament.
        parsimony_size: the double tournament's pressure to be simple, from 1 (none) to 2.
    """

    population: int = setting(whole(2), 80)
    elites: int = setting(whole(0), 6)
    selection: str = setting(choice(*SELECTIONS), "double_tournament")
    tournament_size: int = setting(whole(1), 4)
    parsimony_size: float = setting(between(1, 2), 1.2)

    def __post_init__(self) -> None:
        if self.elites >= self.population:
            allowed = f"fewer than population = {self.population}"
            raise ExperimentError(f"[search] elites is {self.elites}; allowed: {allowed}.")


class Evolution:
    """Generational evolution with elitism."""

    def __init__(self, grammar: Grammar, settings: EvolutionSettings) -> None:
        self._grammar = grammar
        self._settings = settings
        self._select = SELECTIONS[settings.selection]
        self._pressure = SelectionSettings(settings.tournament_size, settings.parsimony_size)
        self._rates = rates_of(settings)
        self._population: list[Individual] = []  # fittest first

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> "Evolution":
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, EvolutionSettings)
        return cls(grammar, settings)

    @property
    def population(self) -> Sequence[Individual]:
        """Those that are alive, fittest first."""
        return self._population

    def welcome(self, migrants: Sequence[Individual]) -> None:
        """Take in some from elsewhere, in place of the least fit."""
        self._population = distinct([*self._population, *migrants])[: max(len(self._population), len(migrants))]

    def batch(self) -> int:
        """Return the size of a generation, less the elites that live on."""
        return self._settings.population - min(self._settings.elites, len(self._population))

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Grow a tree for the first generation, breed one for later ones."""
        if self._is_first_generation(number) or rng.random() < self._settings.immigrants:
            return grown(self._grammar, rng)
        mother, father = self._select(self._population, 2, rng, self._pressure)
        return bred(mother, father, self._settings.crossover, self._rates, rng)

    def _is_first_generation(self, number: int) -> bool:
        # An asynchronous search is told some of it before it has asked for all of it.
        return not self._population or (self._settings.asynchronous and number < self._settings.population)

    def absorb(self, told: Sequence[Individual]) -> None:
        """Let the elites and the told live on; the best of the rest fill up what a short batch leaves free."""
        size, elites = self._settings.population, self._settings.elites
        old = self._population
        free = max(0, size - min(elites, len(old)) - len(told))
        self._population = joined(old[: elites + free], told)


def joined(ranked: list[Individual], told: Sequence[Individual]) -> list[Individual]:
    """Return what `distinct` does of both together; quickly where few are told, as in an asynchronous search.

    Args:
        ranked: distinct, fittest first.
        told: each after its first twin.
    """
    if len(told) > FEW:
        return distinct([*ranked, *told])
    for each in told:
        twin = next((other for other in ranked if other.origin == each.origin), None) if _is_twin(each) else None
        if twin is None or rank(each) < rank(twin):
            ranked = [other for other in ranked if other is not twin] if twin else ranked
            insort(ranked, each, key=rank)
    return ranked


def _is_twin(individual: Individual) -> bool:
    return individual.origin != individual.number


def distinct(individuals: Sequence[Individual]) -> list[Individual]:
    """Rank individuals, fittest first, and keep of twins the simplest."""
    found: dict[int, Individual] = {}
    for each in by_merit(individuals):
        found.setdefault(each.origin, each)
    return list(found.values())
