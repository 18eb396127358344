"""What a driver's memory grows by with each candidate: promised is 50 MB from 10,000 to 100,000 candidates."""

import tracemalloc
from pathlib import Path

from benchmarks.driver import begin_run, session_without_work
from symloss.running.observer import Progress, Silent
from symloss.running.run import search_run

PROMISED = 50e6 / 90_000  # bytes a candidate


class Traced(Silent):
    """Notes how much memory is in use whenever a batch is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def batch_done(self, progress: Progress) -> None:
        """See Observer.batch_done."""
        self.seen.append((progress.candidates, tracemalloc.get_traced_memory()[0]))


def test_memory_is_flat(tmp_path: Path) -> None:
    work = begin_run(tmp_path / "run", ["search.population=200", "stop.generations=16", "stop.evaluations=1000000000"])
    traced = Traced()
    with session_without_work(work, traced) as session:
        tracemalloc.start()
        try:
            search_run(session, session.ending())
        finally:
            tracemalloc.stop()
    (early, before), (late, after) = traced.seen[3], traced.seen[-1]
    assert late - early > 2000
    assert (after - before) / (late - early) < PROMISED
