"""What all searches share: numbering and seeding candidates, keeping them fresh, and turning outcomes into fitness.

A search's state is a function of its arguments and the outcomes it was told, so that a run resumes by replay.
"""

import hashlib
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol

from symloss.errors import RunError
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.grammar import Grammar
from symloss.language.probing import Finding, Prober
from symloss.language.tree import Tree, grow
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import NO_PROMISE, Judge, Promise
from symloss.searching.selection import Individual
from symloss.searching.variation import repair
from symloss.settings import setting, whole

UNTRAINED = (State.REJECTED, State.DUPLICATE)


@dataclass(frozen=True)
class SearchSettings:
    """What every search can be told.

    Args:
        fresh: how often a proposal that is no loss at all, or whose gradient was proposed before, is drawn anew; after
            that as often a newly grown tree is tried instead. 0 takes what comes, as published searches do.
        patience: after so many candidates in a row that were rejected or duplicates, the grammar counts as exhausted.
    """

    fresh: int = setting(whole(0), 5)
    patience: int = setting(whole(1), 2000)


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
    """The part of a search that differs between methods."""

    def batch(self) -> int:
        """Return how many candidates to propose when the driver leaves it open."""

    def propose(self, rng: random.Random) -> Draft:
        """Make one draft; every random draw comes from `rng`."""

    def absorb(self, told: Sequence[Individual]) -> None:
        """Learn the scores of the last batch, in the order it was proposed."""


def grown(grammar: Grammar, rng: random.Random) -> Draft:
    """Grow a new tree, repaired where the grammar says so."""
    return Draft(repair(grow(grammar, rng), rng))


class Search:
    """A method behind ask and tell.

    Args:
        seed: of the search; each candidate has its own, derived from it and the candidate's number.
        width: number of the base model's outputs, over which proposals are looked at.

    Example:
        >>> while candidates := search.ask():
        ...     search.tell([outcome_of(candidate) for candidate in candidates])
        >>> search.archive.front()
    """

    def __init__(
        self, method: Method, grammar: Grammar, judge: Judge, seed: int, settings: SearchSettings, width: int = 10
    ) -> None:
        self.archive = HallOfFame(grammar.slot)
        self._method = method
        self._grammar = grammar
        self._judge = judge
        self._seed = seed
        self._settings = settings
        self._asked: list[tuple[Candidate, Tree]] = []
        self._issued = 0
        self._barren = 0  # rejected or duplicate candidates since the last that was trained
        self._prober = Prober(grammar.slot, width, grammar.lacks)
        self._proposed: set[bytes] = set()  # digests of all proposals' findings
        # Of every candidate that was told, by its number; of two numbers each, because there may be a million of them.
        self._origins = array("q")  # number of its first twin
        self._fitness = array("d")
        self._promises: dict[int, Promise] = {}  # of those that a rung stopped, by the number of the first twin

    def ask(self, n: int | None = None) -> list[Candidate]:
        """Propose candidates, numbered on from the last.

        Args:
            n: how many; None leaves it to the method (evolution: one generation).

        Returns:
            The candidates; none when the grammar is exhausted, see the setting `patience`.

        Raises:
            RunError: the last batch was not told yet.
        """
        if self._asked:
            waiting = f"first tell the outcomes of the {len(self._asked)} candidates asked before"
            raise RunError(f"search: ask was called twice; {waiting}.")
        if self._barren >= self._settings.patience:
            return []
        count = self._method.batch() if n is None else n
        self._asked = [self._issue(self._issued + i) for i in range(count)]
        self._issued += count
        return [candidate for candidate, _ in self._asked]

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes of the whole asked batch, in asked order; a duplicate's fitness is its twin's.

        Raises:
            RunError: the outcomes are not those of the batch.
            ExperimentError: an outcome lacks the judge's metric.
        """
        numbers = [candidate.number for candidate, _ in self._asked]
        if [outcome.candidate for outcome in outcomes] != numbers:
            raise RunError(_mismatch(numbers, [outcome.candidate for outcome in outcomes]))
        origins, fitness = self._scored(outcomes)
        self._origins.extend(origins)
        self._fitness.extend(fitness)
        self._promises |= {
            each.candidate: self._judge.promise(each) for each in outcomes if each.state is State.STOPPED
        }
        pairs = zip(self._asked, outcomes, strict=True)
        self._method.absorb([self._enter(candidate, tree, outcome) for (candidate, tree), outcome in pairs])
        self._asked = []

    def _issue(self, number: int) -> tuple[Candidate, Tree]:
        seed = candidate_seed(self._seed, number)
        draft, finding = self._fresh_draft(random.Random(seed))
        self._proposed.add(finding.digest)
        text, slot = draft.tree.text, self._grammar.slot
        return Candidate(number, text, slot, finding, draft.parents, draft.variation, seed), draft.tree

    def _fresh_draft(self, rng: random.Random) -> tuple[Draft, Finding]:
        tries = self._settings.fresh
        drafts = chain(
            (self._method.propose(rng) for _ in repeat(None, 1 + tries)),
            (grown(self._grammar, rng) for _ in repeat(None, tries)),
        )
        for draft in drafts:
            finding = self._prober.look(draft.tree.nodes, draft.tree.text)
            if not finding.is_void and finding.digest not in self._proposed:
                break
        return draft, finding

    def _scored(self, outcomes: Sequence[Outcome]) -> tuple[list[int], list[float]]:
        told = len(self._origins)  # candidates are numbered without gaps
        origins: list[int] = []
        fitness: list[float] = []
        for outcome in outcomes:
            twin = outcome.twin
            if twin is None:
                origins.append(outcome.candidate)
                fitness.append(self._judge.fitness(outcome))
            elif twin < told:
                origins.append(self._origins[twin])
                fitness.append(self._fitness[twin])
            elif twin - told < len(origins):
                origins.append(origins[twin - told])
                fitness.append(fitness[twin - told])
            else:
                pair = f"candidate {outcome.candidate} is told to be the twin of {twin}"
                raise RunError(f"search: {pair}, which was not told before.")
        return origins, fitness

    def _enter(self, candidate: Candidate, tree: Tree, outcome: Outcome) -> Individual:
        number, formula = candidate.number, outcome.formula
        origin, fitness = self._origins[number], self._fitness[number]
        promise = self._promises.get(origin, NO_PROMISE)
        self._barren = self._barren + 1 if outcome.state in UNTRAINED else 0
        self.archive.add(number, candidate.text, fitness, formula, origin)
        complexity = tree.size if formula is None else formula.complexity
        return Individual(number, origin, tree, fitness, complexity, promise)


def candidate_seed(seed: int, number: int) -> int:
    """Return a candidate's own seed, from 0 to 2**48 - 1."""
    digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:6])


def _mismatch(asked: list[int], told: list[int]) -> str:
    if not asked:
        return f"search: tell was called with {len(told)} outcomes, but nothing is asked; call ask first."
    return (
        f"search: tell was called with the outcomes of candidates {_brief(told)}, but {_brief(asked)} are asked; "
        "tell the whole batch once, in asked order."
    )


def _brief(numbers: list[int]) -> str:
    return f"{numbers}" if len(numbers) <= 8 else f"[{numbers[0]}, {numbers[1]}, ..., {numbers[-1]}] ({len(numbers)})"
