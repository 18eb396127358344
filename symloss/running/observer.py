"""What a run tells whoever watches it: a record of how far it is, and the few moments at which it is told.

A live screen, a log line or a test implements `Observer`; `Silent` is the one that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from symloss.language.candidate import State

if TYPE_CHECKING:
    from symloss.running.config import Experiment


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Args:
        generation: generations that the search was told about.
        candidates: proposed so far.
        evaluated: distinct candidates trained so far.
        counts: how many candidates ended in each state.
        best: text of the fittest formula so far, of an unfinished batch as well; empty while none was scored.
        fitness: of the best, in the metric's own units; None while none was scored.
        rate: evaluations per second in this session.
        seconds: searched so far, all sessions together.
        left: seconds until the search ends, as far as can be foreseen; None where it cannot.
    """

    generation: int = 0
    candidates: int = 0
    evaluated: int = 0
    counts: Mapping[State, int] = field(default_factory=dict)
    best: str = ""
    fitness: float | None = None
    rate: float = 0.0
    seconds: float = 0.0
    left: float | None = None


class Observer(Protocol):
    """Whoever watches a run; called in the driver, so it must be quick."""

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """The run's directory exists and its store is open."""

    def progressed(self, progress: Progress) -> None:
        """A cohort was stored, within a batch."""

    def batch_done(self, progress: Progress) -> None:
        """The search was told a batch."""

    def search_done(self, progress: Progress, reason: str) -> None:
        """The search ended; the finals, if any, come next."""

    def trial_done(self, done: int, total: int) -> None:
        """A job of the finals was stored."""

    def verdict_done(self, done: int, total: int) -> None:
        """The winner was compared with a baseline by one metric."""

    def finals_done(self, sentence: str) -> None:
        """The winner was tried."""


class Silent:
    """An observer that does nothing; also what others start from."""

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Do nothing."""

    def progressed(self, progress: Progress) -> None:
        """Do nothing."""

    def batch_done(self, progress: Progress) -> None:
        """Do nothing."""

    def search_done(self, progress: Progress, reason: str) -> None:
        """Do nothing."""

    def trial_done(self, done: int, total: int) -> None:
        """Do nothing."""

    def verdict_done(self, done: int, total: int) -> None:
        """Do nothing."""

    def finals_done(self, sentence: str) -> None:
        """Do nothing."""


class Beginning(Silent):
    """An observer that does something when the run has begun.

    Args:
        act: is called then.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Do it."""
        self._act()


class Audience:
    """Several observers as one; each is told in turn."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Tell each."""
        for each in self._observers:
            each.started(directory, experiment, resumed)

    def progressed(self, progress: Progress) -> None:
        """Tell each."""
        for each in self._observers:
            each.progressed(progress)

    def batch_done(self, progress: Progress) -> None:
        """Tell each."""
        for each in self._observers:
            each.batch_done(progress)

    def search_done(self, progress: Progress, reason: str) -> None:
        """Tell each."""
        for each in self._observers:
            each.search_done(progress, reason)

    def trial_done(self, done: int, total: int) -> None:
        """Tell each."""
        for each in self._observers:
            each.trial_done(done, total)

    def verdict_done(self, done: int, total: int) -> None:
        """Tell each."""
        for each in self._observers:
            each.verdict_done(done, total)

    def finals_done(self, sentence: str) -> None:
        """Tell each."""
        for each in self._observers:
            each.finals_done(sentence)
