"""A run as tables: candidates, outcomes, lineage, measurements and finals, as pandas, Arrow, CSV or Parquet.

The tables are plain columns first, read from the run store; pandas and pyarrow are imported when they are asked for.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from symloss.errors import ExperimentError, unknown
from symloss.language.candidate import Outcome
from symloss.language.files import write_whole
from symloss.running.proof.trials import POLISH
from symloss.running.storage.rundir import find_run
from symloss.running.storage.store import RunStore, StoredCandidate
from symloss.searching.fitness import FAILED, Judge

Kind = Literal["whole", "real", "text"]
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class RunTables:
    """A run's tables, all as pandas data frames or all as Arrow tables; they join on `candidate`.

    Args:
        candidates: what was proposed: candidate, batch, variation, formula, key, complexity, tree, fault, seed.
        outcomes: how each ended: candidate, state, reason, twin, seconds, fitness in the metric's own units, and the
            learning_rate at which it was reached.
        lineage: a row for each parent of each candidate: candidate, parent, place (0 for the first), variation.
        measurements: raw, a row for each number: candidate, step, learning_rate, seed, metric, value.
        finals: the same of the finals' trainings: formula, part (`valid` or `test`), step, learning_rate, seed, metric,
            value.
        run: candidates and outcomes joined, with the parents' numbers in one text.
    """

    candidates: Any
    outcomes: Any
    lineage: Any
    measurements: Any
    finals: Any
    run: Any


@dataclass(frozen=True)
class _Reading:
    """What was read from a store."""

    candidates: list[StoredCandidate]
    outcomes: Mapping[int, Outcome]
    judge: Judge
    trials: list[tuple[str, str, Outcome]]

    def fitness(self, outcome: Outcome | None) -> float | None:
        score = FAILED if outcome is None else self.judge.fitness(outcome)
        return None if score == FAILED else score if self.judge.maximise else -score


@dataclass(frozen=True)
class Table:
    """One of a run's tables.

    Args:
        columns: name -> kind of its values; any may be missing.
        rows: reading -> rows, in the order of the columns.
    """

    columns: Mapping[str, Kind]
    rows: Callable[[_Reading], Iterable[Sequence[Any]]]


def _candidates(reading: _Reading) -> Iterator[Sequence[Any]]:
    for each in reading.candidates:
        facts = (each.formula, each.key, each.complexity, each.text, each.fault, str(each.seed))
        yield each.number, each.batch, each.variation, *facts


def _ending(number: int, reading: _Reading) -> Sequence[Any]:
    outcome = reading.outcomes.get(number)
    if outcome is None:
        return None, None, None, None, None, None
    rate = reading.judge.best_learning_rate(outcome)
    return outcome.state.value, outcome.reason, outcome.twin, outcome.seconds, reading.fitness(outcome), rate


def _outcomes(reading: _Reading) -> Iterator[Sequence[Any]]:
    for number in sorted(reading.outcomes):
        yield number, *_ending(number, reading)


def _lineage(reading: _Reading) -> Iterator[Sequence[Any]]:
    for each in reading.candidates:
        for place, parent in enumerate(each.parents):
            yield each.number, parent, place, each.variation


def _measurements(reading: _Reading) -> Iterator[Sequence[Any]]:
    for number in sorted(reading.outcomes):
        yield from ((number, *row) for row in _numbers(reading.outcomes[number]))


def _finals(reading: _Reading) -> Iterator[Sequence[Any]]:
    for formula, part, outcome in reading.trials:
        yield from ((formula, part, *row) for row in _numbers(outcome))


def _numbers(outcome: Outcome) -> Iterator[Sequence[Any]]:
    for each in outcome.measurements:
        for metric, value in each.values.items():
            yield each.step, each.learning_rate, each.seed, metric, value


def _run(reading: _Reading) -> Iterator[Sequence[Any]]:
    for row, each in zip(_candidates(reading), reading.candidates, strict=True):
        yield (*row, " ".join(map(str, each.parents)), *_ending(each.number, reading))


_PROPOSED: dict[str, Kind] = {
    "candidate": "whole", "batch": "whole", "variation": "text", "formula": "text", "key": "text",
    "complexity": "whole", "tree": "text", "fault": "text", "seed": "text",
}  # fmt: skip
_ENDED: dict[str, Kind] = {
    "state": "text", "reason": "text", "twin": "whole", "seconds": "real", "fitness": "real", "learning_rate": "real",
}  # fmt: skip
_MEASURED: dict[str, Kind] = {
    "step": "whole", "learning_rate": "real", "seed": "whole", "metric": "text", "value": "real",
}  # fmt: skip

TABLES: dict[str, Table] = {
    "run": Table({**_PROPOSED, "parents": "text", **_ENDED}, _run),
    "candidates": Table(_PROPOSED, _candidates),
    "outcomes": Table({"candidate": "whole", **_ENDED}, _outcomes),
    "lineage": Table({"candidate": "whole", "parent": "whole", "place": "whole", "variation": "text"}, _lineage),
    "measurements": Table({"candidate": "whole", **_MEASURED}, _measurements),
    "finals": Table({"formula": "text", "part": "text", **_MEASURED}, _finals),
}


def read_run(run: str | Path, to: str = "pandas") -> RunTables:
    """Read a run as tables, also while it is running.

    Args:
        run: its directory.
        to: `pandas` for data frames, `arrow` for Arrow tables.

    Raises:
        RunError: there is no run, or its store is damaged.
        ExperimentError: `to` is something else, or its library is not installed.

    Example:
        >>> tables = symloss.read_run("runs/mine")
        >>> tables.run.sort_values("fitness", ascending=False)[["formula", "fitness"]]
    """
    if to not in MAKERS:
        raise ExperimentError(unknown("read_run(to=...)", "kind of table", to, MAKERS))
    make = MAKERS[to]()
    read = _read(run)
    return RunTables(**{name: make(columns_of(table, read), table.columns) for name, table in TABLES.items()})


def table_columns(run: str | Path, name: str) -> Columns:
    """Return one of a run's tables as plain columns.

    Args:
        name: in TABLES.
    """
    return columns_of(TABLES[name], _read(run))


def columns_of(table: Table, reading: _Reading) -> Columns:
    """Return a table's columns from what was read; what is missing or not a number is None."""
    rows = [[_known(value) for value in row] for row in table.rows(reading)]
    return {name: [row[place] for row in rows] for place, name in enumerate(table.columns)}


def to_csv(columns: Columns) -> str:
    """Write columns as CSV (RFC 4180), numbers to the last bit."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def to_parquet(columns: Columns, name: str) -> bytes:
    """Write one of a run's tables as a Parquet file.

    Raises:
        ExperimentError: pyarrow is not installed.
    """
    table = _arrow_maker()(columns, TABLES[name].columns)
    from pyarrow import BufferOutputStream, parquet

    sink = BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def _read(path: str | Path) -> _Reading:
    with RunStore.read(find_run(path).store) as store:
        meta = store.meta()
        judge = Judge(meta["metric"], meta["maximise"])
        tried = (each for each in store.trials().values() if each.part != POLISH)
        trials = [(each.formula, each.part, each.outcome) for each in tried]
        return _Reading(list(store.candidates()), store.outcomes(), judge, trials)


def _known(value: Any) -> Any:
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _pandas_maker() -> Callable[[Columns, Mapping[str, Kind]], Any]:
    try:
        import pandas
    except ImportError as error:
        raise ExperimentError("this needs pandas; install it with: pip install 'symloss[tables]'") from error
    kinds: dict[Kind, Any] = {"whole": "Int64", "real": "float64", "text": "string"}

    def make(columns: Columns, types: Mapping[str, Kind]) -> Any:
        return pandas.DataFrame({name: pandas.Series(columns[name], dtype=kinds[types[name]]) for name in types})

    return make


def _arrow_maker() -> Callable[[Columns, Mapping[str, Kind]], Any]:
    try:
        import pyarrow
    except ImportError as error:
        raise ExperimentError("this needs pyarrow; install it with: pip install 'symloss[tables]'") from error
    kinds: dict[Kind, Any] = {"whole": pyarrow.int64(), "real": pyarrow.float64(), "text": pyarrow.string()}

    def make(columns: Columns, types: Mapping[str, Kind]) -> Any:
        return pyarrow.table({name: pyarrow.array(columns[name], kinds[types[name]]) for name in types})

    return make


MAKERS = {"pandas": _pandas_maker, "arrow": _arrow_maker}


def write_table(run: str | Path, name: str, kind: str, output: Path) -> int:
    """Write one of a run's tables into a file.

    Args:
        name: in TABLES.
        kind: `csv` or `parquet`.

    Returns:
        The number of rows.

    Raises:
        RunError: there is no run, or the file cannot be written.
        ExperimentError: Parquet is asked for, and pyarrow is not installed.
    """
    columns = table_columns(run, name)
    data = to_csv(columns).encode() if kind == "csv" else to_parquet(columns, name)
    write_whole(output, data)
    return len(next(iter(columns.values())))
