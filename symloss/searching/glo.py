"""GLO in full (Gonzalez and Miikkulainen 2020, arXiv:1905.11528): evolution finds formulas, CMA-ES their coefficients.

The second stage begins when the first has had its generations or trainings, and works on its best formulas.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from symloss.errors import FormulaError
from symloss.language.grammar import Grammar
from symloss.language.probing import prefix
from symloss.language.template import PLACES, with_coefficients
from symloss.searching.base import SearchSettings
from symloss.searching.breeding import MUTATIONS_PLACE, RATE, MutationRates
from symloss.searching.cma import NumberSearch, NumberSettings
from symloss.searching.coefficients import CoefficientSearch, Line
from symloss.searching.evolution import Evolution, EvolutionSettings, distinct
from symloss.searching.fitness import NO_PROMISE
from symloss.searching.inheritance import refuse_lamarckian
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import SELECTIONS, Individual
from symloss.settings import choice, number, setting, table, whole

_PUBLISHED = MutationRates(gaussian=0.0, regrow=0.0, wrap=0.0, hoist=0.0)
SPARE = 8  # formulas beyond the best ones that are kept, in case that some are too large for coefficients


@dataclass(frozen=True)
class StageSettings(NumberSettings):
    """Settings of the second stage, a table of its own; the defaults are the published ones.

    Args:
        best: formulas of the first stage whose coefficients are searched; they take turns, a generation each.
        coefficients: `nodes`, one for each node; `edges`, without the whole formula's; `constants`, for each number
            that stands in the formula.
    """

    sigma: float = setting(number(0.0, above=True), 1.5)
    best: int = setting(whole(1), 1)
    coefficients: str = setting(choice(*PLACES), "nodes")


_USUAL = StageSettings()


@dataclass(frozen=True)
class GloSettings(EvolutionSettings):
    """Settings of GLO; the defaults are the published ones.

    Args:
        generations: of the first stage.
        evaluations: measured formulas after which the first stage ends, even before its generations are done.
        coefficients: the second stage's settings, see StageSettings.
    """

    fresh: int = setting(whole(0), 0)
    immigrants: float = setting(RATE, 0.0)
    selection: str = setting(choice(*SELECTIONS), "roulette")
    mutations: MutationRates = setting(table(_PUBLISHED, MUTATIONS_PLACE), _PUBLISHED)  # noqa: RUF009 - frozen
    generations: int = setting(whole(1), 100)
    evaluations: int | None = setting(whole(1), None)
    coefficients: StageSettings = setting(table(_USUAL, "[search.coefficients]"), _USUAL)  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_lamarckian(self.tuning, "glo")


class Glo:
    """Evolution, then CMA-ES over the coefficients of what it has found."""

    def __init__(self, grammar: Grammar, settings: GloSettings) -> None:
        self._grammar = grammar
        self._settings = settings
        self._first = Evolution(grammar, settings)
        self._second: CoefficientSearch | None = None
        self._best: list[Individual] = []
        self._generations = self._measured = 0

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> Glo:
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, GloSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the size of the stage's generation."""
        return (self._second or self._first).batch()

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Propose as the stage does."""
        return (self._second or self._first).propose(rng, number)

    def spare(self, rng: random.Random) -> Draft:
        """Grow a tree in the first stage; in the second there are none but formulas with coefficients."""
        return self._second.spare(rng) if self._second else grown(self._grammar, rng)

    def absorb(self, told: Sequence[Individual]) -> None:
        """Learn as the stage does, and go on to the second when the first is over."""
        if self._second:
            self._second.absorb(told)
            return
        self._first.absorb(told)
        self._generations += 1
        self._measured += sum(each.origin == each.number and _is_measured(each) for each in told)
        scored = [each for each in told if isfinite(each.fitness)]
        self._best = distinct([*self._best, *scored])[: self._settings.coefficients.best + SPARE]
        enough = self._settings.evaluations or inf
        if self._generations >= self._settings.generations or self._measured >= enough:
            lines = list(self._lines())[: self._settings.coefficients.best]
            # Where nothing was scored yet there is nothing to go on with, and the first stage does.
            self._second = CoefficientSearch(self._grammar, lines) if lines else None

    def _lines(self) -> Iterator[Line]:
        settings = self._settings.coefficients
        for each in self._best:
            try:
                words = list(prefix(each.tree.formula().node))
                template = with_coefficients(words, settings.coefficients)
            except FormulaError:
                continue
            if template.count:
                numbers = NumberSearch(template, [1.0] * template.count, settings)
                yield Line(numbers, (each.number,), known=True)


def _is_measured(individual: Individual) -> bool:
    return isfinite(individual.fitness) or individual.promise != NO_PROMISE
