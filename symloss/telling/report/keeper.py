"""Keeping a run's report up to date while it runs: an observer that writes it anew, seldom enough to cost nothing.

A report that cannot be written is said once and stops no run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from symloss.running.observer import Audience, Observer, Progress, Silent
from symloss.telling.report.report import write_report

if TYPE_CHECKING:
    from symloss.running.config import Experiment

EVERY = 10.0  # seconds between two reports
SHARE = 0.01  # of a run's time that its reports may take


class ReportKeeper(Silent):
    """Writes `report.html` into the directory of the run that it watches.

    Args:
        warn: takes one line, when a report could not be written; only the first time.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, warn: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._warn = warn
        self._clock = clock
        self._directory: Path | None = None
        self._due = 0.0
        self._broken = False

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Write the first report."""
        self._directory = directory
        self._write(live=True)

    def progressed(self, progress: Progress) -> None:
        """Write a report when it is time."""
        self._write_seldom()

    def batch_done(self, progress: Progress) -> None:
        """Write a report when it is time."""
        self._write_seldom()

    def search_done(self, progress: Progress, reason: str) -> None:
        """Write what the search came to, before the finals."""
        self._write(live=True)

    def trial_done(self, done: int, total: int) -> None:
        """Write a report when it is time."""
        self._write_seldom()

    def close(self) -> None:
        """Write the last report, which an open page does not load again."""
        self._write(live=False)

    def _write_seldom(self) -> None:
        if self._clock() >= self._due:
            self._write(live=True)

    def _write(self, live: bool) -> None:
        if self._directory is None or self._broken:
            return
        began = self._clock()
        try:
            write_report(self._directory, live=live)
        except Exception as error:  # whatever is wrong with a report, the run is worth more
            self._broken = True
            self._warn(f"the report is not kept up to date: {error}")
        ended = self._clock()
        self._due = ended + max(EVERY, (ended - began) / SHARE)


@contextmanager
def reporting(observer: Observer, warn: Callable[[str], object]) -> Iterator[Observer]:
    """Keep the report of the run that is watched in the block, beside another observer.

    The last report is written when the block ends, also by an error; not when the process is to end at once.
    """
    keeper = ReportKeeper(warn)
    try:
        yield Audience(observer, keeper)
    except Exception:
        keeper.close()
        raise
    keeper.close()
