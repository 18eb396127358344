"""The course of a search: what becomes of one batch, from the free tests to what the search is told.

All that a search learns comes out of the run store, so a resume takes the same course over outcomes that are there.
"""

import time
from collections.abc import Container, Sequence
from dataclasses import replace

from symloss.judging.evaluate import Job
from symloss.judging.screen import Screen
from symloss.language.candidate import Candidate, Outcome
from symloss.running.ledger import Ledger
from symloss.running.planning import plan_halving, plan_jobs
from symloss.running.recall import Recall
from symloss.running.session import Session, withdraw_finals
from symloss.running.stopping import Ending, Pending
from symloss.searching.fitness import Judge
from symloss.searching.told import Told


class Course:
    """Takes a session's batches, one after the other.

    Args:
        session: at work.
        ending: says when to cut a batch short, and is told how far the search is.
    """

    def __init__(self, session: Session, ending: Ending) -> None:
        experiment = session.work.experiment
        self._session, self._ending = session, ending
        self._cutter = plan_jobs(experiment, session.stacking)
        self._judge = Judge.by(session.work.task.metric)
        self._halving = plan_halving(experiment, session.work.task)
        self._screen = Screen()
        self._recall = Recall(session.store, session.search, self._screen, self._halving)
        self._ledger = Ledger(session, ending, self._recall)
        self.batch = 0  # number of the batch that comes next

    def recall(self) -> bool:
        """Tell the next batch again where what was told of it is kept; False where it is to be judged."""
        told = self._recall.batch(self.batch)
        if told:
            self._ledger.count(told)
            self.batch += 1
        return bool(told)

    def stored(self) -> list[Candidate]:
        """Issue the next batch again where the store holds it, told before or cut short; else nothing."""
        return self._recall.issue(self.batch, self._ending.now)

    def take(self, candidates: Sequence[Candidate]) -> list[Told] | None:
        """Judge a batch that the search has issued, and tell it; None when it was cut short."""
        session, began = self._session, time.monotonic()
        store = session.store
        screened = self._screen.check(candidates)
        store.write_batch(self.batch, candidates, [outcome for outcome in screened if outcome is not None])
        left = [each for each, outcome in zip(candidates, screened, strict=True) if outcome is None]
        stored = self._train(candidates, left)
        if len(stored) < len(candidates):
            return None
        if not self._ending.replaying:
            withdraw_finals(session.work.run, store)
        outcomes = [stored[candidate.number] for candidate in candidates]
        told = self._ledger.tell(self.batch, outcomes, began)
        self.batch += 1
        return told

    def _train(self, candidates: Sequence[Candidate], left: Sequence[Candidate]) -> dict[int, Outcome]:
        """Train what the store does not know; return the batch's outcomes, fewer than candidates when cut short."""
        session, ending = self._session, self._ending
        store, plan = session.store, self._cutter.plan
        first, last = candidates[0].number, candidates[-1].number
        known = store.outcomes(first, last)
        # Cut before looking at what is known: cohorts must be those of a run without a break.
        jobs = replace(self._cutter, plan=replace(plan, thresholds=self._halving.thresholds()))(left)
        missing = [rest for job in jobs if (rest := without(job, known)) is not None]
        so_far = Pending(self._judge)
        so_far.add(list(known.values()))
        for _, outcomes in session.pool.run(missing, ending.now):
            store.write_outcomes(outcomes)
            ending.trained(outcomes)
            so_far.add(outcomes)
            session.observer.progressed(ending.progress(so_far))
        if ending.fault is not None:
            raise ending.fault
        return store.outcomes(first, last)


def without(job: Job, known: Container[int]) -> Job | None:
    """Return a job without the candidates that have ended: of one whose worker died, some may have; None for none."""
    left = tuple(candidate for candidate in job.candidates if candidate[0] not in known)
    return replace(job, candidates=left) if left else None
