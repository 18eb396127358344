"""NSGA-II (Deb, Pratap, Agarwal and Meyarivan 2002, A fast and elitist multiobjective genetic algorithm).

Survivors are chosen by fronts of those that nobody beats in every objective, and within a front by how far apart they
lie; so are parents. DEAP sorts into fronts and measures crowding.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deap import base, tools

from symloss.language.grammar import Grammar
from symloss.language.operators import OPERATORS
from symloss.searching.base import SearchSettings
from symloss.searching.breeding import BreedingSettings, bred, rates_of
from symloss.searching.evolution import distinct
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import Individual
from symloss.settings import choice, setting, several, whole


def running_cost(individual: Individual) -> float:
    """Return what the tree's operators cost to compute: the sum of their costs, leaves are free."""
    return float(sum(OPERATORS[node.name].cost for node in individual.tree.nodes if node.args))


# Objective -> what it measures of an individual; all of them are to be large.
OBJECTIVES: Mapping[str, Callable[[Individual], float]] = {
    "fitness": lambda each: each.fitness,
    "complexity": lambda each: -float(each.complexity),
    "cost": lambda each: -running_cost(each),
    "robustness": lambda each: each.robustness,
}


@dataclass(frozen=True)
class ParetoSettings(BreedingSettings):
    """Settings of NSGA-II.

    Args:
        population: survivors, and children of a generation.
        objectives: names in OBJECTIVES, at least two. `complexity` is the formula's in nodes, `cost` the sum of its
            operators' costs, `robustness` the fitness at the worst learning rate beside the best one (of one that was
            tried at a single rate: its fitness).
    """

    population: int = setting(whole(4), 80)
    objectives: tuple[str, ...] = setting(
        several(choice(*OBJECTIVES), '["fitness", "complexity"]', at_least=2), ("fitness", "complexity")
    )


class _Point:
    """An individual as DEAP's sorting sees it."""

    def __init__(self, individual: Individual, kind: type[base.Fitness], values: Sequence[float]) -> None:
        self.individual = individual
        self.fitness = kind(values)


@dataclass(frozen=True)
class _Ranked:
    individual: Individual
    rank: int
    crowding: float

    @property
    def key(self) -> tuple[int, float, int]:
        return self.rank, -self.crowding, self.individual.number


def finite(rows: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """Put what lacks an objective below all that have it, at a distance that crowding can be measured with."""
    columns = []
    for column in zip(*rows, strict=True):
        known = [value for value in column if math.isfinite(value)]
        below = min(known) - (max(known) - min(known) or 1.0) if known else 0.0
        columns.append([value if math.isfinite(value) else below for value in column])
    return list(zip(*columns, strict=True))


class Nsga2:
    """Evolution of a front; failures take no part in it."""

    def __init__(self, grammar: Grammar, settings: ParetoSettings) -> None:
        self._grammar = grammar
        self._settings = settings
        self._rates = rates_of(settings)
        self._survivors: list[_Ranked] = []
        weights = {"weights": (1.0,) * len(settings.objectives)}
        self._kind: type[base.Fitness] = type("Objectives", (base.Fitness,), weights)

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> Any:
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, ParetoSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the size of a generation."""
        return self._settings.population

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Grow a tree for the first generation, breed one of two tournament winners later."""
        # An asynchronous search is told some of its first generation before it has asked for all of it.
        early = self._settings.asynchronous and number < self._settings.population
        if early or not self._survivors or rng.random() < self._settings.immigrants:
            return grown(self._grammar, rng)
        mother, father = self._tournament(rng), self._tournament(rng)
        return bred(mother, father, self._settings.crossover, self._rates, rng)

    def _tournament(self, rng: random.Random) -> Individual:
        """Return the better of two: of the earlier front, else of the lonelier place in it."""
        return min(rng.choices(self._survivors, k=2), key=lambda each: each.key).individual

    def absorb(self, told: Sequence[Individual]) -> None:
        """Let the first fronts of parents and children live on."""
        alive = [each.individual for each in self._survivors]
        pool = [each for each in distinct([*alive, *told]) if math.isfinite(each.fitness)]
        self._survivors = self._chosen(pool)

    def _chosen(self, pool: Sequence[Individual]) -> list[_Ranked]:
        if not pool:
            return []
        values = finite([[OBJECTIVES[name](each) for name in self._settings.objectives] for each in pool])
        points = [_Point(each, self._kind, row) for each, row in zip(pool, values, strict=True)]
        size, found = self._settings.population, list[_Ranked]()
        for rank, front in enumerate(tools.sortNondominated(points, size)):
            tools.emo.assignCrowdingDist(front)
            own = [_Ranked(point.individual, rank, point.fitness.crowding_dist) for point in front]
            found += sorted(own, key=lambda each: each.key)[: size - len(found)]
        return found
