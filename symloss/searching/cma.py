"""CMA-ES over the open numbers of a template (Hansen 2016, arXiv:1604.00772), by the library `cmaes`.

Its state is a function of the numbers that it was told and of their scores, and the numbers are read from the told
trees: so it resumes by replay, and a last bit that differs between machines is rounded away before it can matter.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symloss.language.grammar import Grammar
from symloss.language.template import DIGITS, Template, written
from symloss.language.tree import StoredTree, Tree
from symloss.searching.fitness import Promise
from symloss.searching.selection import Individual
from symloss.settings import number, setting, whole

if TYPE_CHECKING:
    from cmaes import CMA

LARGEST = 1e30  # of a number that is told: the library takes none beyond 1e32


@dataclass(frozen=True)
class NumberSettings:
    """What CMA-ES can be told.

    Args:
        sigma: standard deviation of the first numbers around their start, the same for all.
        population: trees in a generation; None for the library's 4 + 3 log(how many numbers are open).
        digits: significant ones of each number.
    """

    sigma: float = setting(number(0.0, above=True), 1.0)
    population: int | None = setting(whole(4), None)
    digits: int = setting(whole(1), DIGITS)


@dataclass(frozen=True)
class _Point:
    """Numbers that were tried, and how they stand."""

    numbers: tuple[float, ...]
    fitness: float
    promise: Promise


class NumberSearch:
    """CMA-ES over one template.

    It begins anew with twice the population when it has converged (IPOP: Auger and Hansen 2005).

    Args:
        template: with at least one open number.
        start: the numbers around which it begins.
        settings: see NumberSettings.
    """

    def __init__(self, template: Template, start: Sequence[float], settings: NumberSettings) -> None:
        self.template = template
        self.start = tuple(start)
        self._settings = settings
        self._waiting: list[_Point] = []  # told, and too few for a generation
        self._cma = self._begun(settings.population)

    @property
    def population(self) -> int:
        """How many trees make a generation."""
        return int(self._cma.population_size)

    def draw(self, rng: random.Random, grammar: Grammar) -> Tree:
        """Draw numbers, and fill them in."""
        self._cma.reseed_rng(rng.getrandbits(32))
        return self.tree(self._cma.ask().tolist(), grammar)

    def tree(self, numbers: Sequence[float], grammar: Grammar) -> Tree:
        """Fill numbers in."""
        return StoredTree(written(self.template.fill(numbers, self._settings.digits)), grammar)

    def learn(self, told: Sequence[Individual]) -> None:
        """Learn how numbers stand; trees of any other template say nothing."""
        read = ((self.template.read(each.tree.nodes), each) for each in told)
        self._waiting += [
            _Point(numbers, each.fitness, each.promise)
            for numbers, each in read
            if numbers is not None and max(map(abs, numbers)) < LARGEST
        ]
        while len(self._waiting) >= self.population:
            generation, self._waiting = self._waiting[: self.population], self._waiting[self.population :]
            self._step(generation)

    def _step(self, generation: Sequence[_Point]) -> None:
        points = (np.array(each.numbers) for each in generation)
        with np.errstate(all="ignore"):
            try:
                self._cma.tell(list(zip(points, costs(generation), strict=True)))
                over = self._cma.should_stop() or not np.isfinite(self._cma.mean).all()
            except np.linalg.LinAlgError:
                over = True
        if over:
            self._cma, self._waiting = self._begun(2 * self.population), []

    def _begun(self, population: int | None) -> CMA:
        from cmaes import CMA  # here, because it takes scipy's second to import

        return CMA(mean=np.array(self.start, float), sigma=self._settings.sigma, population_size=population, seed=0)


def costs(generation: Sequence[_Point]) -> list[float]:
    """Return what CMA-ES makes small: those without a fitness cost more than all others, less the further they came.

    Of what fails, nothing but the order counts: the distribution is moved by ranks.
    """
    worst = max((-each.fitness for each in generation if math.isfinite(each.fitness)), default=0.0)
    failed = sorted({each.promise for each in generation if not math.isfinite(each.fitness)}, reverse=True)
    places = {promise: worst + 1.0 + place for place, promise in enumerate(failed)}
    return [-each.fitness if math.isfinite(each.fitness) else places[each.promise] for each in generation]
