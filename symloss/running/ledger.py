"""A batch whose candidates have all ended: the search is told, the cost is counted, and the store keeps both."""

import time
from collections import Counter
from collections.abc import Sequence

from symloss.language.candidate import Outcome
from symloss.running.costs import Price
from symloss.running.recall import Recall
from symloss.running.session import Session
from symloss.running.stopping import Ending
from symloss.running.storage.store import StoredBatch
from symloss.searching.told import Told


class Ledger:
    """Tells and counts a session's batches.

    Args:
        ending: is told how far the search is, and what it has cost.
        recall: learns what is told.
        by_generations: whether the search counts its generations, because batches are none.
    """

    def __init__(self, session: Session, ending: Ending, recall: Recall, by_generations: bool = False) -> None:
        self.price = Price.of(session.work.experiment)
        self._session, self._ending, self._recall = session, ending, recall
        self._by_generations = by_generations

    def count(self, told: Sequence[Told]) -> None:
        """Count a batch that the search was told, and what it has cost."""
        search, ending = self._session.search, self._ending
        ending.told_batch(told, search.archive, search.generations if self._by_generations else None)
        ending.steps = self.price.spent(ending.tally.evaluated, self._recall.reached)

    def tell(
        self, number: int, outcomes: Sequence[Outcome], began: float, screened: Counter[str] | None = None
    ) -> list[Told]:
        """Tell the search what a batch came to, and keep it.

        Args:
            began: moment at which the batch was begun.
            screened: what screening counted of batches that are not told yet; a resume counts it again.
        """
        session, ending = self._session, self._ending
        told = session.search.tell(outcomes)
        self._recall.told(number, outcomes)
        self.count(told)
        leader = ending.best[1] if ending.best else None
        entry = StoredBatch(number, len(told), leader, time.monotonic() - began)
        facts = self._recall.facts() | {"steps": ending.steps} | session.time(ending.session)
        if screened is not None:
            facts["free_tests"] = dict(Counter(facts["free_tests"]) - screened)
        session.store.write_told(entry, told, facts)
        session.observer.batch_done(ending.progress())
        return told
