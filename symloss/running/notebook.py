"""Watching a run in a notebook: one line of output under the cell, which is written anew as the run goes on.

A run that is started elsewhere without an observer is watched by nobody.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.markup import Shown, fields_html
from symloss.running.observer import Observer, Progress, Silent
from symloss.running.wording import progress_line, progress_lines

if TYPE_CHECKING:
    from symloss.running.config import Experiment

EVERY = 0.5  # seconds between two updates: more would fill the notebook's file with messages


def usual_observer() -> Observer:
    """Return who watches a run that names nobody: in a notebook a line under the cell, elsewhere nobody."""
    display = notebook_display()
    return Silent() if display is None else NotebookLine(display)


def notebook_display() -> Callable[..., Any] | None:
    """Return IPython's `display` in a notebook, else None; nothing is imported that is not there already."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Callable[..., Any] = sys.modules["IPython.display"].display
    return display


class NotebookLine:
    """Shows where a run is in one output of its cell.

    Args:
        display: IPython's; called with `display_id=True` it returns a handle with `update`.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, display: Callable[..., Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._clock = clock
        self._handle: Any = None
        self._last = -EVERY
        self._title, self._search, self._finals = "symloss", "", ""

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Name the run."""
        self._title = f"{experiment.name}{' (resumed)' if resumed else ''} in {directory}"
        self._show()

    def progressed(self, progress: Progress) -> None:
        """Show the latest numbers."""
        self._search = progress_line(progress)
        self._show_seldom()

    def batch_done(self, progress: Progress) -> None:
        """Show the latest numbers."""
        self.progressed(progress)

    def search_done(self, progress: Progress, reason: str) -> None:
        """Say why the search ended."""
        self._search = f"ended: {reason}; {'; '.join(progress_lines(progress))}"
        self._show()

    def trial_done(self, done: int, total: int) -> None:
        """Show how far the finals are."""
        self._finals = f"{done} of {total} formulas"
        self._show_seldom()

    def verdict_done(self, done: int, total: int) -> None:
        """Show how far the comparisons on the test set are."""
        self._finals = f"{done} of {total} comparisons on the test set"
        self._show_seldom()

    def finals_done(self, sentence: str) -> None:
        """Show what was found."""
        self._finals = sentence
        self._show()

    def _show_seldom(self) -> None:
        if self._clock() - self._last >= EVERY:
            self._show()

    def _show(self) -> None:
        self._last = self._clock()
        rows = [("run", self._title), ("search", self._search), ("finals", self._finals)]
        shown = Shown(
            fields_html([(label, text) for label, text in rows if text]), "; ".join(filter(None, dict(rows).values()))
        )
        if self._handle is None:
            self._handle = self._display(shown, display_id=True)
        else:
            self._handle.update(shown)
