"""How proposals are made before anybody trains them: a method drafts, the probe points look, and what is new is taken.

Every random draw for a candidate comes from its own seed, so what is proposed for it is a function of what was told.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol

from symloss.language.grammar import Grammar
from symloss.language.probing import Finding, Prober
from symloss.language.tree import Tree, grow
from symloss.searching.selection import Individual
from symloss.searching.variation import repair


@dataclass(frozen=True)
class Draft:
    """A tree that a method proposes.

    Args:
        parents: the candidates it was made from.
        variation: what made it, e.g. `crossover+gaussian`.
    """

    tree: Tree
    parents: tuple[int, ...] = ()
    variation: str = "initial"


class Method(Protocol):
    """The part of a search that differs between methods.

    A method whose proposals are no trees of the grammar also has a function `spare(rng)`: what is tried in place of
    newly grown trees when its proposals are no losses, or not new.
    """

    def batch(self) -> int:
        """Return how many candidates to propose when the driver leaves it open."""

    def propose(self, rng: random.Random, number: int) -> Draft:
        """Make one draft; every random draw comes from `rng`, and nothing is remembered of it.

        Args:
            number: of the candidate that the draft is for.
        """

    def absorb(self, told: Sequence[Individual]) -> None:
        """Learn the scores of the last batch, in the order it was proposed."""


def grown(grammar: Grammar, rng: random.Random) -> Draft:
    """Grow a new tree, repaired where the grammar says so."""
    return Draft(repair(grow(grammar, rng), rng))


class Proposer:
    """Takes a method's drafts until one is fit to be issued.

    Args:
        width: number of the base model's outputs, over which drafts are looked at.
        fresh: see SearchSettings.

    Attributes:
        known: digests of all that was proposed.
    """

    def __init__(self, method: Method, grammar: Grammar, width: int, fresh: int) -> None:
        self.known: set[bytes] = set()
        self._method = method
        self._grammar = grammar
        self._prober = Prober(grammar.slot, width, grammar.lacks)
        self._fresh = fresh

    def look(self, draft: Draft) -> tuple[Draft, Finding]:
        """Return a draft with what the probe points say of it."""
        return draft, self._prober.look(draft.tree.nodes, draft.tree.text)

    def propose(self, rng: random.Random, number: int) -> tuple[Draft, Finding]:
        """Draft until one is a loss whose gradient was not proposed before, or take the last."""
        drafts = chain(
            (self._method.propose(rng, number) for _ in repeat(None, 1 + self._fresh)),
            (self._spare(rng) for _ in repeat(None, self._fresh)),
        )
        for looked_at in map(self.look, drafts):
            finding = looked_at[1]
            if not finding.is_void and finding.digest not in self.known:
                break
        return looked_at

    def _spare(self, rng: random.Random) -> Draft:
        spare: Callable[[random.Random], Draft] | None = getattr(self._method, "spare", None)
        return grown(self._grammar, rng) if spare is None else spare(rng)
