"""The hall of fame: the best formula of each complexity, and the front of fitness against complexity.

Each formula stands in it once; of twins, which training cannot tell apart, only the simplest.
"""

import functools
import heapq
import math
import re
from dataclasses import dataclass

from symloss.errors import FormulaError
from symloss.language.formula import Canonical, Formula, parse

_WORD = re.compile(r"[\w.]+(?:(?<=\de)[+-]\d+)?", re.ASCII)  # a number may hold an exponent: 1e-05


@dataclass(frozen=True)
class Entry:
    """A scored formula.

    Args:
        number: of its candidate.
        text: canonical.
        complexity: of the formula, in nodes.
    """

    number: int
    slot: str
    text: str
    complexity: int
    fitness: float

    @property
    def formula(self) -> Formula:
        """The formula itself; reading it takes milliseconds, once."""
        return _read(self.text, self.slot)


class HallOfFame:
    """Keeps every distinct formula that was scored, in about 500 bytes each.

    Args:
        slot: of the formulas.

    Example:
        >>> hall = HallOfFame("classification")
        >>> hall.add(0, "neg(mul(t, log(p)))", 0.93, parse("-t*log(p)").canonical())
        >>> [entry.text for entry in hall.front()]
        ['-t*log(p)']
    """

    def __init__(self, slot: str) -> None:
        self._slot = slot
        self._entries: dict[int, Entry] = {}  # number of the first twin -> the simplest of all
        self._keys: set[bytes] = set()
        self._leader: int | None = None  # number of the fittest one's first twin

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self, number: int, text: str, fitness: float, formula: Canonical | None = None, twin: int | None = None
    ) -> None:
        """Enter a candidate; failures and formulas that already stand here change nothing.

        Args:
            number: of the candidate.
            text: the candidate's own, as the search proposed it.
            fitness: higher is better; minus infinity for a failure.
            formula: None where nobody has read the text, as for a twin: it is read here if it may be the simpler one.
            twin: number of the first candidate with the same gradient, where there is one.
        """
        if not math.isfinite(fitness):
            return
        first = number if twin is None else twin
        known = self._entries.get(first)
        formula = formula or self.read_simpler(text, first)
        if formula is None or bytes.fromhex(formula.key) in self._keys:
            return
        self._keys.add(bytes.fromhex(formula.key))
        entry = Entry(number, self._slot, formula.text, formula.complexity, fitness)
        if known is None or entry.complexity < known.complexity:
            self._entries[first] = entry
            if self._leader is None or _rank(entry) < _rank(self._entries[self._leader]):
                self._leader = first

    def read_simpler(self, text: str, twin: int) -> Canonical | None:
        """Read a twin's text when it has fewer words than the simplest known twin has nodes; most have more.

        Args:
            twin: number of the first candidate with the same gradient.
        """
        known = self._entries.get(twin)
        if known is not None and count_words(text) >= known.complexity:
            return None
        try:
            return _read(text, self._slot).canonical()
        except FormulaError:
            return None

    def holds(self, number: int, twin: int) -> bool:
        """Whether a candidate stands for itself and its twins.

        Args:
            twin: number of the first candidate with the same gradient.
        """
        return twin in self._entries and self._entries[twin].number == number

    def leader(self) -> Entry | None:
        """Return the fittest formula, at once."""
        return None if self._leader is None else self._entries[self._leader]

    def best(self, k: int = 1) -> list[Entry]:
        """Return the k fittest formulas, fittest first; of equally fit ones the simpler, then the earlier."""
        return heapq.nsmallest(k, self._entries.values(), key=_rank)

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
    return (-entry.fitness, entry.complexity, entry.number)


def count_words(text: str) -> int:
    """Count the operators, variables and numbers of a tree's text: its nodes."""
    return len(_WORD.findall(text))


@functools.lru_cache(maxsize=256)
def _read(text: str, slot: str) -> Formula:
    return parse(text, slot)
