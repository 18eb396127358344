"""What children inherit of a tuned formula: its tree in the words of the grammar, where they suffice (Lamarck).

Without it (Baldwin) they inherit the tree as it was proposed, and tuning only decides who has children.
"""

from __future__ import annotations

from functools import cached_property

from symloss.errors import ExperimentError, SymlossError
from symloss.language.formula import parse
from symloss.language.planting import plant
from symloss.language.tree import Node, Tree, vocabulary
from symloss.language.tuning import Tuning
from symloss.searching.told import Told


class TunedTree(Tree):
    """The tree of a tuned formula, worked out when its nodes are asked for; the proposed one where it cannot be said.

    Args:
        formula: canonical text.
        proposed: the tree that was tuned.
    """

    def __init__(self, formula: str, proposed: Tree) -> None:
        self.grammar = proposed.grammar
        self._tuned, self._proposed = formula, proposed

    @cached_property
    def nodes(self) -> tuple[Node, ...]:  # type: ignore[override]
        """Depth first, each operator before its arguments."""
        try:
            tree = plant(parse(self._tuned, self.grammar.slot), self.grammar)
        except SymlossError:
            return self._proposed.nodes
        names = vocabulary(self.grammar).names
        said = all(node.name in names for node in tree.nodes if node.value is None)
        return tree.nodes if said and tree.fits else self._proposed.nodes


def refuse_lamarckian(tuning: Tuning, method: str) -> None:
    """Refuse it for methods that read numbers back from the trees that they have proposed.

    Raises:
        ExperimentError: it is asked for.
    """
    if tuning.method != "none" and tuning.inheritance == "lamarckian":
        raise ExperimentError(
            f"[search.tuning] inheritance is 'lamarckian'; allowed with {method}, which learns from the numbers that "
            "it has proposed: baldwinian."
        )


def inherited(told: Told, tree: Tree) -> Tree:
    """Return what children of a told candidate inherit: its tuned formula, if it was trained."""
    formula = told.formula if told.origin == told.number else None
    return tree if formula is None else TunedTree(formula.text, tree)
