"""Who becomes a parent: roulette, tournament, double tournament and Pareto tournament.

Higher fitness is better; candidates that failed have minus infinity and lose to all that did not. So have those whose
training was stopped early, and among them the one that came further, and stood better there, wins.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deap import tools

from symloss.language.tree import Tree, seeded
from symloss.searching.fitness import FAILED, NO_PROMISE, Promise


@dataclass(frozen=True)
class Individual:
    """A tree with its score, as selection sees it.

    Args:
        number: of the candidate that it was.
        origin: number of its first twin; its own where it has none.
        fitness: minus infinity for a failure.
        complexity: of its formula in nodes; of the tree where there is no formula.
        promise: of a candidate whose training was stopped early; see `Judge.promise`.
        robustness: see `Judge.robustness`; minus infinity for a failure.
    """

    number: int
    origin: int
    tree: Tree
    fitness: float
    complexity: int
    promise: Promise = NO_PROMISE
    robustness: float = FAILED

    @property
    def merit(self) -> tuple[float, Promise]:
        """What selection compares: the fitness, and among those without one how far they came."""
        return self.fitness, self.promise

    @property
    def failed(self) -> bool:
        """Whether nothing was measured of it that could be compared."""
        return self.merit == (FAILED, NO_PROMISE)

    def __len__(self) -> int:  # what DEAP's double tournament prefers to be small
        return self.complexity


@dataclass(frozen=True)
class SelectionSettings:
    """How hard selection presses.

    Args:
        tournament_size: aspirants in each tournament; 1 selects blindly.
        parsimony_size: of double tournament, from 1 (no pressure to be simple) to 2 (the simpler of two always wins).
        parsimony_first: whether tournaments of fitness are held among those who won by being simple, or the other way.
    """

    tournament_size: int = 4
    parsimony_size: float = 1.2
    parsimony_first: bool = False


Select = Callable[[Sequence[Individual], int, random.Random, SelectionSettings], list[Individual]]


def roulette(pool: Sequence[Individual], k: int, rng: random.Random, settings: SelectionSettings) -> list[Individual]:
    """Select with a probability proportional to fitness (GLO, arXiv:1905.11528).

    Who was stopped early has no fitness, and counts as failed. Negative fitness, of a metric that is minimised, is
    counted from the worst that did not fail. Unlike DEAP's roulette it survives a pool in which all fail: then everyone
    is equally likely.
    """
    finite = [each.fitness for each in pool if math.isfinite(each.fitness)]
    base = min(0.0, *finite) if finite else 0.0
    weights = [each.fitness - base if math.isfinite(each.fitness) else 0.0 for each in pool]
    return rng.choices(pool, weights if sum(weights) > 0 else None, k=k)


def tournament(pool: Sequence[Individual], k: int, rng: random.Random, settings: SelectionSettings) -> list[Individual]:
    """Select the fittest of `tournament_size` drawn at random, k times."""
    with seeded(rng):
        return list(tools.selTournament(list(pool), k, settings.tournament_size, fit_attr="merit"))


def double_tournament(
    pool: Sequence[Individual], k: int, rng: random.Random, settings: SelectionSettings
) -> list[Individual]:
    """Select by fitness and by size, one after the other (Luke and Panait 2002).

    Of two tournament winners the simpler one is selected with probability `parsimony_size` / 2; with parsimony first,
    a tournament is held among those who were so selected.
    """
    sizes, fitness_first = (settings.tournament_size, settings.parsimony_size), not settings.parsimony_first
    with seeded(rng):
        return list(tools.selDoubleTournament(list(pool), k, *sizes, fitness_first, fit_attr="merit"))


def pareto(pool: Sequence[Individual], k: int, rng: random.Random, settings: SelectionSettings) -> list[Individual]:
    """Select tournament winners by how few of the pool are both as fit and as simple, then by merit."""
    beaten = {id(each): sum(_dominates(other, each) for other in pool) for each in pool}
    draws = (rng.choices(pool, k=settings.tournament_size) for _ in range(k))
    return [min(aspirants, key=lambda each: (beaten[id(each)], *_worst_last(each))) for aspirants in draws]


def _dominates(one: Individual, other: Individual) -> bool:
    if one.fitness == -math.inf or other.fitness == -math.inf:
        return one.merit > other.merit  # who has no fitness is beaten by all that have one, however simple it is
    no_worse = one.fitness >= other.fitness and one.complexity <= other.complexity
    return no_worse and (one.fitness, one.complexity) != (other.fitness, other.complexity)


def _worst_last(individual: Individual) -> tuple[float, int, float]:
    return -individual.fitness, -individual.promise[0], -individual.promise[1]


def by_merit(individuals: Sequence[Individual]) -> list[Individual]:
    """Rank individuals, best first; of equally good ones the simpler, then the earlier."""
    return sorted(individuals, key=rank)


def rank(individual: Individual) -> tuple[float | int, ...]:
    """Return what `by_merit` sorts by."""
    return *_worst_last(individual), individual.complexity, individual.number


SELECTIONS: dict[str, Select] = {
    "roulette": roulette,
    "tournament": tournament,
    "double_tournament": double_tournament,
    "pareto": pareto,
}
