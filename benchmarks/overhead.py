"""What the default search spends its time on: training, what a worker does before it, and the driver.

`python -m benchmarks.overhead`. The search runs in one process, so that the parts add up to the whole.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.record import asked_for_quick, write_record
from symloss.judging import evaluate
from symloss.running.observer import Progress, Silent
from symloss.running.run import search
from symloss.running.storage.store import RunStore
from symloss.searching.base import Search

EVALUATIONS, FEW = 150, 8


class Timers:
    """Seconds by what they were spent on; a call inside another's counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    @contextmanager
    def timed(self, place: Any, attribute: str, what: str) -> Iterator[None]:
        """Time every call of a function as long as the block runs."""
        original: Callable[..., Any] = getattr(place, attribute)

        def call(*arguments: Any, **options: Any) -> Any:
            started, self._inside = time.perf_counter(), [*self._inside, 0.0]
            try:
                return original(*arguments, **options)
            finally:
                *outer, inner = self._inside
                taken = time.perf_counter() - started
                self.seconds[what] += taken - inner
                self._inside = [*outer[:-1], outer[-1] + taken] if outer else []

        with patch.object(place, attribute, call):
            yield


TIMED = (
    (evaluate, "train_cohort", "training"),
    (evaluate, "compile_all", "worker: canonical forms, compiling"),
    (evaluate, "stuck", "worker: free outputs"),
    (Search, "ask", "driver: propose and probe"),
    (RunStore, "write_batch", "driver: store"),
    (RunStore, "write_outcomes", "driver: store"),
    (RunStore, "write_told", "driver: store"),
    (RunStore, "outcomes", "driver: store"),
)


class Snapshot(Silent):
    """Takes how far the search was when it ended, and what was spent on what; what follows are the finals."""

    def __init__(self, timers: Timers) -> None:
        self.progress: Progress | None = None
        self.parts: dict[str, float] = {}
        self._timers = timers

    def search_done(self, progress: Progress, reason: str) -> None:
        """Take it."""
        self.progress, self.parts = progress, dict(self._timers.seconds)


def measure(evaluations: int) -> dict[str, Any]:
    """Run the default search, up to some evaluations, and split its time."""
    timers = Timers()
    watch = Snapshot(timers)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for place, attribute, what in TIMED:
            stack.enter_context(timers.timed(place, attribute, what))
        overrides = [f"stop.evaluations={evaluations}", "finals.seeds=2", "finals.top=1", "finals.steps=1"]
        search("noisy_digits", Path(folder) / "run", 0, overrides, observer=watch)
    assert watch.progress is not None
    whole, parts = watch.progress.seconds, watch.parts
    shares = {what: taken / whole for what, taken in parts.items()}
    shares["the rest of the loop"] = 1 - sum(shares.values())
    return {
        "seconds": whole,
        "evaluations": watch.progress.evaluated,
        "shares": shares,
        "overhead": 1 - shares["training"],
    }


def main() -> None:
    """Measure, print, and keep what was measured."""
    quick = asked_for_quick(__doc__)
    found = measure(FEW if quick else EVALUATIONS)
    for what, share in sorted(found["shares"].items(), key=lambda each: -each[1]):
        print(f"{100 * share:5.1f} %  {what}")
    print(f"overhead outside of training: {100 * found['overhead']:.1f} % of {found['seconds']:.1f} s")
    if not quick:
        print(write_record("overhead", found))


if __name__ == "__main__":
    main()
