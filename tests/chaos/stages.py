"""In which stage a driver was killed, told from what it left on disk alone."""

from collections.abc import Collection
from pathlib import Path

from symloss.errors import SymlossError
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore

STAGES = ("start-up", "screening", "training", "commit", "telling", "finals", "winner", "report", "over")


def stage_of(folder: Path) -> str:
    """Return the stage in which the driver of a run was killed; the folder is a copy, as a look at it may mend it."""
    run = RunDirectory(folder)
    if not run.store.exists():
        return "start-up"
    if run.store.with_name("run.sqlite-journal").exists():
        return "commit"
    try:
        with RunStore.read(run.store) as store:
            return _within(run, store)
    except SymlossError as error:
        return f"damaged: {error}"


def _within(run: RunDirectory, store: RunStore) -> str:
    meta, told = store.meta(), len(store.batches())
    numbers = [each.number for each in store.candidates() if each.batch == told]
    if numbers:
        outcomes = store.outcomes(numbers[0])
        return "training" if len(outcomes) < len(numbers) else "telling"
    if not store.issued() and not meta["sessions"]:
        return "start-up"
    if not meta.get("ended"):
        return "screening"
    if meta.get("finals") is None:
        return "finals"
    return _after(run)


def _after(run: RunDirectory) -> str:
    if not run.winner.exists():
        return "winner"
    written = run.report.stat().st_mtime_ns if run.report.exists() else 0
    return "report" if written < run.winner.stat().st_mtime_ns else "over"


def known_to(folder: Path) -> Collection[str]:
    """Return the evaluations that a run's store holds: candidates by number, trials of the finals by name."""
    if not RunDirectory(folder).store.exists():
        return set()
    with RunStore.read(RunDirectory(folder).store) as store:
        return {*map(str, store.outcomes()), *store.trials()}
