"""Genetic programming over loss trees (GLO: Gonzalez and Miikkulainen 2020, arXiv:1905.11528, section 3).

Each generation keeps its elites and fills up with children of selected parents; failures rank last, twins count once.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symloss.errors import ExperimentError
from symloss.language.grammar import Grammar
from symloss.searching.base import Draft, SearchSettings, grown
from symloss.searching.selection import SELECTIONS, Individual, SelectionSettings, by_merit
from symloss.searching.variation import crossover, mutate, repair
from symloss.settings import Rule, choice, read_record, setting, whole


def _between(low: float, high: float) -> Rule:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(value)
        return float(value)

    return Rule(f"a number from {low:g} to {high:g}", read)


_RATE = _between(0, 1)


@dataclass(frozen=True)
class MutationRates:
    """The probability of each mutation per node; the first four as published, the last four are ours."""

    integer_step: float = setting(_RATE, 0.05)
    same_arity: float = setting(_RATE, 0.05)
    subtree_to_leaf: float = setting(_RATE, 0.025)
    leaf_to_node: float = setting(_RATE, 0.025)
    gaussian: float = setting(_RATE, 0.2)
    regrow: float = setting(_RATE, 0.02)
    wrap: float = setting(_RATE, 0.02)
    hoist: float = setting(_RATE, 0.02)


_PUBLISHED_AND_OURS = MutationRates()
_MUTATIONS = Rule("a table of rates", lambda table: read_record(MutationRates, table, "[search.mutations]"))


@dataclass(frozen=True)
class EvolutionSettings(SearchSettings):
    """Settings of evolution.

    GLO's own: `selection = "roulette"`, `fresh = 0`, `immigrants = 0`, and `gaussian`, `regrow`, `wrap`, `hoist` at 0.

    Args:
        population: trees in a generation, elites included.
        elites: the fittest, which live on unchanged; they are not asked again.
        crossover: probability that a child has two parents.
        immigrants: probability that a child is newly grown instead.
        selection: a name in SELECTIONS.
        tournament_size: aspirants in each tournament.
        parsimony_size: the double tournament's pressure to be simple, from 1 (none) to 2.
    """

    population: int = setting(whole(2), 80)
    elites: int = setting(whole(0), 6)
    crossover: float = setting(_RATE, 0.8)
    immigrants: float = setting(_RATE, 0.05)
    selection: str = setting(choice(*SELECTIONS), "double_tournament")
    tournament_size: int = setting(whole(1), 4)
    parsimony_size: float = setting(_between(1, 2), 1.2)
    mutations: MutationRates = setting(_MUTATIONS, _PUBLISHED_AND_OURS)  # noqa: RUF009 - frozen

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
        self._rates: dict[str, float] = asdict(settings.mutations)
        self._population: list[Individual] = []  # fittest first

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> "Evolution":
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, EvolutionSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the size of a generation, less the elites that live on."""
        return self._settings.population - min(self._settings.elites, len(self._population))

    def propose(self, rng: random.Random) -> Draft:
        """Grow a tree for the first generation, breed one for later ones."""
        if not self._population or rng.random() < self._settings.immigrants:
            return grown(self._grammar, rng)
        mother, father = self._select(self._population, 2, rng, self._pressure)
        child, parents, names = mother.tree, [mother.number], []
        if rng.random() < self._settings.crossover:
            child = crossover(mother.tree, father.tree, rng)
            if child is not mother.tree:
                parents, names = [mother.number, father.number], ["crossover"]
        child, mutations = mutate(child, self._rates, rng)
        mended = repair(child, rng)
        names += [*mutations, *["repair"] * (mended is not child)]
        return Draft(mended, tuple(parents), "+".join(names) or "copy")

    def absorb(self, told: Sequence[Individual]) -> None:
        """Let the elites and the told live on; the best of the rest fill up what a short batch leaves free."""
        size, elites = self._settings.population, self._settings.elites
        old = self._population
        free = max(0, size - min(elites, len(old)) - len(told))
        self._population = distinct([*old[: elites + free], *told])


def distinct(individuals: Sequence[Individual]) -> list[Individual]:
    """Rank individuals, fittest first, and keep of twins the simplest."""
    found: dict[int, Individual] = {}
    for each in by_merit(individuals):
        found.setdefault(each.origin, each)
    return list(found.values())
