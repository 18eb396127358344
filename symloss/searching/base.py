"""What all searches share: numbering and seeding candidates, and turning outcomes into fitness.

A search's state is a function of its arguments and the outcomes it was told, so that a run resumes by replay.
"""

import hashlib
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

from symloss.errors import GrammarError, RunError
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.formula import parse
from symloss.language.grammar import Grammar
from symloss.language.planting import plant
from symloss.language.probing import Finding
from symloss.language.tree import StoredTree, Tree, undisturbed
from symloss.language.tuning import UNTUNED, Tuning
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import FAILED, NO_PROMISE, Judge, Promise
from symloss.searching.generations import Generations
from symloss.searching.inheritance import inherited
from symloss.searching.proposing import Draft, Method, Proposer
from symloss.searching.selection import Individual
from symloss.searching.told import Told
from symloss.searching.warm_start import WARM_START, plant_all
from symloss.settings import any_text, setting, several, table, truth, whole

OFFERED = "offered"  # the variation of a candidate that came from outside
TUNING = "[search.tuning]"
MOST_CONTENDERS = 64  # for one place: some 40 ms of the driver's
UNTRAINED = (State.REJECTED, State.DUPLICATE)
_UNTOLD = -1  # in place of the first twin's number


@dataclass(frozen=True)
class SearchSettings:
    """What every search can be told.

    Args:
        fresh: how often a proposal that is no loss at all, or whose gradient was proposed before, is drawn anew; after
            that as often a newly grown tree is tried instead. 0 takes what comes, as published searches do (what is
            preselected is new all the same).
        preselect: so many proposals that pass the free tests compete for each place, and the one is trained that a
            surrogate foretells to be the most promising, see Surrogate; 1 trains what comes.
        patience: after so many candidates in a row that were rejected or duplicates, the grammar counts as exhausted.
        initial: formulas that the search begins with: published names, loss files, or texts.
        tuning: how workers tune a formula's numbers before they judge it, see Tuning; by default they do not.
        asynchronous: whether candidates are proposed as soon as a worker is free, a cohort at a time, while others are
            still in training. What is proposed then depends on timing, so no two runs are alike.
    """

    fresh: int = setting(whole(0), 5)
    preselect: int = setting(whole(1, MOST_CONTENDERS), 1)
    patience: int = setting(whole(1), 2000)
    initial: tuple[str, ...] = setting(several(any_text(), '["cross_entropy", "-t*log(p)"]', at_least=0), ())
    tuning: Tuning = setting(table(UNTUNED, TUNING), UNTUNED)  # noqa: RUF009 - frozen
    asynchronous: bool = setting(truth(), False)


class Issued(Protocol):
    """A candidate as a run keeps it."""

    @property
    def number(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def parents(self) -> tuple[int, ...]: ...
    @property
    def variation(self) -> str: ...
    @property
    def seed(self) -> int: ...


class Search:
    """A method behind ask and tell.

    Args:
        seed: of the search; each candidate has its own, derived from it and the candidate's number.
        width: number of the base model's outputs, over which proposals are looked at.

    Attributes:
        archive: hall of fame.
        patience: the setting.
        barren: rejected or duplicate candidates told since the last that was trained.

    Example:
        >>> while candidates := search.ask():
        ...     search.tell([outcome_of(candidate) for candidate in candidates])
        >>> search.archive.front()
    """

    def __init__(
        self, method: Method, grammar: Grammar, judge: Judge, seed: int, settings: SearchSettings, width: int = 10
    ) -> None:
        self.archive = HallOfFame(grammar.slot)
        self.patience = settings.patience
        self.barren = 0
        self._method = method
        self._grammar = grammar
        self._judge = judge
        self._seed = seed
        self._settings = settings
        self._tunes = settings.tuning.method != "none"
        self._first = plant_all(settings.initial, grammar)
        self._asked: dict[int, list[tuple[Candidate, Tree]]] = {}  # batches, by the number of their first candidate
        self._issued = 0
        self._generations = Generations()
        self._proposer = Proposer(method, grammar, width, settings.fresh, settings.preselect)
        # Of every candidate that was issued, by its number; a few numbers each, because there may be a million of them.
        self._origins = array("q")  # number of its first twin
        self._fitness = array("d")
        self._robustness = array("d")
        self._promises: dict[int, Promise] = {}  # of those that a rung stopped, by the number of the first twin

    @property
    def generations(self) -> int:
        """How many generations' worth was told; each is as many as the method would ask for when it began."""
        return self._generations.done

    def ask(
        self, n: int | None = None, ahead: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> list[Candidate]:
        """Propose candidates, numbered on from the last.

        Args:
            n: how many; None leaves it to the method (evolution: one generation).
            ahead: whether earlier batches may still be untold, as in an asynchronous search.
            stop: asked before each proposal. Once it is true none is issued, and the search is of no further use: it
                remembers some that nobody knows of.

        Returns:
            The candidates; none when the grammar is exhausted, see the setting `patience`. Who asks ahead is to look
            himself: what was told says too little of what is still in training.

        Raises:
            RunError: an earlier batch was not told yet, and this one is not asked ahead.
        """
        self._refuse_untold(ahead)
        if self.barren >= self.patience and not ahead:
            return []
        return self._issue([None] * (self._method.batch() if n is None else n), stop)

    def reissue(self, batch: Sequence[Issued]) -> list[Candidate]:
        """Take up a batch that an earlier session had asked and not told, as it was asked then.

        Its candidates keep their numbers, which may lie before those of batches that were told since.

        Raises:
            GrammarError: a candidate's text is no tree.
        """
        return self._enlist([self._restored(each) for each in batch])

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

    def _refuse_untold(self, ahead: bool = False) -> None:
        if self._asked and not ahead:
            count = sum(map(len, self._asked.values()))
            waiting = f"first tell the outcomes of the {count} candidates asked before"
            raise RunError(f"search: ask was called twice; {waiting}.")

    def tell(self, outcomes: Sequence[Outcome]) -> list[Told]:
        """Take the outcomes of a whole asked batch, in asked order; a duplicate's fitness is its twin's.

        Returns:
            What was learnt of each; `recall` learns it again.

        Raises:
            RunError: the outcomes are not those of a batch that is asked, or a twin was not told before.
            ExperimentError: an outcome lacks the judge's metric.
        """
        numbers = [outcome.candidate for outcome in outcomes]
        batch = self._asked.get(numbers[0] if numbers else -1, [])
        if not batch or [candidate.number for candidate, _ in batch] != numbers:
            raise RunError(_mismatch(next(iter(self._asked.values()), []), numbers))
        told: list[Told] = []
        for (candidate, tree), outcome in zip(batch, outcomes, strict=True):
            told.append(self._told(candidate, tree, outcome))
            self._enter(told[-1])
        del self._asked[numbers[0]]
        self._learn(told, [tree for _, tree in batch])
        return told

    def recall(self, told: Sequence[Told], ahead: bool = False) -> None:
        """Learn a whole batch that was told before, as if it had been asked and told now.

        Args:
            ahead: whether batches before it may still be untold, see `ask`; they are reissued later.

        Raises:
            RunError: it is not the batch that comes next, or one that was told already.
        """
        numbers = [each.number for each in told]
        first = numbers[0] if ahead and numbers else self._issued
        fits = numbers == list(range(first, first + len(told))) and not any(map(self._is_told, numbers))
        if not fits or (self._asked and not ahead):
            raise RunError(f"search: candidates {_brief(numbers)} are recalled, but {self._issued} comes next.")
        self._make_room(first + len(told))
        for each in told:
            self._proposer.know(each.digest)
            self._enter(each)
        self._learn(told, [StoredTree(each.text, self._grammar) for each in told])

    def _learn(self, told: Sequence[Told], trees: Sequence[Tree]) -> None:
        self._generations.told(len(told), self._method.batch())
        self._proposer.learn(told)
        self._method.absorb([self._learnt(each, tree) for each, tree in zip(told, trees, strict=True)])

    def _issue(self, drafts: Sequence[Draft | None], stop: Callable[[], bool] = lambda: False) -> list[Candidate]:
        """Issue a batch; where there is no draft, the method makes one."""
        first, batch = self._issued, list[tuple[Candidate, Tree]]()
        with undisturbed():
            for place, draft in enumerate(drafts):
                if stop():
                    return []
                batch.append(self._candidate(first + place, draft))
        return self._enlist(batch)

    def _enlist(self, batch: list[tuple[Candidate, Tree]]) -> list[Candidate]:
        if batch:
            self._asked[batch[0][0].number] = batch
            self._make_room(batch[-1][0].number + 1)
        return [candidate for candidate, _ in batch]

    def _make_room(self, issued: int) -> None:
        """Hold entries for all numbers below `issued`."""
        more = max(0, issued - self._issued)
        self._issued += more
        self._origins.extend(repeat(_UNTOLD, more))
        self._fitness.extend(repeat(FAILED, more))
        self._robustness.extend(repeat(FAILED, more))

    def _is_told(self, number: int) -> bool:
        return number < len(self._origins) and self._origins[number] != _UNTOLD

    def _restored(self, issued: Issued) -> tuple[Candidate, Tree]:
        draft = Draft(StoredTree(issued.text, self._grammar), issued.parents, issued.variation)
        return self._written(issued.number, issued.seed, *self._proposer.look(draft))

    def _candidate(self, number: int, draft: Draft | None) -> tuple[Candidate, Tree]:
        seed = candidate_seed(self._seed, number)
        if draft is None and number < len(self._first):
            draft = Draft(self._first[number], (), WARM_START)
        made, finding = (
            self._proposer.propose(random.Random(seed), number) if draft is None else self._proposer.look(draft)
        )
        return self._written(number, seed, made, finding)

    def _written(self, number: int, seed: int, draft: Draft, finding: Finding) -> tuple[Candidate, Tree]:
        self._proposer.know(finding.digest)
        text, slot = draft.tree.text, self._grammar.slot
        return Candidate(number, text, slot, finding, draft.parents, draft.variation, seed), draft.tree

    def _told(self, candidate: Candidate, tree: Tree, outcome: Outcome) -> Told:
        number, twin = candidate.number, outcome.twin
        if twin is not None and not self._is_told(twin):
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
        self._origins[told.number] = told.origin
        self._fitness[told.number] = told.fitness
        self._robustness[told.number] = told.robustness
        if told.promise != NO_PROMISE:
            self._promises[told.origin] = told.promise
        self.barren = self.barren + 1 if told.state in UNTRAINED else 0
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


def _mismatch(batch: list[tuple[Candidate, Tree]], told: list[int]) -> str:
    asked = [candidate.number for candidate, _ in batch]
    if not asked:
        return f"search: tell was called with {len(told)} outcomes, but nothing is asked; call ask first."
    return (
        f"search: tell was called with the outcomes of candidates {_brief(told)}, but {_brief(asked)} are asked; "
        "tell the whole batch once, in asked order."
    )


def _brief(numbers: list[int]) -> str:
    return f"{numbers}" if len(numbers) <= 8 else f"[{numbers[0]}, {numbers[1]}, ..., {numbers[-1]}] ({len(numbers)})"
