"""What all searches share: numbering and seeding candidates, keeping them fresh, and turning outcomes into fitness.

A search's state is a function of its arguments and the outcomes it was told, so that a run resumes by replay.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import NamedTuple, Protocol

from symloss.errors import FormulaError, RunError
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.formula import Formula
from symloss.language.grammar import Grammar
from symloss.language.tree import Tree, grow
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import Judge, Promise
from symloss.searching.selection import Individual
from symloss.searching.variation import repair
from symloss.settings import setting, whole

UNTRAINED = (State.REJECTED, State.DUPLICATE)


@dataclass(frozen=True)
class SearchSettings:
    """What every search can be told.

    Args:
        fresh: how often a proposal without a formula, or with one that was proposed before, is drawn anew; after that
            as often a newly grown tree is tried instead. 0 takes what comes, as published searches do.
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


class Standing(NamedTuple):
    """What a candidate came to: the number of its first twin, and that one's fitness and promise."""

    origin: int
    fitness: float
    promise: Promise


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

    Example:
        >>> while candidates := search.ask():
        ...     search.tell([outcome_of(candidate) for candidate in candidates])
        >>> search.archive.front()
    """

    def __init__(self, method: Method, grammar: Grammar, judge: Judge, seed: int, settings: SearchSettings) -> None:
        self.archive = HallOfFame()
        self._method = method
        self._grammar = grammar
        self._judge = judge
        self._seed = seed
        self._settings = settings
        self._asked: list[tuple[Candidate, Tree]] = []
        self._issued = 0
        self._barren = 0  # rejected or duplicate candidates since the last that was trained
        self._readings: dict[str, Formula | str] = {}  # tree's text -> formula, or why there is none
        self._proposed: set[str] = set()  # keys
        self._scores: dict[int, Standing] = {}

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
        scores = self._scored(outcomes)
        self._scores |= scores
        pairs = zip(self._asked, outcomes, strict=True)
        self._method.absorb([self._enter(candidate, tree, outcome) for (candidate, tree), outcome in pairs])
        self._asked = []

    def _issue(self, number: int) -> tuple[Candidate, Tree]:
        seed = candidate_seed(self._seed, number)
        draft, reading = self._fresh_draft(random.Random(seed))
        formula, fault = (None, reading) if isinstance(reading, str) else (reading, "")
        if formula is not None:
            self._proposed.add(formula.key)
        candidate = Candidate(number, draft.tree.text, formula, fault, draft.parents, draft.variation, seed)
        return candidate, draft.tree

    def _fresh_draft(self, rng: random.Random) -> tuple[Draft, Formula | str]:
        tries = self._settings.fresh
        drafts = chain(
            (self._method.propose(rng) for _ in repeat(None, 1 + tries)),
            (grown(self._grammar, rng) for _ in repeat(None, tries)),
        )
        for draft in drafts:
            reading = self._read(draft.tree)
            if not isinstance(reading, str) and reading.key not in self._proposed:
                break
        return draft, reading

    def _read(self, tree: Tree) -> Formula | str:
        if tree.text not in self._readings:
            self._readings[tree.text] = _reading(tree)
        return self._readings[tree.text]

    def _scored(self, outcomes: Sequence[Outcome]) -> dict[int, Standing]:
        scores: dict[int, Standing] = {}
        for outcome in outcomes:
            if outcome.twin is None:
                fitness, promise = self._judge.fitness(outcome), self._judge.promise(outcome)
                scores[outcome.candidate] = Standing(outcome.candidate, fitness, promise)
            else:
                score = scores.get(outcome.twin) or self._scores.get(outcome.twin)
                if score is None:
                    pair = f"candidate {outcome.candidate} is told to be the twin of {outcome.twin}"
                    raise RunError(f"search: {pair}, which was not told before.")
                scores[outcome.candidate] = score
        return scores

    def _enter(self, candidate: Candidate, tree: Tree, outcome: Outcome) -> Individual:
        origin, fitness, promise = self._scores[candidate.number]
        self._barren = self._barren + 1 if outcome.state in UNTRAINED else 0
        self.archive.add(candidate, fitness, origin)
        complexity = candidate.formula.complexity if candidate.formula else tree.size
        return Individual(candidate.number, origin, tree, fitness, complexity, promise)


def candidate_seed(seed: int, number: int) -> int:
    """Return a candidate's own seed, from 0 to 2**48 - 1."""
    digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:6])


def _reading(tree: Tree) -> Formula | str:
    try:
        formula = tree.formula()
    except FormulaError as error:
        return str(error)
    missing = tree.grammar.lacks(formula.variables)
    if missing:
        words = f"does not see {' and '.join(missing)}, which grammar {tree.grammar.name} requires"
        return f"the formula '{formula.text}' {words}"
    return formula


def _mismatch(asked: list[int], told: list[int]) -> str:
    if not asked:
        return f"search: tell was called with {len(told)} outcomes, but nothing is asked; call ask first."
    return (
        f"search: tell was called with the outcomes of candidates {_brief(told)}, but {_brief(asked)} are asked; "
        "tell the whole batch once, in asked order."
    )


def _brief(numbers: list[int]) -> str:
    return f"{numbers}" if len(numbers) <= 8 else f"[{numbers[0]}, {numbers[1]}, ..., {numbers[-1]}] ({len(numbers)})"
