"""What an asynchronous search has in flight: batches that were asked and are not told yet."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from symloss.language.candidate import Candidate, Outcome
from symloss.searching.told import Told


@dataclass(eq=False)
class Flight:
    """A batch that was asked.

    Args:
        screened: how screening counted its candidates.
        trains: how many of them train.
        outcomes: by number, of those that have ended.
        behind: batches that are told after this one, because they hold a twin of one of its candidates.
        told: what the search learnt of it; None before.
    """

    candidates: Sequence[Candidate]
    screened: Counter[str]
    trains: int = 0
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    behind: list["Flight"] = field(default_factory=list)
    told: list[Told] | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def is_whole(self) -> bool:
        """Whether all its candidates have ended."""
        return len(self.outcomes) == len(self.candidates)


class Flights:
    """All that are not told yet; each step takes a time that does not grow with their number."""

    def __init__(self) -> None:
        self.screened: Counter[str] = Counter()  # all of them together
        self._holders: dict[int, Flight] = {}  # by the candidates' numbers

    def __bool__(self) -> bool:
        return bool(self._holders)

    def add(self, flight: Flight) -> None:
        """Let one begin."""
        self._holders |= {candidate.number: flight for candidate in flight.candidates}
        self.screened += flight.screened

    def enter(self, outcomes: Iterable[Outcome]) -> list[Flight]:
        """Take the outcomes of a job; return the batches that they belong to."""
        touched: dict[Flight, None] = {}
        for outcome in outcomes:
            flight = self._holders[outcome.candidate]
            flight.outcomes[outcome.candidate] = outcome
            touched[flight] = None
        return list(touched)

    def landing(self, flights: Iterable[Flight]) -> Iterator[Flight]:
        """Take out and yield those that are whole, and who waited for them; a duplicate comes after its twin.

        Each must be told before the next is asked for.
        """
        line = list(flights)
        while line:
            flight = line.pop(0)
            if not flight.is_whole:
                continue
            if ahead := self._ahead_of(flight):
                ahead.behind.append(flight)
                continue
            for candidate in flight.candidates:
                del self._holders[candidate.number]
            self.screened -= flight.screened
            yield flight
            line += flight.behind

    def _ahead_of(self, flight: Flight) -> Flight | None:
        twins = (each.twin for each in flight.outcomes.values() if each.twin is not None)
        holders = (self._holders.get(twin) for twin in twins)
        return next((each for each in holders if each is not None and each is not flight), None)
