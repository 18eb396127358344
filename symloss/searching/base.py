"""What all searches share: numbering and seeding candidates, keeping them fresh, and turning outcomes into fitness.

A search's state is a function of its arguments and the outcomes it was told, so that a run resumes by replay.
"""

import hashlib
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol

from symloss.errors import GrammarError, RunError
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.formula import parse
from symloss.language.grammar import Grammar
from symloss.language.planting import plant
from symloss.language.probing import Finding, Prober
from symloss.language.tree import StoredTree, Tree, grow
from symloss.language.tuning import UNTUNED, Tuning
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import FAILED, NO_PROMISE, Judge, Promise
from symloss.searching.inheritance import inherited
from symloss.searching.selection import Individual
from symloss.searching.told import Told
from symloss.searching.variation import repair
from symloss.searching.warm_start import WARM_START, plant_all
from symloss.settings import any_text, setting, several, table, whole

OFFERED = "offered"  # the variation of a candidate that came from outside
TUNING = "[search.tuning]"
UNTRAINED = (State.REJECTED, State.DUPLICATE)


@dataclass(frozen=True)
class SearchSettings:
    """What every search can be told.

    Args:
        fresh: how often a proposal that is no loss at all, or whose gradient was proposed before, is drawn anew; after
            that as often a newly grown tree is tried instead. 0 takes what comes, as published searches do.
        patience: after so many candidates in a row that were rejected or duplicates, the grammar counts as exhausted.
        initial: formulas that the search begins with: published names, loss files, or texts.
        tuning: how workers tune a formula's numbers before they judge it, see Tuning; by default they do not.
    """

    fresh: int = setting(whole(0), 5)
    patience: int = setting(whole(1), 2000)
    initial: tuple[str, ...] = setting(several(any_text(), '["cross_entropy", "-t*log(p)"]', at_least=0), ())
    tuning: Tuning = setting(table(UNTUNED, TUNING), UNTUNED)  # noqa: RUF009 - frozen


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
        self._tunes = settings.tuning.method != "none"
        self._first = plant_all(settings.initial, grammar)
        self._asked: list[tuple[Candidate, Tree]] = []
        self._issued = 0
        self._barren = 0  # rejected or duplicate candidates since the last that was trained
        self._prober = Prober(grammar.slot, width, grammar.lacks)
        self._proposed: set[bytes] = set()  # digests of all proposals' findings
        # Of every candidate that was told, by its number; of two numbers each, because there may be a million of them.
        self._origins = array("q")  # number of its first twin
        self._fitness = array("d")
        self._robustness = array("d")
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
        self._refuse_untold()
        if self._barren >= self._settings.patience:
            return []
        return self._issue([None] * (self._method.batch() if n is None else n))

    def offer(self, trees: Sequence[Tree]) -> list[Candidate]:
        """Issue candidates that somebody else proposes, in place of the method's own; the method learns from them, too.

        Args:
            trees: see `read`.

        Raises:
            RunError: the last batch was not told yet.
        """
        self._refuse_untold()
        return self._issue([Draft(tree, (), OFFERED) for tree in trees])

    def read(self, text: str) -> Tree:
        """Read a tree's or a formula's text as a tree.

        Raises:
            FormulaError: it is neither.
        """
        try:
            return StoredTree(text, self._grammar).read()
        except GrammarError:  # no tree's text, so it is a formula's
            return plant(parse(text, self._grammar.slot), self._grammar)

    def _refuse_untold(self) -> None:
        if self._asked:
            waiting = f"first tell the outcomes of the {len(self._asked)} candidates asked before"
            raise RunError(f"search: ask was called twice; {waiting}.")

    def tell(self, outcomes: Sequence[Outcome]) -> list[Told]:
        """Take the outcomes of the whole asked batch, in asked order; a duplicate's fitness is its twin's.

        Returns:
            What was learnt of each; `recall` learns it again.

        Raises:
            RunError: the outcomes are not those of the batch.
            ExperimentError: an outcome lacks the judge's metric.
        """
        numbers = [candidate.number for candidate, _ in self._asked]
        if [outcome.candidate for outcome in outcomes] != numbers:
            raise RunError(_mismatch(numbers, [outcome.candidate for outcome in outcomes]))
        told: list[Told] = []
        for (candidate, tree), outcome in zip(self._asked, outcomes, strict=True):
            told.append(self._told(candidate, tree, outcome))
            self._enter(told[-1])
        trees = [tree for _, tree in self._asked]
        self._asked = []
        self._method.absorb([self._learnt(each, tree) for each, tree in zip(told, trees, strict=True)])
        return told

    def recall(self, told: Sequence[Told]) -> None:
        """Learn a whole batch that was told before, as if it had been asked and told now.

        Raises:
            RunError: it is not the batch that comes next.
        """
        numbers = [each.number for each in told]
        if self._asked or numbers != list(range(self._issued, self._issued + len(told))):
            raise RunError(f"search: candidates {_brief(numbers)} are recalled, but {self._issued} comes next.")
        self._issued += len(told)
        for each in told:
            self._proposed.add(each.digest)
            self._enter(each)
        self._method.absorb([self._learnt(each, StoredTree(each.text, self._grammar)) for each in told])

    def _issue(self, drafts: Sequence[Draft | None]) -> list[Candidate]:
        """Issue a batch; where there is no draft, the method makes one."""
        first = self._issued
        self._asked = [self._candidate(first + place, draft) for place, draft in enumerate(drafts)]
        self._issued += len(drafts)
        return [candidate for candidate, _ in self._asked]

    def _candidate(self, number: int, draft: Draft | None) -> tuple[Candidate, Tree]:
        seed = candidate_seed(self._seed, number)
        if draft is None and number < len(self._first):
            draft = Draft(self._first[number], (), WARM_START)
        made, finding = self._fresh_draft(random.Random(seed), number) if draft is None else self._looked_at(draft)
        self._proposed.add(finding.digest)
        text, slot = made.tree.text, self._grammar.slot
        return Candidate(number, text, slot, finding, made.parents, made.variation, seed), made.tree

    def _looked_at(self, draft: Draft) -> tuple[Draft, Finding]:
        return draft, self._prober.look(draft.tree.nodes, draft.tree.text)

    def _fresh_draft(self, rng: random.Random, number: int) -> tuple[Draft, Finding]:
        tries = self._settings.fresh
        drafts = chain(
            (self._method.propose(rng, number) for _ in repeat(None, 1 + tries)),
            (self._spare(rng) for _ in repeat(None, tries)),
        )
        for looked_at in map(self._looked_at, drafts):
            finding = looked_at[1]
            if not finding.is_void and finding.digest not in self._proposed:
                break
        return looked_at

    def _spare(self, rng: random.Random) -> Draft:
        spare: Callable[[random.Random], Draft] | None = getattr(self._method, "spare", None)
        return grown(self._grammar, rng) if spare is None else spare(rng)

    def _told(self, candidate: Candidate, tree: Tree, outcome: Outcome) -> Told:
        number, twin = candidate.number, outcome.twin
        if twin is not None and twin >= len(self._origins):
            raise RunError(f"search: candidate {number} is told to be the twin of {twin}, which was not told before.")
        origin = number if twin is None else self._origins[twin]
        scored, robust = self._judge.scores(outcome) if twin is None else (self._fitness[twin], self._robustness[twin])
        promise = self._judge.promise(outcome) if twin is None else self._promises.get(origin, NO_PROMISE)
        formula = outcome.formula
        if twin is not None and scored > FAILED and not self._tunes:
            formula = self.archive.read_simpler(candidate.text, origin)
        return Told(
            number=number,
            text=candidate.text,
            digest=candidate.finding.digest,
            state=outcome.state,
            origin=origin,
            fitness=scored,
            complexity=tree.size if outcome.formula is None else outcome.formula.complexity,
            formula=formula,
            promise=promise,
            robustness=robust,
            worth_training=not candidate.finding.failed and twin is None,
        )

    def _learnt(self, told: Told, tree: Tree) -> Individual:
        inherits = self._tunes and self._settings.tuning.inheritance == "lamarckian"
        return individual(told, inherited(told, tree) if inherits else tree)

    def _enter(self, told: Told) -> None:
        self._origins.append(told.origin)
        self._fitness.append(told.fitness)
        self._robustness.append(told.robustness)
        if told.promise != NO_PROMISE:
            self._promises[told.origin] = told.promise
        self._barren = self._barren + 1 if told.state in UNTRAINED else 0
        # Where numbers are tuned, what was scored is not what a twin's text says.
        if told.formula is not None or not self._tunes:
            self.archive.add(told.number, told.text, told.fitness, told.formula, told.origin)


def individual(told: Told, tree: Tree) -> Individual:
    """Return a told candidate as selection sees it."""
    return Individual(told.number, told.origin, tree, told.fitness, told.complexity, told.promise, told.robustness)


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
