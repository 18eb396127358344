"""A resume's way through the batches that a run was told before.

Most are told again from what the run keeps of them, in microseconds a candidate. The first and the last are asked and
told as they were at first: a search that is not the one that wrote the run proposes something else there, and the run
store refuses it.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from symloss.judging.drain import Stop, never
from symloss.judging.screen import Screen
from symloss.language.candidate import Candidate, Outcome
from symloss.running.halving import Halving
from symloss.running.reached import Reached
from symloss.running.storage.store import RunStore
from symloss.searching.base import OFFERED
from symloss.searching.searches import Search
from symloss.searching.told import Told


class Recall:
    """Tells a new search what an earlier session has told.

    Args:
        store: of the run.
        search: to be told.
        screen: to be fed the same candidates.
        halving: to be told the same measurements, where it makes use of any.
        verbatim: whether no batch is asked anew, because what was asked depended on timing.

    Attributes:
        reached: how far all trainings went; of earlier sessions once their last batch was told.
    """

    def __init__(
        self, store: RunStore, search: Search, screen: Screen, halving: Halving, verbatim: bool = False
    ) -> None:
        self._store, self._search, self._screen, self._halving = store, search, screen, halving
        self._sizes = [batch.candidates for batch in store.batches()]
        self._verbatim = verbatim
        self._next = 0  # number of the first candidate of the batch that comes next, where they are told as asked
        self._facts: Mapping[str, Any] = store.meta()
        self.reached = Reached()

    def batch(self, number: int) -> list[Told] | None:
        """Tell a batch again; None where it is to be asked and told like a new one."""
        if number >= len(self._sizes):
            return None
        first, size = self._next, self._sizes[number]
        self._next += size
        if number in (0, len(self._sizes) - 1) and not self._verbatim and not self._is_offered(first):
            return None
        told = self._store.told(number)
        if told is None or len(told) != size:
            return None  # of an older version, which kept nothing
        self._search.recall(told, ahead=self._verbatim)
        passed = {each.digest: each.number for each in reversed(told) if each.worth_training}
        self._screen.recall(passed, self._screen.counts)
        if self._halving.decides:
            self._halving.tell(self._store.outcomes(told[0].number, told[-1].number).values())
        if number == len(self._sizes) - 1:
            self._take_up()
        return told

    def issue(self, number: int, stop: Stop = never) -> list[Candidate]:
        """Issue again what the store holds of a batch that is to be judged; nothing where it holds nothing of it.

        Args:
            stop: see `Search.ask`.
        """
        first = self._next - self._sizes[number] if number < len(self._sizes) else self._next
        own = takewhile(lambda each: each.batch == number, self._store.candidates(first))
        stored = list(own)
        if not stored:
            return []
        if stored[0].variation == OFFERED:
            return self._search.offer([self._search.read(each.text) for each in stored])
        return self._search.ask(len(stored), stop=stop)

    def _is_offered(self, number: int) -> bool:
        return any(each.variation == OFFERED for each in self._store.candidates(number, number))

    def told(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Learn and count a batch that was asked and told; after the last of an earlier session its counts stand."""
        self._screen.learn(outcomes)
        self._halving.tell(outcomes)
        self.reached = self.reached.plus(outcomes)
        if number >= len(self._sizes):
            self._next += len(outcomes)
        if number == len(self._sizes) - 1:
            self._take_up()

    def facts(self) -> dict[str, Any]:
        """Return the counts as the run keeps them."""
        return {"free_tests": dict(self._screen.counts), "reached": self.reached.fact()}

    def _take_up(self) -> None:
        self._screen.recall({}, self._facts.get("free_tests", self._screen.counts))
        kept = self._facts.get("reached")
        self.reached = self.reached if kept is None else Reached.of_fact(kept, self._store.path)
