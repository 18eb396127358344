"""Runs in a tracker: one tracker run per search, with its experiment, its progress, its finds and its verdict.

A tracker never ends a run: at its first failure it is left out from there on, and a warning says so.
"""

from __future__ import annotations

import csv
import importlib
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from symloss.adapters.extras import MissingLibraryError
from symloss.errors import ExperimentError, unknown
from symloss.language.candidate import State
from symloss.language.files import read_bounded, write_whole
from symloss.running.config import Experiment, experiment_toml
from symloss.running.observer import Audience, Observer, Progress, Silent
from symloss.running.storage.rundir import RunDirectory
from symloss.settings import read_toml
from symloss.telling.summary import summarise_run

NOTES = "tracking.json"  # in the run's directory: which tracker runs it has, and how far they are
_BOUND = 64 * 1024  # bytes of the notes

Warn = Callable[[str], Any]


@dataclass(frozen=True)
class Entry:
    """Where a run goes on in a tracker.

    Args:
        key: of the tracker's run.
        generation: the last one that it knows.
    """

    key: str
    generation: int = 0


class Logbook(Protocol):
    """One run in one tracker."""

    def open(self, run: Path, experiment: Experiment, key: str | None) -> str:
        """Begin a run, or go on with the one of this key; return its key."""

    def log_parameters(self, parameters: Mapping[str, str]) -> None:
        """Keep what the run was asked for."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep numbers at a step."""

    def log_text(self, name: str, text: str) -> None:
        """Keep a text under a file's name."""

    def log_file(self, path: Path) -> None:
        """Keep a file of the run's directory."""

    def log_verdict(self, sentence: str) -> None:
        """Keep what the finals came to."""

    def close(self, ended: str) -> None:
        """End the session: `finished`, `interrupted` or `failed`."""


@dataclass(frozen=True)
class Tracker:
    """A tracker that runs can be kept in.

    Args:
        about: one line for people.
        home: `module:class` of its logbook, imported when it is used.
    """

    about: str
    home: str

    def logbook(self) -> Logbook:
        """Make a logbook.

        Raises:
            MissingLibraryError: its library is not installed.
        """
        module, name = self.home.split(":")
        made: Logbook = getattr(importlib.import_module(module), name)()
        return made


TRACKERS: dict[str, Tracker] = {
    "mlflow": Tracker("a run in MLflow, where MLFLOW_TRACKING_URI leads", "symloss.adapters.mlflow:MlflowLogbook"),
    "tensorboard": Tracker(
        "event files in the run's directory, for `tensorboard --logdir runs`",
        "symloss.adapters.tensorboard:TensorboardLogbook",
    ),
}


@contextmanager
def track(
    *names: str, run: str | Path | None = None, beside: Observer | None = None, warn: Warn = warnings.warn
) -> Iterator[Observer]:
    """Keep the runs of a block in trackers.

    Args:
        names: of TRACKERS.
        run: a directory that is to be resumed: it goes on in the trackers that it has been kept in, too.
        beside: another observer to tell.
        warn: takes the one line that says why a tracker was left out.

    Returns:
        The observer to give to `symloss.search` or `symloss.resume`.

    Raises:
        ExperimentError: a tracker is unknown.
        MissingLibraryError: its library is not installed.

    Example:
        >>> with track("tensorboard") as observer:
        ...     symloss.search("noisy_digits", observer=observer)
    """
    for name in names:
        if name not in TRACKERS:
            raise ExperimentError(unknown("--track", "tracker", name, TRACKERS))
    logbooks = {name: TRACKERS[name].logbook() for name in names} | _resumed(run, names, warn)
    with ExitStack() as stack:
        observers = [stack.enter_context(Tracked(name, logbook, warn)) for name, logbook in logbooks.items()]
        yield Audience(*observers, *([beside] if beside else []))


def _resumed(run: str | Path | None, names: Sequence[str], warn: Warn) -> dict[str, Logbook]:
    """Return the logbooks that a run has been kept in, but for the named ones; one without its library is left out."""
    logbooks: dict[str, Logbook] = {}
    known = [] if run is None else [name for name in read_notes(Path(run)) if name in TRACKERS and name not in names]
    for name in known:
        try:
            logbooks[name] = TRACKERS[name].logbook()
        except MissingLibraryError as error:
            warn(f"the run has been kept in {name} and does not go on there: {error}")
    return logbooks


class Tracked(Silent):
    """Tells one tracker of a run; a context manager that ends the tracker's session.

    Args:
        name: of the tracker.
        logbook: keeps what is told.
        warn: takes one line.
    """

    def __init__(self, name: str, logbook: Logbook, warn: Warn) -> None:
        self._name, self._logbook, self._warn = name, logbook, warn
        self._directory: Path | None = None
        self._entry = Entry("")
        self._finished = self._failed = False

    def __enter__(self) -> Tracked:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        stopped = kind is None or issubclass(kind, SystemExit | KeyboardInterrupt)
        ended = "failed" if not stopped else "finished" if self._finished else "interrupted"
        if self._directory is not None:
            self._try(lambda: self._logbook.close(ended))

    def started(self, directory: Path, experiment: Experiment, resumed: bool) -> None:
        """Begin the tracker's run, or go on with it."""
        self._try(lambda: self._begin(directory, experiment))

    def batch_done(self, progress: Progress) -> None:
        """Log how far the search is, once for each generation, also where a resume tells it again."""
        if progress.generation > self._entry.generation:
            self._try(lambda: self._log_progress(progress))

    def search_done(self, progress: Progress, reason: str) -> None:
        """Log what the search found."""
        self._try(lambda: self._log_found(reason))

    def finals_done(self, sentence: str) -> None:
        """Log the verdict, its numbers, and the winner's loss file."""
        self._try(lambda: self._log_finals(sentence))

    def _begin(self, directory: Path, experiment: Experiment) -> None:
        known = read_notes(directory).get(self._name)
        key = self._logbook.open(directory, experiment, known.key if known else None)
        self._entry = known if known is not None and known.key == key else Entry(key)
        self._directory = directory
        write_note(directory, self._name, self._entry)
        self._logbook.log_parameters(parameters(experiment))
        for path in (RunDirectory(directory).experiment, RunDirectory(directory).grammar):
            self._logbook.log_file(path)

    def _log_progress(self, progress: Progress) -> None:
        assert self._directory is not None
        self._logbook.log_metrics(progress_metrics(progress), progress.evaluated)
        self._entry = replace(self._entry, generation=progress.generation)
        write_note(self._directory, self._name, self._entry)

    def _log_found(self, reason: str) -> None:
        assert self._directory is not None
        summary = summarise_run(self._directory)
        self._logbook.log_text("front.csv", table_csv(summary["front"]))
        self._logbook.log_text("ended.txt", reason)

    def _log_finals(self, sentence: str) -> None:
        assert self._directory is not None
        run, summary = RunDirectory(self._directory), summarise_run(self._directory)
        self._logbook.log_verdict(sentence)
        self._logbook.log_metrics(finals_metrics(summary["finals"] or {}), summary["evaluated"])
        for path in (run.winner, run.path / "report.html"):
            if path.is_file():
                self._logbook.log_file(path)
        self._finished = True

    def _try(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:  # whatever a tracker's library raises, the run goes on
            self._failed = True
            said = " ".join(str(error).split())[:500]
            self._warn(
                f"the tracker {self._name} failed and is left out from here on, the run goes on: "
                f"{type(error).__name__}: {said}"
            )


def parameters(experiment: Experiment) -> dict[str, str]:
    """Return an experiment as flat texts, `budget.steps` -> `300`; paths of this machine are left out."""
    table = read_toml(experiment_toml(experiment), "experiment")
    table["grammar"] = Path(table["grammar"]).name
    table["task"].pop("folder", None)
    return dict(_flat(table))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def progress_metrics(progress: Progress) -> dict[str, float]:
    """Return what there is to log of a progress: best fitness, counts by state, times."""
    counts = {state.value: float(progress.counts.get(state, 0)) for state in State}
    metrics = {"trained": float(progress.evaluated), "candidates": float(progress.candidates)} | counts
    metrics |= {"generation": float(progress.generation), "seconds": progress.seconds, "rate": progress.rate}
    return metrics if progress.fitness is None else metrics | {"best_fitness": progress.fitness}


def finals_metrics(finals: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of the finals: the winner's on the test set, and its advantage over each baseline."""
    numbers: dict[str, Any] = {}
    for row in finals.get("rows", []):
        if finals.get("winner") is not None and row.get("formula") == finals["winner"] and row.get("test"):
            numbers |= {"final.validation": row.get("validation"), "final.learning_rate": row.get("learning_rate")}
            numbers |= {f"final.test_{name}": value[0] for name, value in row["test"].items()}
    for verdict in finals.get("verdicts", []):
        interval = verdict.get("interval") or {}
        for name, key in (("advantage", "difference"), ("advantage_low", "low"), ("advantage_high", "high")):
            numbers[f"final.{verdict['metric']}_{name}_over_{verdict['baseline']}"] = interval.get(key)
    return {name: float(value) for name, value in numbers.items() if _is_finite(value)}


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def table_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV, with a header."""
    if not rows:
        return ""
    text = StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_notes(directory: Path) -> dict[str, Entry]:
    """Return the trackers that a run has been kept in; what cannot be read counts for nothing."""
    try:
        table = json.loads(read_bounded(directory / NOTES, _BOUND, "a run's notes", links=False))
        return {str(name): Entry(str(entry["key"]), int(entry["generation"])) for name, entry in table.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def write_note(directory: Path, name: str, entry: Entry) -> None:
    """Keep where a run goes on in a tracker.

    Raises:
        RunError: it cannot be written.
    """
    notes = read_notes(directory) | {name: entry}
    table = {key: {"key": each.key, "generation": each.generation} for key, each in notes.items()}
    write_whole(directory / NOTES, json.dumps(table, indent=2) + "\n")
