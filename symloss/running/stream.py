"""The loop of an asynchronous search: a batch is asked when a worker is free, and told as soon as it is whole.

No worker waits for a generation to end. What is proposed depends on what has ended by then, so on timing. The run store
numbers batches in the order in which they were told, and a resume tells them again in that order; what was asked and
not told is taken up as it was asked.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from symloss.errors import RunError
from symloss.judging.evaluate import Job
from symloss.judging.screen import Screen
from symloss.language.candidate import Candidate, Outcome
from symloss.running.planning import Cutter, plan_halving, plan_search, plan_trainings
from symloss.running.recall import Recall
from symloss.running.session import Session, withdraw_finals
from symloss.running.stopping import DRY, Ending
from symloss.running.store import StoredBatch, StoredCandidate


@dataclass
class Flight:
    """A batch that was asked and is not told yet.

    Args:
        screened: how screening counted its candidates.
        outcomes: by number, of those that have ended.
    """

    candidates: Sequence[Candidate]
    screened: Counter[str]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def is_whole(self) -> bool:
        """Whether all its candidates have ended."""
        return len(self.outcomes) == len(self.candidates)

    def twins(self) -> set[int]:
        """Return the first twins of its duplicates."""
        return {each.twin for each in self.outcomes.values() if each.twin is not None}


def stream_run(session: Session, ending: Ending) -> str:
    """Search until a stop, asking ahead; see `search_run`. When a stop is reached, what is in training is told still.

    Returns:
        Why the search ended, in words.
    """
    stream = Stream(session, ending)
    for _, outcomes in session.pool.run(stream.jobs(), ending.now):
        session.store.write_outcomes(outcomes)
        ending.trained(outcomes)
        stream.take(outcomes)
    return ending.cut_short() if stream.flights else ending.reason() or DRY


class Stream:
    """What is in flight, between the search and the pool.

    Args:
        session: its search is new; it is told here what the store holds.
    """

    def __init__(self, session: Session, ending: Ending) -> None:
        self.flights: dict[int, Flight] = {}  # by the number of the first candidate
        self._session = session
        self._ending = ending
        self._search, self._store = session.search, session.store
        budget = session.work.experiment.budget
        self._cohort, self._timeout = budget.cohort, budget.timeout
        self._plan = plan_trainings(session.work.experiment, session.stacking)
        self._halving = plan_halving(session.work.experiment, session.work.task)
        self._screen = Screen()
        self._recall = Recall(self._store, self._search, self._screen, self._halving, verbatim=True)
        self._asked = 0  # batches
        self._remember()

    def jobs(self) -> Iterator[Job]:
        """Yield jobs for ever, each as late as it is asked for, until a stop or until there is nothing new."""
        for stored in self._left_over:
            yield from self._begin(self._search.reissue(stored), stored[0].batch)
        while not self._ending.reason():
            candidates = self._search.ask(self._cohort, ahead=True)
            if not candidates:
                return
            self._asked += 1
            yield from self._begin(candidates, self._asked - 1)

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes of a job, and tell what is whole."""
        number = outcomes[0].candidate
        flight = next(each for each in self.flights.values() if _holds(each, number))
        flight.outcomes |= {outcome.candidate: outcome for outcome in outcomes}
        self._tell_whole()

    def _begin(self, candidates: Sequence[Candidate], batch: int) -> list[Job]:
        before = Counter(self._screen.counts)
        screened = self._screen.check(candidates)
        ended = [outcome for outcome in screened if outcome is not None]
        self._store.write_batch(batch, candidates, ended)
        first, last = candidates[0].number, candidates[-1].number
        known = self._store.outcomes(first, last)
        self.flights[first] = Flight(candidates, self._screen.counts - before, known)
        left = [each for each, outcome in zip(candidates, screened, strict=True) if outcome is None]
        jobs = Cutter(replace(self._plan, thresholds=self._halving.thresholds()), self._cohort, self._timeout)(left)
        self._tell_whole()
        return [job for job in jobs if any(number not in known for number, *_ in job.candidates)]

    def _tell_whole(self) -> None:
        """Tell every batch that is whole and has no twin in another that is not told yet."""
        while ready := next(filter(self._may_be_told, self.flights.values()), None):
            self._tell(ready)

    def _may_be_told(self, flight: Flight) -> bool:
        if not flight.is_whole:
            return False
        others = [each for each in self.flights.values() if each is not flight]
        return not any(_holds(other, twin) for twin in flight.twins() for other in others)

    def _tell(self, flight: Flight) -> None:
        session, ending = self._session, self._ending
        withdraw_finals(session.work.run, self._store)
        outcomes = [flight.outcomes[candidate.number] for candidate in flight.candidates]
        told = self._search.tell(outcomes)
        del self.flights[flight.candidates[0].number]
        number = ending.tally.batches
        ending.told_batch(told, self._search.archive)
        self._recall.told(number, outcomes)
        leader = ending.best[1] if ending.best else None
        entry = StoredBatch(number, len(told), leader, time.monotonic() - flight.began)
        self._store.write_told(entry, told, self._facts() | session.time(ending.session))
        session.observer.batch_done(ending.progress())

    def _facts(self) -> dict[str, object]:
        # Of what is not told yet a resume counts the screening again.
        facts = self._recall.facts()
        pending = sum((each.screened for each in self.flights.values()), Counter[str]())
        return facts | {"free_tests": dict(Counter(facts["free_tests"]) - pending)}

    def _remember(self) -> None:
        """Tell the search what it was told before, and find what was asked and not told."""
        told: set[int] = set()  # first numbers
        while self._ending.replaying:
            number = self._ending.tally.batches
            batch = self._recall.batch(number)
            if batch is None:
                raise RunError(f"{self._store.path} is damaged: it does not hold what was told of batch {number}.")
            self._ending.told_batch(batch, self._search.archive)
            told.add(batch[0].number)
        self._left_over: list[list[StoredCandidate]] = []
        for _, group in groupby(self._store.candidates(), lambda each: each.batch):
            stored = list(group)
            if not self._asked:
                self._check_first(stored)
            self._asked += 1
            self._left_over += [stored] if stored[0].number not in told else []

    def _check_first(self, stored: Sequence[StoredCandidate]) -> None:
        """Refuse a store whose first batch, which depends on no timing, this search would not have asked."""
        work = self._session.work
        again = plan_search(work.experiment, work.grammar, work.task).ask(len(stored))
        self._store.write_batch(stored[0].batch, again, ())


def _holds(flight: Flight, number: int) -> bool:
    return flight.candidates[0].number <= number <= flight.candidates[-1].number
