"""TaylorGLO: losses as bivariate Taylor polynomials, by CMA-ES (Gonzalez and Miikkulainen 2020, arXiv:2002.00059).

The numbers are the point of expansion and the partial derivatives there; terms without p move nothing and are left out.
Its invariant, that a step at uniform output raises the true class, is the free test `uniform_step` of all searches.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symloss.errors import ExperimentError
from symloss.language.grammar import Grammar
from symloss.language.probing import PlainWord
from symloss.language.slots import SLOTS
from symloss.language.template import Hole, Template
from symloss.searching.base import SearchSettings
from symloss.searching.cma import NumberSearch, NumberSettings
from symloss.searching.inheritance import refuse_lamarckian
from symloss.searching.proposing import Draft
from symloss.searching.selection import Individual
from symloss.settings import Rule, number, setting, whole

ORDERS = (2, 3, 4)


def _order(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in ORDERS:
        raise ValueError(value)
    return value


@dataclass(frozen=True)
class TaylorSettings(NumberSettings, SearchSettings):
    """Settings of TaylorGLO; the defaults are the published ones.

    Args:
        order: of the polynomial; 2, 3 or 4 make 5, 8 or 12 numbers.
    """

    order: int = setting(Rule("one of 2, 3, 4", _order), 3)
    sigma: float = setting(number(0.0, above=True), 1.2)
    population: int | None = setting(whole(4), 28)

    def __post_init__(self) -> None:
        refuse_lamarckian(self.tuning, "taylor")


class TaylorSearch:
    """Searches the numbers of a Taylor polynomial of the target and the output."""

    def __init__(self, grammar: Grammar, settings: TaylorSettings) -> None:
        self._grammar = grammar
        target, output = SLOTS[grammar.slot].required
        template = taylor_template(settings.order, target, output)
        self._numbers = NumberSearch(template, [0.0] * template.count, settings)

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> TaylorSearch:
        """Make the method from settings that were read into its own record.

        Raises:
            ExperimentError: the grammar's formulas see no target and output.
        """
        assert isinstance(settings, TaylorSettings)
        required = SLOTS[grammar.slot].required
        if len(required) != 2:
            raise ExperimentError(
                f"[search] method 'taylor' makes losses of a target and an output, and grammar {grammar.name} is of "
                f"the slot {grammar.slot}, whose formulas see {' and '.join(required)}; choose a grammar of losses."
            )
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the size of a generation."""
        return self._numbers.population

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Draw the numbers of a polynomial."""
        return self.spare(rng)

    def spare(self, rng: random.Random) -> Draft:
        """Draw the numbers of a polynomial."""
        return Draft(self._numbers.draw(rng, self._grammar), (), "taylor")

    def absorb(self, told: Sequence[Individual]) -> None:
        """Learn how numbers stand."""
        self._numbers.learn(told)


def taylor_template(order: int, target: str = "t", output: str = "p") -> Template:
    """Return the loss of a Taylor polynomial with its numbers left open.

    Args:
        order: of the polynomial f(target, output); the loss is its negative, summed over the classes.
        target, output: names of the slot's variables.

    Returns:
        A template of the numbers theta: the first two are the point of expansion (target, output), then comes one for
        each partial derivative, in the order of `terms`. With order 3 they are the published theta 0 to 7.

    Source: arXiv:2002.00059, section 3.2.
    """
    words: list[PlainWord] = [PlainWord("neg", arity=1)]
    holes: list[Hole] = []
    powers = list(terms(order))
    for place, (i, j) in enumerate(powers):
        if place + 1 < len(powers):
            words.append(PlainWord("add", arity=2))
        words.append(PlainWord("mul", arity=2))
        holes.append(Hole(len(words), 2 + place, 1 / (math.factorial(i) * math.factorial(j))))
        words.append(PlainWord("", 1.0))
        _append_powers(words, holes, [(target, 0, i)] * (i > 0) + [(output, 1, j)])
    return Template(tuple(words), tuple(holes))


def terms(order: int) -> Iterator[tuple[int, int]]:
    """Yield the powers of (target - theta 0) and of (output - theta 1) of each term that the output moves.

    Example:
        >>> list(terms(3))
        [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)]
    """
    for i in range(order):
        for j in range(1, order - i + 1):
            yield i, j


def _append_powers(words: list[PlainWord], holes: list[Hole], factors: Sequence[tuple[str, int, int]]) -> None:
    """Append a product of (variable - theta)**power."""
    words += [PlainWord("mul", arity=2)] * (len(factors) - 1)
    for variable, theta, power in factors:
        if power > 1:
            words.append(PlainWord("pow", arity=2))
        words += [PlainWord("sub", arity=2), PlainWord(variable), PlainWord("", 1.0)]
        holes.append(Hole(len(words) - 1, theta))
        if power > 1:
            words.append(PlainWord("", float(power)))
