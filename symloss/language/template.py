"""A formula with numbers left open: its words, each operator before its arguments, and where the numbers stand.

Searches over numbers fill a template; what they filled in can be read back from the words alone, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from symloss.errors import FormulaError
from symloss.language.formula import MAX_DEPTH, MAX_NODES
from symloss.language.parser import MAX_LENGTH
from symloss.language.probing import PlainWord, Word

DIGITS = 6  # significant ones of a number that is filled in: training tells no finer apart, and people read fewer
PLACES = ("nodes", "edges", "constants")


@dataclass(frozen=True)
class Hole:
    """Where a number stands.

    Args:
        at: its place among the words.
        number: which of the open numbers it is; one may stand in several places.
        scale: what it is multiplied by there.
    """

    at: int
    number: int
    scale: float = 1.0


@dataclass(frozen=True)
class Template:
    """A formula with numbers left open.

    Args:
        words: in prefix order; those at holes are numbers that count for nothing.
        holes: where the open numbers stand, each of them somewhere.

    Raises:
        FormulaError: it is larger or deeper than any formula may be.

    Example:
        >>> template = with_coefficients(list(prefix(parse("-t*log(p)").node)), "nodes")
        >>> written(template.fill([1.0, 1.0, 0.5, 1.25, 2.0]))
        'mul(1.0, neg(mul(1.0, mul(mul(0.5, t), mul(1.25, log(mul(2.0, p)))))))'
    """

    words: tuple[PlainWord, ...]
    holes: tuple[Hole, ...]

    def __post_init__(self) -> None:
        nodes, depth = len(self.words), depth_of(self.words)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise FormulaError(
                f"formula: with {self.count} numbers of its own it has {nodes} nodes and depth {depth}. "
                f"Allowed: {MAX_NODES} nodes, depth {MAX_DEPTH}; choose a simpler formula, or fewer numbers."
            )
        longest = len(written(self.fill([-1.23456e-10] * self.count)))
        if longest > MAX_LENGTH:
            raise FormulaError(
                f"formula: with {self.count} numbers of its own it may take {longest} characters. "
                f"Allowed: {MAX_LENGTH}; choose a simpler formula, or fewer numbers."
            )

    @cached_property
    def count(self) -> int:
        """How many numbers are open."""
        return 1 + max((hole.number for hole in self.holes), default=-1)

    def fill(self, numbers: Sequence[float], digits: int = DIGITS) -> tuple[PlainWord, ...]:
        """Return the words with numbers in place.

        Args:
            numbers: as many as are open.
            digits: significant ones that are kept.
        """
        words = list(self.words)
        for hole in self.holes:
            number = numbers[hole.number]
            # At one the formula stays what it was, to the last bit.
            words[hole.at] = PlainWord("", hole.scale if number == 1 else shortened(number * hole.scale, digits))
        return tuple(words)

    def read(self, words: Sequence[Word]) -> tuple[float, ...] | None:
        """Return the numbers in words that `fill` has made, as they were filled in; None for any other words."""
        found: dict[int, float] = {}
        holes = {hole.at: hole for hole in self.holes}
        if len(words) != len(self.words):
            return None
        for at, (word, own) in enumerate(zip(words, self.words, strict=True)):
            if at in holes and word.value is not None:
                found.setdefault(holes[at].number, word.value / holes[at].scale)
            elif at in holes or not _alike(word, own):
                return None
        return tuple(found[number] for number in range(self.count))


def with_coefficients(words: Sequence[Word], places: str) -> Template:
    """Give a formula coefficients: at ones it is the formula.

    A number takes its coefficient in, so that it stays one number; zero has none.

    Args:
        words: of the formula, in prefix order.
        places: `nodes`, each node times a number of its own (GLO, arXiv:1905.11528); `edges`, the same without the
            whole formula's (EvoMAL, arXiv:2209.08907); `constants`, the formula's own numbers alone.

    Raises:
        FormulaError: with coefficients it is larger or deeper than any formula may be.
    """
    made: list[PlainWord] = []
    holes: list[Hole] = []
    for place, word in enumerate(words):
        plain = PlainWord("" if word.value is not None else word.name, word.value, word.arity)
        if word.value is not None:
            if word.value and (place or places != "edges"):
                holes.append(Hole(len(made), len(holes), word.value))
        elif places == "nodes" or (places == "edges" and place):
            holes.append(Hole(len(made) + 1, len(holes)))
            made += [PlainWord("mul", arity=2), PlainWord("", 1.0)]
        made.append(plain)
    return Template(tuple(made), tuple(holes))


def written(words: Sequence[Word]) -> str:
    """Print words as text that the formula parser reads, e.g. `mul(2.5, log(p))`, to the last bit of every number."""
    texts: list[str] = []
    for word in reversed(words):
        if word.arity:
            texts.append(f"{word.name}({', '.join([texts.pop() for _ in range(word.arity)])})")
        else:
            texts.append(word.name if word.value is None else repr(word.value))
    return texts[0]


def depth_of(words: Sequence[Word]) -> int:
    """Return the longest chain of operators above a leaf."""
    depths: list[int] = []
    for word in reversed(words):
        depths.append(1 + max([depths.pop() for _ in range(word.arity)]) if word.arity else 0)
    return depths[0]


def shortened(value: float, digits: int = DIGITS) -> float:
    """Round a number to significant digits."""
    return float(f"{value:.{digits}g}") + 0.0  # -0.0 becomes 0.0


def _alike(word: Word, own: PlainWord) -> bool:
    if own.value is not None or word.value is not None:
        return own.value == word.value
    return own.name == word.name and own.arity == word.arity
