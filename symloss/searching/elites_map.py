"""MAP-Elites (Mouret and Clune 2015, arXiv:1504.04909): the fittest formula of every kind of gradient.

A kind is a cell of a grid over two numbers that are read from a formula's gradient on the slot's probe points, so that
the search keeps many shapes of loss alive and not only the fittest one.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symloss.language.grammar import Grammar
from symloss.language.probing import Prober
from symloss.language.slots import SLOTS
from symloss.searching.base import SearchSettings
from symloss.searching.breeding import BreedingSettings, bred, rates_of
from symloss.searching.proposing import Draft, grown
from symloss.searching.selection import Individual, by_merit
from symloss.settings import setting, whole

WIDTH = 10  # outputs of the model that shapes are read for
Cell = tuple[int, int]


@dataclass(frozen=True)
class MapSettings(BreedingSettings):
    """Settings of MAP-Elites.

    Args:
        cells: along each side of the grid.
        first: trees that are grown before any is bred.
        batch: candidates per ask.
    """

    cells: int = setting(whole(2), 8)
    first: int = setting(whole(1), 80)
    batch: int = setting(whole(1), 40)


class ElitesMap:
    """One elite for each cell of the map."""

    def __init__(self, grammar: Grammar, settings: MapSettings) -> None:
        self._grammar = grammar
        self._settings = settings
        self._rates = rates_of(settings)
        self._shapes = Shapes(grammar.slot, settings.cells)
        self.elites: dict[Cell, Individual] = {}
        self._told = 0

    @classmethod
    def of(cls, grammar: Grammar, settings: SearchSettings) -> Any:
        """Make the method from settings that were read into its own record."""
        assert isinstance(settings, MapSettings)
        return cls(grammar, settings)

    def batch(self) -> int:
        """Return the setting `first` at the beginning, `batch` afterwards."""
        return self._settings.batch if self._told else self._settings.first

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Grow a tree at first; later breed one of the elites of two cells, each as likely as any."""
        if not self.elites or number < self._settings.first or rng.random() < self._settings.immigrants:
            return grown(self._grammar, rng)
        mother, father = (self.elites[rng.choice(sorted(self.elites))] for _ in range(2))
        return bred(mother, father, self._settings.crossover, self._rates, rng)

    def absorb(self, told: Sequence[Individual]) -> None:
        """Let everyone that was scored stand in its cell, unless a fitter one does."""
        self._told += len(told)
        for each in told:
            if np.isfinite(each.fitness):
                cell = self._shapes.cell(each)
                self.elites[cell] = by_merit([each, *([self.elites[cell]] if cell in self.elites else [])])[0]


class Shapes:
    """Reads where a formula's gradient lies, and which way it points.

    The first number is the share of the gradient's size that lies at the lower half of the probed outputs, for a
    classification loss: at outputs that the model believes little, of whatever class. The second is the share that
    points up along the output. Both are from 0 to 1, and are read as of ten outputs whatever the task has: they tell
    kinds of formulas apart, and a formula's kind is the same on every task.
    """

    def __init__(self, slot: str, cells: int) -> None:
        self._prober, self._cells = Prober(slot, WIDTH), cells
        probes = SLOTS[slot].probes(WIDTH)
        name = next(iter(probes.moving))
        along = np.broadcast_to(probes.inputs[name], (probes.points,))[: probes.proper]
        self._low = along < np.median(along)
        self._proper = probes.proper

    def describe(self, individual: Individual) -> tuple[float, float]:
        """Return both numbers; 0.5 where the gradient is nowhere finite."""
        nodes = individual.tree.nodes
        gradients = self._prober.respond(nodes, individual.tree.text).gradients[: self._proper]
        sound = np.isfinite(gradients)
        size = np.abs(np.where(sound, gradients, 0.0))
        whole = float(size.sum())
        if not whole or not np.isfinite(whole):
            return 0.5, 0.5
        return float(size[self._low].sum() / whole), float(size[gradients > 0].sum() / whole)

    def cell(self, individual: Individual) -> Cell:
        """Return the cell that an individual belongs to."""
        low, up = (min(int(share * self._cells), self._cells - 1) for share in self.describe(individual))
        return low, up
