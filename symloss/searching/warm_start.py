"""Warm starts: formulas that a search begins with, before it proposes its own."""

from collections.abc import Iterable

from symloss.errors import ExperimentError, SymlossError
from symloss.language.grammar import Grammar
from symloss.language.planting import plant
from symloss.language.tree import Tree
from symloss.language.zoo import named_or_read

WARM_START = "warm start"


def plant_all(texts: Iterable[str], grammar: Grammar) -> list[Tree]:
    """Return the trees that a search begins with.

    Args:
        texts: published names or formulas.

    Raises:
        ExperimentError: one is no formula, or of another slot.
    """
    return [_planted(text, grammar) for text in texts]


def _planted(text: str, grammar: Grammar) -> Tree:
    try:
        return plant(named_or_read(text, grammar.slot), grammar)
    except SymlossError as error:
        raise ExperimentError(
            f"[search] initial: '{text}' cannot begin the search: {error} Allowed: formulas of the slot "
            f"{grammar.slot}, published names (`symloss list zoo`), and loss files."
        ) from error
