"""Random search: newly grown trees only, the baseline that every other search must beat."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from symloss.language.grammar import Grammar
from symloss.searching.base import SearchSettings
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import Individual
from symloss.settings import setting, whole


@dataclass(frozen=True)
class RandomSettings(SearchSettings):
    """Settings of random search.

    Args:
        batch: candidates per ask.
    """

    batch: int = setting(whole(1), 80)


class RandomSearch:
    """Grows trees as the grammar's `initialisation` says; `fresh` keeps them distinct."""

    def __init__(self, grammar: Grammar, settings: RandomSettings) -> None:
        self._grammar = grammar
        self._settings = settings

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> "RandomSearch":
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, RandomSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the setting `batch`."""
        return self._settings.batch

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Grow a tree."""
        return grown(self._grammar, rng)

    def absorb(self, told: Sequence[Individual]) -> None:
        """Learn nothing."""
