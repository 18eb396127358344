"""Watching a run: a live screen in a terminal, one plain line every 30 seconds elsewhere, nothing when quiet.

All of it goes to stderr, so that stdout holds the answer alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.errors import visible
from symloss.notices import to_stderr
from symloss.running.observer import Observer, Progress, Silent
from symloss.running.wording import duration, progress_line, progress_lines

if TYPE_CHECKING:
    from rich.console import Console

    from symloss.running.config import Experiment

__all__ = ["LiveScreen", "LogLines", "duration", "progress_line", "progress_lines", "watching"]

EVERY = 30.0  # seconds between two plain lines


@contextmanager
def watching(quiet: bool) -> Iterator[Observer]:
    """Choose the observer that suits the place, and clear the screen's live part at the end."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        from rich.console import Console

        with LiveScreen(Console(stderr=True)) as screen:
            yield screen
    else:
        yield LogLines()


class LogLines:
    """Writes a plain line at the start and the end of each part of a run, and every 30 seconds between.

    Args:
        write: takes one line.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, write: Callable[[str], Any] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write or (lambda line: to_stderr(visible(line)))
        self._clock = clock
        self._last = clock()

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Say where the run lies."""
        self._write(f"{'resuming' if resumed else 'searching'} {experiment.name} in {directory}")

    def progressed(self, progress: Progress) -> None:
        """Write a line when the last one is 30 seconds old."""
        self._write_seldom(progress_line(progress))

    def batch_done(self, progress: Progress) -> None:
        """Write a line when the last one is 30 seconds old."""
        self._write_seldom(progress_line(progress))

    def search_done(self, progress: Progress, reason: str) -> None:
        """Say why the search ended."""
        self._write(f"search ended: {reason}; {progress_line(progress)}")

    def trial_done(self, done: int, total: int) -> None:
        """Write a line when the last one is 30 seconds old."""
        self._write_seldom(f"finals: {done} of {total} formulas")

    def verdict_done(self, done: int, total: int) -> None:
        """Write a line when the last one is 30 seconds old."""
        self._write_seldom(f"finals: {done} of {total} comparisons on the test set")

    def finals_done(self, sentence: str) -> None:
        """Say what the finals found."""
        self._write(f"verdict: {sentence}")

    def _write_seldom(self, line: str) -> None:
        if self._clock() - self._last >= EVERY:
            self._write(line)
            self._last = self._clock()


class LiveScreen:
    """A panel in the terminal that shows where a run is; a context manager that takes it away at the end."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._title = "symloss"
        self._progress: Progress | None = None
        self._finals = ""
        self._live = Live(
            console=console, get_renderable=self._panel, refresh_per_second=4, transient=True, redirect_stdout=False
        )
        self._console = console

    def __enter__(self) -> LiveScreen:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Name the run in the panel's title."""
        self._progress = Progress()
        self._title = f"{experiment.name}{' (resumed)' if resumed else ''}: {directory}"

    def progressed(self, progress: Progress) -> None:
        """Show the latest numbers."""
        self._progress = progress

    def batch_done(self, progress: Progress) -> None:
        """Show the latest numbers."""
        self._progress = progress

    def search_done(self, progress: Progress, reason: str) -> None:
        """Show why the search ended."""
        self._progress = progress
        self._finals = f"search ended: {reason}"

    def trial_done(self, done: int, total: int) -> None:
        """Show how far the finals are."""
        self._finals = f"finals: {done} of {total} formulas"

    def verdict_done(self, done: int, total: int) -> None:
        """Show how far the comparisons on the test set are."""
        self._finals = f"finals: {done} of {total} comparisons on the test set"

    def finals_done(self, sentence: str) -> None:
        """Show what the finals found."""
        self._finals = f"verdict: {sentence}"

    def _panel(self) -> Any:
        from rich.panel import Panel
        from rich.text import Text

        shown = [] if self._progress is None else progress_lines(self._progress)
        lines = [*shown, *([self._finals] if self._finals else [])]
        return Panel(Text("\n".join(lines)), title=Text(self._title), title_align="left", padding=(0, 1))
