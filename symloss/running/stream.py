"""An asynchronous search (Scott and De Jong 2015, Understanding Simple Asynchronous Evolutionary Algorithms).

A batch is asked when a worker is free, and told as soon as it is whole.
No worker waits for a generation to end. What is proposed depends on what has ended by then, so on timing. The run store
numbers batches in the order in which they were told, and a resume tells them again in that order; what was asked and
not told is taken up as it was asked.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, takewhile

from symloss.errors import RunError
from symloss.judging.evaluate import Job
from symloss.judging.screen import Screen
from symloss.language.candidate import TRAINED, Candidate, Outcome, State
from symloss.running.flight import Flight, Flights
from symloss.running.ledger import Ledger
from symloss.running.planning import plan_halving, plan_jobs, plan_search
from symloss.running.recall import Recall
from symloss.running.session import Session, withdraw_finals
from symloss.running.stopping import DRY, Ending
from symloss.running.storage.store import StoredCandidate
from symloss.searching.base import OFFERED
from symloss.searching.told import Told


def stream_run(session: Session, ending: Ending) -> str:
    """Search until a stop, asking ahead; see `search_run`. When a stop is reached, what is in training is told still.

    Returns:
        Why the search ended, in words.
    """
    stream = Stream(session, ending)
    while stream.recall():
        pass
    reason = ""
    while not reason:  # once, and again where free tests in workers have ended some that were to fill up the last of it
        for _, outcomes in session.pool.run(stream.jobs(), ending.now):
            stream.enter(outcomes)
        reason = ending.cut_short() if stream.flights else ending.reason()
        if not reason and stream.is_dry():
            return DRY
    return reason


class Stream:
    """Takes a session's batches, many at a time; the counterpart of `Course`.

    Args:
        session: its search is new; it is told here what the store holds.
        ending: says when to ask no more, and is told how far the search is.
    """

    def __init__(self, session: Session, ending: Ending) -> None:
        experiment = session.work.experiment
        self.flights = Flights()
        self._session, self._ending = session, ending
        self._search, self._store = session.search, session.store
        self._cohort = experiment.budget.cohort
        self._cutter = plan_jobs(experiment, session.stacking)
        self._halving = plan_halving(experiment, session.work.task)
        self._screen = Screen()
        self._recall = Recall(self._store, self._search, self._screen, self._halving, verbatim=True)
        self._ledger = Ledger(session, ending, self._recall, by_generations=True)
        self._told = bytearray(self._store.issued())  # by number, whether an earlier session told it
        self._left_over: deque[list[StoredCandidate]] | None = None  # asked and not told; None before they are known
        self._again: dict[int, int] = {}  # first number -> batch, of those taken up again
        self._asked = 0  # batches
        self._dull = self._failed = 0  # in a row: ended by free tests before training, and in workers
        self._in_training = 0  # candidates, about to be, or trained and not told yet
        self._goes_on = False  # whether anything was told in this session

    def recall(self) -> bool:
        """Tell the next batch again, in the order in which batches were told; False when there is none."""
        if not self._ending.replaying:
            return False
        number = self._ending.tally.batches
        told = self._recall.batch(number)
        if told is None:
            raise RunError(f"{self._store.path} is damaged: it does not hold what was told of batch {number}.")
        for each in told:
            self._told[each.number] = True
        self._ledger.count(told)
        self._dull = self._search.barren
        return True

    def stored(self) -> list[Candidate]:
        """Take up again the next batch that was asked and not told; nothing when there is none."""
        if self._left_over is None:
            self._left_over = deque(self._find_left_over())
        if not self._left_over:
            return []
        own = self._left_over.popleft()
        self._again[own[0].number] = own[0].batch
        return self._search.reissue(own)

    def take(self, candidates: Sequence[Candidate]) -> list[Told] | None:
        """Judge a batch that the search has issued, by itself, and tell it; None when it was cut short."""
        flight, left = self._begin(candidates)
        for _, outcomes in self._session.pool.run(self._cut(left), self._ending.now):
            self.enter(outcomes)
        return flight.told

    def jobs(self) -> Iterator[Job]:
        """Yield jobs for ever, each as late as it is asked for, until a stop or until there is nothing new."""
        waiting: list[Candidate] = []
        while candidates := self.stored() or self._proposed():
            waiting += self._begin(candidates)[1]
            while len(waiting) >= self._cohort:
                yield from self._cut(waiting[: self._cohort])
                del waiting[: self._cohort]
        yield from self._cut(waiting)

    def enter(self, outcomes: Sequence[Outcome]) -> None:
        """Keep the outcomes of a job, and tell what is whole."""
        self._store.write_outcomes(outcomes)
        self._ending.trained(outcomes)
        for outcome in outcomes:
            self._failed = self._failed + 1 if outcome.state is State.REJECTED else 0
        self._tell(self.flights.enter(outcomes))

    def _proposed(self) -> list[Candidate]:
        steps = self._in_training * self._ledger.price.whole
        is_over = self._ending.reason(self._in_training, steps) or self.is_dry()
        return [] if is_over else self._search.ask(self._cohort, ahead=True)

    def is_dry(self) -> bool:
        """Whether the grammar counts as exhausted: free tests have ended too many in a row, here or in workers."""
        return max(self._dull, self._failed) >= self._search.patience

    def _begin(self, candidates: Sequence[Candidate]) -> tuple[Flight, list[Candidate]]:
        """Screen and keep a batch; return it, and who of it is left to be trained."""
        before = Counter(self._screen.counts)
        screened = self._screen.check(candidates)
        for outcome in screened:
            self._dull = 0 if outcome is None else self._dull + 1
        ended = {outcome.candidate: outcome for outcome in screened if outcome is not None}
        first, last = candidates[0].number, candidates[-1].number
        kept = self._again.pop(first, None)
        batch = self._asked if kept is None else kept
        self._store.write_batch(batch, candidates, ended.values(), together=True)
        if kept is None:
            self._asked += 1
        else:
            ended = self._store.outcomes(first, last)
        left = [each for each in candidates if each.number not in ended]
        trains = len(left) + sum(outcome.state in TRAINED for outcome in ended.values())
        flight = Flight(candidates, self._screen.counts - before, trains, ended)
        self._in_training += trains
        self.flights.add(flight)
        self._tell([flight])
        return flight, left

    def _cut(self, left: Sequence[Candidate]) -> list[Job]:
        plan = replace(self._cutter.plan, thresholds=self._halving.thresholds())
        return replace(self._cutter, plan=plan)(left)

    def _tell(self, flights: Sequence[Flight]) -> None:
        for flight in self.flights.landing(flights):
            flight.told = self._tell_one(flight)

    def _tell_one(self, flight: Flight) -> list[Told]:
        if not self._goes_on:
            withdraw_finals(self._session.work.run, self._store)
            self._goes_on = True
        self._in_training -= flight.trains
        outcomes = [flight.outcomes[candidate.number] for candidate in flight.candidates]
        return self._ledger.tell(self._ending.tally.batches, outcomes, flight.began, self.flights.screened)

    def _find_left_over(self) -> Iterator[list[StoredCandidate]]:
        issued = len(self._told)
        if not issued:
            return
        self._check_first()
        self._asked = 1 + next(self._store.candidates(issued - 1)).batch
        untold = (number for number, told in enumerate(self._told) if not told)
        for _, group in groupby((each for each, _ in self._store.some(list(untold))), lambda each: each.batch):
            yield list(group)

    def _check_first(self) -> None:
        """Refuse a store whose first batch, which depends on no timing, this search would not have asked."""
        work = self._session.work
        stored = list(takewhile(lambda each: each.batch == 0, self._store.candidates()))
        if stored[0].variation != OFFERED:
            again = plan_search(work.experiment, work.grammar, work.task).ask(len(stored))
            self._store.write_batch(0, again, ())
