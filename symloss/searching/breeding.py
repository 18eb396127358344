"""How children come of parents: crossover, then mutations at every node, then repair; what population methods share."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from symloss.searching.base import SearchSettings
from symloss.searching.proposing import Draft
from symloss.searching.selection import Individual
from symloss.searching.variation import crossover, mutate, repair
from symloss.settings import Rule, setting, table

COPIES = 8  # tries to change a parent, where a child must differ from it


def between(low: float, high: float) -> Rule:
    """A number within bounds."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(value)
        return float(value)

    return Rule(f"a number from {low:g} to {high:g}", read)


RATE = between(0, 1)


@dataclass(frozen=True)
class MutationRates:
    """The probability of each mutation per node; the first four as published by GLO, the last four are ours."""

    integer_step: float = setting(RATE, 0.05)
    same_arity: float = setting(RATE, 0.05)
    subtree_to_leaf: float = setting(RATE, 0.025)
    leaf_to_node: float = setting(RATE, 0.025)
    gaussian: float = setting(RATE, 0.2)
    regrow: float = setting(RATE, 0.02)
    wrap: float = setting(RATE, 0.02)
    hoist: float = setting(RATE, 0.02)


PUBLISHED_AND_OURS = MutationRates()
MUTATIONS_PLACE = "[search.mutations]"


@dataclass(frozen=True)
class BreedingSettings(SearchSettings):
    """Settings of every method that breeds.

    Args:
        crossover: probability that a child has two parents.
        immigrants: probability that a child is newly grown instead.
        mutations: probability of each mutation per node.
    """

    crossover: float = setting(RATE, 0.8)
    immigrants: float = setting(RATE, 0.05)
    mutations: MutationRates = setting(table(PUBLISHED_AND_OURS, MUTATIONS_PLACE), PUBLISHED_AND_OURS)  # noqa: RUF009 - frozen


def rates_of(settings: BreedingSettings) -> dict[str, float]:
    """Return mutation -> probability per node."""
    return asdict(settings.mutations)


def bred(
    mother: Individual, father: Individual, chance: float, rates: Mapping[str, float], rng: random.Random
) -> Draft:
    """Make a child of two parents: of the mother alone unless crossover, with probability `chance`, takes place."""
    child, parents, names = mother.tree, [mother.number], []
    if rng.random() < chance:
        child = crossover(mother.tree, father.tree, rng)
        if child is not mother.tree:
            parents, names = [mother.number, father.number], ["crossover"]
    child, mutations = mutate(child, rates, rng)
    mended = repair(child, rng)
    names += [*mutations, *["repair"] * (mended is not child)]
    return Draft(mended, tuple(parents), "+".join(names) or "copy")


def mutant(parent: Individual, rates: Mapping[str, float], rng: random.Random) -> Draft:
    """Make a child that differs from its only parent, unless every try leaves it as it is."""
    draft = Draft(parent.tree, (parent.number,), "copy")
    for _ in range(COPIES):
        draft = bred(parent, parent, 0.0, rates, rng)
        if draft.tree is not parent.tree:
            break
    return draft
