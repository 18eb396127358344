"""CMA-ES over the coefficients of formulas: GLO's second stage (Gonzalez and Miikkulainen 2020, arXiv:1905.11528).

Each node of a formula is multiplied by a number of its own; all begin at one, where the formula is what it was.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from symloss.errors import ExperimentError, FormulaError, SymlossError
from symloss.language.formula import Formula
from symloss.language.grammar import Grammar
from symloss.language.probing import prefix
from symloss.language.template import PLACES, with_coefficients
from symloss.language.tree import Tree
from symloss.language.zoo import named_or_read
from symloss.searching.base import SearchSettings
from symloss.searching.cma import NumberSearch, NumberSettings
from symloss.searching.inheritance import refuse_lamarckian
from symloss.searching.proposing import Draft
from symloss.searching.selection import Individual
from symloss.settings import choice, number, pattern, setting, several

_TEXTS = several(pattern(r"[^\n]+", "a formula or a published name"), '["-t*log(p)", "baikal"]')


@dataclass(frozen=True)
class CoefficientSettings(NumberSettings, SearchSettings):
    """Settings of the search over coefficients; the defaults are the published ones.

    Args:
        formulas: whose coefficients are searched: texts or published names. They take turns, a generation each.
        coefficients: `nodes`, one for each node; `edges`, without the whole formula's; `constants`, for each number
            that stands in the formula.
    """

    sigma: float = setting(number(0.0, above=True), 1.5)
    formulas: tuple[str, ...] = setting(_TEXTS, ())
    coefficients: str = setting(choice(*PLACES), "nodes")

    def __post_init__(self) -> None:
        refuse_lamarckian(self.tuning, "coefficients")


@dataclass
class Line:
    """A formula whose coefficients are searched.

    Args:
        parents: the candidate that it was, where it was one.
        known: whether the formula itself was told.
    """

    numbers: NumberSearch
    parents: tuple[int, ...] = ()
    known: bool = False

    def itself(self, grammar: Grammar) -> Tree:
        """Return the formula with the coefficients that it begins with."""
        return self.numbers.tree(self.numbers.start, grammar)


class CoefficientSearch:
    """Searches the coefficients of formulas in turn, a generation each; each formula itself is asked first."""

    def __init__(self, grammar: Grammar, lines: Sequence[Line]) -> None:
        assert lines, "there is a formula"
        self._grammar = grammar
        self._lines = list(lines)
        self._turn = 0
        self._next = 0  # number of the candidate that is asked next

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> CoefficientSearch:
        """Make the method from settings that were read into its own record.

        Raises:
            ExperimentError: there is no formula to begin with, or one of them cannot be used.
        """
        assert isinstance(settings, CoefficientSettings)
        if not settings.formulas:
            raise ExperimentError(
                "[search] formulas is empty; name those whose coefficients are searched, texts or published names: "
                'formulas = ["baikal", "-t*log(p)"].'
            )
        return cls(grammar, [_line(text, grammar, settings) for text in settings.formulas])

    def batch(self) -> int:
        """Return the size of a generation of the formula whose turn it is."""
        return self._line.numbers.population

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Draw coefficients; the first candidate of each formula is the formula itself."""
        line = self._line
        if not line.known and number == self._next:
            return Draft(line.itself(self._grammar), line.parents)
        return self.spare(rng)

    def spare(self, rng: random.Random) -> Draft:
        """Draw coefficients."""
        return Draft(self._line.numbers.draw(rng, self._grammar), self._line.parents, "cma")

    def absorb(self, told: Sequence[Individual]) -> None:
        """Learn how the coefficients of the formula whose turn it was stand."""
        line = self._line
        line.known |= line.itself(self._grammar).text in (each.tree.text for each in told)
        line.numbers.learn(told)
        self._turn = (self._turn + 1) % len(self._lines)
        self._next += len(told)

    @property
    def _line(self) -> Line:
        return self._lines[self._turn]


def _line(text: str, grammar: Grammar, settings: CoefficientSettings) -> Line:
    formula = _formula(text, grammar.slot)
    try:
        template = with_coefficients(list(prefix(formula.node)), settings.coefficients)
    except FormulaError as error:
        raise ExperimentError(f"[search] formulas: '{text[:80]}' cannot be used. {error}") from error
    if not template.count:
        raise ExperimentError(
            f"[search] formulas: '{text[:80]}' has no number with a coefficient to search; "
            f"it has some with coefficients = 'nodes', got '{settings.coefficients}'."
        )
    return Line(NumberSearch(template, [1.0] * template.count, settings))


def _formula(text: str, slot: str) -> Formula:
    """Return a published formula by its name, or any other by its text."""
    try:
        formula = named_or_read(text, slot)
    except SymlossError as error:
        hint = " (Or give a published name: `symloss list zoo`.)" if text.isidentifier() else ""
        raise ExperimentError(f"[search] formulas: '{text[:80]}' cannot be read. {error}{hint}") from error
    if formula.slot != slot:
        raise ExperimentError(f"[search] formulas: '{text[:80]}' is of the slot {formula.slot}; allowed: {slot}.")
    return formula
