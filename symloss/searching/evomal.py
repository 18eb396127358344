"""EvoMAL: genetic programming whose formulas are tuned by gradients (Raymond et al. 2022, arXiv:2209.08907).

A child comes of crossover, of mutation, or is its parent; each new formula's numbers are tuned before it is judged.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from symloss.errors import ExperimentError
from symloss.language.grammar import Grammar
from symloss.language.tuning import Tuning
from symloss.searching.base import TUNING, SearchSettings
from symloss.searching.breeding import between
from symloss.searching.evolution import Evolution, EvolutionSettings
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import SELECTIONS
from symloss.searching.variation import crossover, regrow, repair
from symloss.settings import choice, setting, table, whole

_PUBLISHED = Tuning(method="gradient")


@dataclass(frozen=True)
class EvomalSettings(SearchSettings):
    """Settings of EvoMAL; the defaults are the published ones.

    Args:
        population: trees in a generation, elites included.
        elites: the fittest, which live on unchanged; they are not asked again.
        crossover: probability that a child has two parents.
        mutation: probability that one subtree of its parent is grown anew; what remains to 1 lives on as it is.
        selection: a name in SELECTIONS.
        tournament_size: aspirants in each tournament.
        parsimony_size: the double tournament's pressure to be simple, from 1 (none) to 2; it comes before fitness.
    """

    population: int = setting(whole(2), 25)
    elites: int = setting(whole(0), 1)
    crossover: float = setting(between(0, 1), 0.7)
    mutation: float = setting(between(0, 1), 0.25)
    selection: str = setting(choice(*SELECTIONS), "double_tournament")
    tournament_size: int = setting(whole(1), 4)
    parsimony_size: float = setting(between(1, 2), 1.4)
    tuning: Tuning = setting(table(_PUBLISHED, TUNING), _PUBLISHED)  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if self.elites >= self.population:
            allowed = f"fewer than population = {self.population}"
            raise ExperimentError(f"[search] elites is {self.elites}; allowed: {allowed}.")
        if self.crossover + self.mutation > 1:
            got = f"{self.crossover:g} and {self.mutation:g}"
            raise ExperimentError(f"[search] crossover and mutation are {got}; allowed: at most 1 together.")


class Evomal(Evolution):
    """Generational evolution as in EvoMAL; the tuning is the workers' part."""

    def __init__(self, grammar: Grammar, settings: EvomalSettings) -> None:
        usual = EvolutionSettings(
            population=settings.population,
            elites=settings.elites,
            selection=settings.selection,
            tournament_size=settings.tournament_size,
            parsimony_size=settings.parsimony_size,
            asynchronous=settings.asynchronous,
        )
        super().__init__(grammar, usual)
        self._pressure = replace(self._pressure, parsimony_first=True)
        self._crossover, self._mutation = settings.crossover, settings.mutation

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> Evomal:
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, EvomalSettings)
        return cls(grammar, settings)

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Grow a tree for the first generation, breed one for later ones."""
        if self._is_first_generation(number):
            return grown(self._grammar, rng)
        mother, father = self._select(self._population, 2, rng, self._pressure)
        draw = rng.random()
        child, parents, names = mother.tree, [mother.number], []
        if draw < self._crossover:
            child, names = crossover(mother.tree, father.tree, rng), ["crossover"]
            parents += [father.number] * (father.number != mother.number)
        elif draw < self._crossover + self._mutation:
            child, names = regrow(mother.tree, rng.randrange(mother.tree.size), rng), ["regrow"]
        mended = repair(child, rng)
        names += ["repair"] * (mended is not child)
        return Draft(mended, tuple(parents), "+".join(names) or "copy")
