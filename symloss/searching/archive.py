"""The hall of fame: the best formula of each complexity, and the front of fitness against complexity.

Each formula stands in it once; of twins, which training cannot tell apart, only the simplest.
"""

import math
from dataclasses import dataclass

from symloss.language.candidate import Candidate
from symloss.language.formula import Formula


@dataclass(frozen=True)
class Entry:
    """A scored formula.

    Args:
        complexity: of the formula, in nodes.
    """

    candidate: Candidate
    formula: Formula
    fitness: float
    complexity: int


class HallOfFame:
    """Keeps every distinct formula that was scored.

    Example:
        >>> hall = HallOfFame()
        >>> hall.add(candidate, 0.93)
        >>> [entry.formula.text for entry in hall.front()]
        ['-t*log(p)']
    """

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}  # number of the first twin -> the simplest of all
        self._numbers: dict[str, int] = {}  # key -> number of the first twin

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, candidate: Candidate, fitness: float, twin: int | None = None) -> None:
        """Enter a candidate; failures and formulas that already stand here change nothing.

        Args:
            fitness: higher is better; minus infinity for a failure.
            twin: number of the first candidate with the same gradient, where there is one.
        """
        formula = candidate.formula
        if formula is None or not math.isfinite(fitness) or formula.key in self._numbers:
            return
        number = candidate.number if twin is None else twin
        self._numbers[formula.key] = number
        entry = Entry(candidate, formula, fitness, formula.complexity)
        known = self._entries.get(number)
        if known is None or entry.complexity < known.complexity:
            self._entries[number] = entry

    def best(self, k: int = 1) -> list[Entry]:
        """Return the k fittest formulas, fittest first; of equally fit ones the simpler, then the earlier."""
        return sorted(self._entries.values(), key=_rank)[:k]

    def by_complexity(self) -> dict[int, Entry]:
        """Return complexity -> its fittest formula, simplest first."""
        found: dict[int, Entry] = {}
        for entry in self.best(len(self)):
            found.setdefault(entry.complexity, entry)
        return dict(sorted(found.items()))

    def front(self) -> list[Entry]:
        """Return the Pareto front, simplest first: each is fitter than everything simpler."""
        front: list[Entry] = []
        for entry in self.by_complexity().values():
            if not front or entry.fitness > front[-1].fitness:
                front.append(entry)
        return front


def _rank(entry: Entry) -> tuple[float, int, int]:
    return (-entry.fitness, entry.complexity, entry.candidate.number)
