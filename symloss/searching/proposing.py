"""How proposals are made before anybody trains them: a method drafts, the probe points look, and what is new is taken.

Every random draw for a candidate comes from its own seed, so what is proposed for it is a function of what was told.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from symloss.language.grammar import Grammar
from symloss.language.probing import Finding, Prober
from symloss.language.tree import Tree, grow
from symloss.searching.selection import Individual
from symloss.searching.surrogate import Surrogate
from symloss.searching.told import Told
from symloss.searching.variation import repair

TRIES = 16  # drafts for each contender, at most: in some grammars one in twenty passes the free tests


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
    """Makes the proposal that is issued: the first that is fit, or the most promising of several.

    Args:
        width: number of the base model's outputs, over which drafts are looked at.
        fresh, preselect: see SearchSettings.
    """

    def __init__(self, method: Method, grammar: Grammar, width: int, fresh: int, preselect: int) -> None:
        self._method = method
        self._grammar = grammar
        self._prober = Prober(grammar.slot, width, grammar.lacks)
        self._fresh = fresh
        self._preselect = preselect
        self._surrogate = Surrogate(self._trace, grammar) if preselect > 1 else None
        self._known: set[bytes] = set()  # digests of all that was proposed

    def look(self, draft: Draft) -> tuple[Draft, Finding]:
        """Return a draft with what the probe points say of it."""
        return draft, self._prober.look(draft.tree.nodes, draft.tree.text)

    def know(self, digest: bytes) -> None:
        """Remember that something with this fingerprint was proposed."""
        self._known.add(digest)

    def learn(self, told: Sequence[Told]) -> None:
        """Learn how a batch ended."""
        if self._surrogate is not None:
            self._surrogate.learn(told)

    def propose(self, rng: random.Random, number: int) -> tuple[Draft, Finding]:
        """Make a proposal for a candidate of this number."""
        if self._surrogate is not None and self._surrogate.is_ready:
            contenders = list(islice(self._contenders(rng, number), self._preselect))
            if contenders:
                bounds = self._surrogate.bounds([draft.tree for draft, _ in contenders])
                return contenders[bounds.index(max(bounds))]
        return self._first_fit(rng, number)

    def _contenders(self, rng: random.Random, number: int) -> Iterator[tuple[Draft, Finding]]:
        """Yield proposals that pass every free test, each once; few where the method has hardly any."""
        seen = set[bytes]()
        for _ in repeat(None, self._preselect * TRIES):
            draft, finding = self.look(self._method.propose(rng, number))
            if not finding.failed and finding.digest not in self._known and finding.digest not in seen:
                seen.add(finding.digest)
                yield draft, finding

    def _first_fit(self, rng: random.Random, number: int) -> tuple[Draft, Finding]:
        """Draft until one is a loss whose gradient was not proposed before, or take the last."""
        drafts = chain(
            (self._method.propose(rng, number) for _ in repeat(None, 1 + self._fresh)),
            (self._spare(rng) for _ in repeat(None, self._fresh)),
        )
        for looked_at in map(self.look, drafts):
            finding = looked_at[1]
            if not finding.is_void and finding.digest not in self._known:
                break
        return looked_at

    def _spare(self, rng: random.Random) -> Draft:
        spare: Callable[[random.Random], Draft] | None = getattr(self._method, "spare", None)
        return grown(self._grammar, rng) if spare is None else spare(rng)

    def _trace(self, tree: Tree) -> NDArray[np.float64]:
        return self._prober.trace(tree.nodes, tree.text)
