"""Whether a run's files are whole and agree: SQLite's own look, candidates against outcomes, what the search was told
against what was measured, finals against the winner.

Nothing is trained and nothing is written.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.errors import SymlossError
from symloss.language.candidate import TRAINED
from symloss.running.storage.rundir import RunDirectory, find_run, read_text, read_winner
from symloss.running.storage.store import RunStore
from symloss.running.storage.wholeness import check_whole
from symloss.searching.fitness import FAILED, Judge


@dataclass(frozen=True)
class Integrity:
    """What a run's files come to.

    Args:
        digest: of its result, see `RunStore.digest`; empty where it cannot be read.
        candidates, outcomes: how many there are.
        live: whether a driver is at work, so that candidates may still be without an outcome.
        faults: what does not fit, in words; empty where all is well.
    """

    digest: str
    candidates: int
    outcomes: int
    live: bool
    faults: tuple[str, ...]


def check_integrity(path: str | Path) -> Integrity:
    """Look at a run's files.

    Raises:
        RunError: there is no run, or its store cannot be opened at all.

    Example:
        >>> check_integrity("runs/mine").faults
        ()
    """
    run = find_run(path)
    with RunStore.read(run.store) as store:
        live = run.is_driven()
        faults = [fault for check in _CHECKS for fault in _caught(check, run, store)]
        digest, issued, ended = "", store.issued(), sum(store.counts().values())
        if not faults:
            digest = store.digest()
    return Integrity(digest, issued, ended, live, tuple(dict.fromkeys(faults)))


Check = Callable[[RunDirectory, RunStore], Iterator[str]]


def _caught(check: Check, run: RunDirectory, store: RunStore) -> Iterator[str]:
    try:
        yield from check(run, store)
    except SymlossError as error:
        yield str(error)


def _pages(run: RunDirectory, store: RunStore) -> Iterator[str]:
    yield from (str(row[0]) for row in store.look("PRAGMA quick_check(10)") if row[0] != "ok")


def _rows(run: RunDirectory, store: RunStore) -> Iterator[str]:
    """Read everything once: each row must make sense by itself."""
    store.meta(), store.outcomes(), store.trials()
    for _ in store.candidates():
        pass
    yield from ()


def _books(run: RunDirectory, store: RunStore) -> Iterator[str]:
    """Compare what was asked with what came out."""
    yield from check_whole(store)


def _texts(run: RunDirectory, store: RunStore) -> Iterator[str]:
    """Look at the files without which no run is gone on with."""
    for path in (run.experiment, run.grammar):
        try:
            tomllib.loads(read_text(path))
        except tomllib.TOMLDecodeError as error:
            yield f"{path.name} is no TOML: {error}"


def _told(run: RunDirectory, store: RunStore) -> Iterator[str]:
    """Work out anew what the search was told of each candidate: its first twin, its fitness, whether it was trained."""
    standings, facts = store.standings(), store.meta()
    judge = Judge(facts["metric"], facts["maximise"])
    origins, scores = dict[int, int](), dict[int, float]()
    trained = np.zeros(len(standings), bool)
    outcomes = store.outcomes()
    for place, number in enumerate(standings.numbers.tolist()):
        outcome = outcomes.get(number)
        if outcome is None:
            yield f"the search was told of candidate {number}, which has no outcome"
            return
        twin = outcome.twin
        origins[number] = number if twin is None else origins.get(twin, twin)
        scores[number] = judge.fitness(outcome) if twin is None else scores.get(twin, FAILED)
        trained[place] = outcome.state in TRAINED
    kept: dict[str, tuple[NDArray[Any], Iterable[Any]]] = {
        "first twin": (standings.origins, origins.values()),
        "fitness": (standings.fitness, scores.values()),
        "training": (standings.trained, trained),
    }
    for what, (told, found) in kept.items():
        wrong = np.flatnonzero(told != np.fromiter(found, told.dtype, len(told)))
        if len(wrong):
            number = int(standings.numbers[wrong[0]])
            yield f"what the search was told of the {what} of candidate {number}, or of another, is not what came out"


def _trials(run: RunDirectory, store: RunStore) -> Iterator[str]:
    """Look for what the finals measured of trials that are not there."""
    for table in ("trial_measurements", "trial_outputs"):
        (count,) = store.look(f"SELECT COUNT(*) FROM {table} WHERE job NOT IN (SELECT job FROM trials)")[0]
        if count:
            yield f"{count} rows of {table} belong to no trial"


def _winner(run: RunDirectory, store: RunStore) -> Iterator[str]:
    """Compare the finals with the winner's file, which is written after them."""
    finals: dict[str, Any] | None = store.meta().get("finals")
    named = finals.get("winner") if finals else None
    if named is None:
        if run.winner.exists():
            yield f"{run.winner.name} is there, and no finals have named a winner"
        return
    if not run.winner.exists():
        if not run.is_driven():
            yield f"the finals named a winner, and {run.winner.name} is missing; `symloss resume` writes it again"
        return
    loss = read_winner(run)
    if loss.formula.text != named:
        yield f"the finals' winner is {str(named)[:200]}, and {run.winner.name} holds {loss.formula.text[:200]}"
    if finals and loss.evidence.get("verdict") != finals.get("sentence"):
        yield f"{run.winner.name} tells another verdict than the finals"


_CHECKS: tuple[Check, ...] = (_pages, _rows, _books, _texts, _told, _trials, _winner)
