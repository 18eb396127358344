"""The run store: every candidate, outcome and raw measurement of a run; the driver alone writes it.

Each finished cohort is written whole, and durable at once while that takes a small share of the time; where cohorts end
faster than the disk keeps up, within a fifth of a second. Fitness is not stored: it is computed from the measurements,
so that an old run can be scored anew.
"""

import hashlib
import json
import math
import re
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from symloss.errors import RunError, shortened
from symloss.language.candidate import MEASURED, TRAINED, Candidate, Measurement, Outcome, State
from symloss.language.formula import Canonical
from symloss.running.reached import Reached
from symloss.running.storage import recollection
from symloss.running.storage.forms import FACTS, fits
from symloss.running.storage.recollection import Standings, readings_of, row_of, span_of, standings_of, told_of
from symloss.running.storage.storefile import create_file, guarded, has_table, open_file, read_file
from symloss.running.storage.storeguard import check_rows, large_values
from symloss.searching.told import Told

TOGETHER = 0.2  # seconds that an outcome may wait for others, to be durable with them: a disk may take 10 ms
SHARE = 0.05  # of a store's time that may go into that before outcomes wait at all

# What a run's result is: everything but timings and the machine.
_RESULT = (
    "SELECT * FROM candidates ORDER BY number",
    "SELECT candidate, state, reason, twin FROM outcomes ORDER BY candidate",
    "SELECT * FROM measurements ORDER BY candidate, step, learning_rate, seed, metric",
    "SELECT number, candidates FROM batches ORDER BY number",
    "SELECT job, part, formula, state, reason FROM trials ORDER BY job",
    "SELECT * FROM trial_measurements ORDER BY job, step, learning_rate, seed, metric",
    "SELECT * FROM trial_outputs ORDER BY job, seed",
)


class Facts(dict[str, Any]):
    """Facts about a run by name; one that is missing is damage, not a slip."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        super().__init__(facts)
        self._path = path
        for name, value in facts.items():
            if name in FACTS and not fits(value, FACTS[name]):
                raise RunError(f"{path} is damaged: the fact '{name}' is {str(value)[:100]!r}.")

    def __missing__(self, name: str) -> Any:
        raise RunError(f"{self._path} is damaged: it lacks the fact '{name}' about its run.")


@dataclass(frozen=True)
class StoredCandidate:
    """A candidate as the store holds it; `formula` is its canonical text, None where nobody has read it."""

    number: int
    batch: int
    text: str
    formula: str | None
    key: str | None
    complexity: int | None
    fault: str
    parents: tuple[int, ...]
    variation: str
    seed: int


@dataclass(frozen=True)
class StoredBatch:
    """A batch that the search was told about.

    Args:
        candidates: how many it asked for.
        best: highest fitness so far; None while nothing was scored.
        seconds: it took.
    """

    number: int
    candidates: int
    best: float | None
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One training job of the finals.

    Args:
        job: names everything that decides its result, so that it is not trained again.
        part: `valid` or `test`, what was measured.
        formula: text.
        outcome: with the job's own numbering; raw measurements.
        outputs: training seed -> the model's outputs on the test part, float32, `(examples, outputs)`.
    """

    job: str
    part: str
    formula: str
    outcome: Outcome
    outputs: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)


class RunStore:
    """One run's record; a context manager that closes it.

    Get it from `create`, `open` (the driver) or `read` (everybody else).

    Raises:
        RunError: from every method, when the file is missing, damaged, full, another program's or a newer symloss's.

    Example:
        >>> with RunStore.read(Path("runs/mine/run.sqlite")) as store:
        ...     store.counts()
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._closed = False
        with guarded(path):
            self._keeps_told = has_table(connection, "told")
        self._kept = -math.inf  # when the last transaction became durable
        self._opened, self._spent = time.monotonic(), 0.0  # since when, and seconds that this took so far

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, Any]) -> Self:
        """Make a new run store with facts about the run; there must be no such file."""
        store = cls(path, create_file(path))
        store.write_meta(meta)
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run store to go on writing; the driver holds its directory's lock."""
        return cls(path, open_file(path))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open a run store for reading, also while its driver is writing."""
        return cls(path, read_file(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written last is kept."""
        if self._closed:
            return
        self._closed = True
        try:
            with guarded(self.path):
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
        finally:
            self._connection.close()

    # What the driver writes.

    def write_meta(self, values: Mapping[str, Any]) -> None:
        """Keep facts about the run, plain JSON under names."""
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", _meta_rows(values))

    def write_batch(
        self, batch: int, candidates: Sequence[Candidate], outcomes: Iterable[Outcome], together: bool = False
    ) -> None:
        """Keep an asked batch with the outcomes that screening gave; what is there already stays.

        Formulas come later, with the outcomes of whoever has read them.

        Args:
            together: whether it may become durable a moment later, with what is written then.

        Raises:
            RunError: a candidate differs from the stored one of its number, so this is not the search that wrote it.
        """
        if not candidates:
            return
        rows = [_candidate_row(batch, candidate) for candidate in candidates]
        bounds = (candidates[0].number, candidates[-1].number)
        known = {row[0]: row for row in self._rows(f"SELECT {_PROPOSED} FROM candidates {_BETWEEN}", bounds)}
        for row in rows if known else ():
            if known.get(row[0], row) != row:
                raise RunError(
                    f"{self.path}: candidate {row[0]} is '{known[row[0]][2]}' in the store, and the search proposes "
                    f"'{row[2]}' now. The run was written by another version of symloss, or its files were changed."
                )
        stored = self.outcomes(*bounds) if known else {}
        with self._transaction(together) as connection:
            new = [row for row in rows if row[0] not in known]
            connection.executemany(f"INSERT INTO candidates ({_PROPOSED}) VALUES (?, ?, ?, ?, ?, ?, ?)", new)
            _insert_outcomes(connection, [each for each in outcomes if each.candidate not in stored])

    def write_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Keep one cohort's outcomes, all or none."""
        with self._transaction(together=True) as connection:
            _insert_outcomes(connection, list(outcomes))

    def settle(self) -> None:
        """Make what still waits durable, if it is time: called often by a driver that has nothing to write."""
        if self._connection.in_transaction and self._due():
            with guarded(self.path):
                self._commit()

    def write_told(
        self, batch: StoredBatch, told: Sequence[Told] = (), meta: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """Keep that the search was told a batch, what it learnt, and facts; a batch that was told before stays."""
        row = (batch.number, batch.candidates, batch.best, batch.seconds)
        with self._transaction(together=True) as connection, large_values(connection):
            if 0 < len(told) <= recollection.MOST:
                connection.execute(recollection.INSERT, row_of(batch.number, told))
                connection.executemany(_READ, readings_of(told))
            connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, ?, ?)", row)
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", _meta_rows(meta))

    def write_trial(self, trial: Trial) -> None:
        """Keep one job of the finals; an older one of the same name is replaced."""
        outcome = trial.outcome
        row = (trial.job, trial.part, trial.formula, outcome.state.value, outcome.reason, outcome.seconds)
        blobs = [
            (trial.job, seed, " ".join(map(str, outputs.shape)), np.ascontiguousarray(outputs, "<f4").tobytes())
            for seed, outputs in trial.outputs.items()
        ]
        with self._transaction() as connection, large_values(connection):
            _delete_trials(connection, [trial.job])
            connection.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", row)
            measured = _measurement_rows(trial.job, outcome.measurements)
            connection.executemany("INSERT INTO trial_measurements VALUES (?, ?, ?, ?, ?, ?)", measured)
            connection.executemany("INSERT INTO trial_outputs VALUES (?, ?, ?, ?)", blobs)

    def keep_trials(self, jobs: Collection[str]) -> None:
        """Forget the trials of earlier finals, all but the named ones."""
        with self._transaction() as connection:
            known = [row[0] for row in connection.execute("SELECT job FROM trials").fetchall()]
            _delete_trials(connection, [job for job in known if job not in jobs])

    # What anybody reads.

    def meta(self) -> Facts:
        """Return the facts about the run."""
        rows = self._rows("SELECT key, value FROM meta")
        return Facts(self.path, {key: _json(value, self.path) for key, value in rows})

    def candidates(self, first: int = 0, last: int | None = None) -> Iterator[StoredCandidate]:
        """Walk through the candidates by number."""
        return self._candidates("BETWEEN ? AND ?", (first, _end(last)))

    def outcomes(self, first: int = 0, last: int | None = None) -> dict[int, Outcome]:
        """Return candidate number -> outcome with its measurements."""
        return self._outcomes("BETWEEN ? AND ?", (first, _end(last)))

    def some(self, numbers: Sequence[int]) -> Iterator[tuple[StoredCandidate, Outcome | None]]:
        """Walk through some candidates by number, and their outcomes; None where one is still in training."""
        for part in batched(sorted(numbers)):
            among = _among(part)
            outcomes = self._outcomes(among, part)
            for candidate in self._candidates(among, part):
                yield candidate, outcomes.get(candidate.number)

    def trials(self) -> dict[str, Trial]:
        """Return job -> trial, all that the finals have trained."""
        self._check("trials", "trial_measurements")
        rows = self._rows("SELECT * FROM trial_measurements ORDER BY job, step, learning_rate, seed, metric")
        measured = {job: _measurements(own) for job, own in groupby(rows, key=lambda row: row[0])}
        outputs: dict[str, dict[int, NDArray[np.float32]]] = {}
        with large_values(self._connection):
            for job, seed, shape, blob in self._rows("SELECT job, seed, shape, outputs FROM trial_outputs"):
                outputs.setdefault(job, {})[seed] = _array(blob, shape, self.path)
        return {
            job: Trial(job, part, formula, self._outcome((0, *end), measured.get(job, ())), outputs.get(job, {}))
            for job, part, formula, *end in self._rows(
                "SELECT job, part, formula, state, reason, NULL, seconds FROM trials ORDER BY job"
            )
        }

    def tested(self) -> Iterator[tuple[str, Outcome]]:
        """Walk through the finals' trainings on the test set: formula text and outcome, without the outputs."""
        self._check("trials", "trial_measurements")
        rows = self._rows("SELECT * FROM trial_measurements ORDER BY job, step, learning_rate, seed, metric")
        measured = {job: _measurements(own) for job, own in groupby(rows, key=lambda row: row[0])}
        ends = "SELECT job, formula, state, reason, NULL, seconds FROM trials WHERE part = 'test' ORDER BY job"
        for job, formula, *end in self._rows(ends):
            yield formula, self._outcome((0, *end), measured.get(job, ()))

    def width(self) -> int | None:
        """Return how many outputs the base model has, as the finals saw it; None before they tested anything."""
        shapes = [str(row[0]).split() for row in self._rows("SELECT DISTINCT shape FROM trial_outputs")]
        widths = {int(shape[-1]) for shape in shapes if len(shape) > 1 and shape[-1].isdigit()}
        return max(widths, default=None)

    def counts(self) -> dict[State, int]:
        """Return how many candidates ended in each state."""
        sums = ", ".join(
            f"SUM(state = '{state.value}')" for state in sorted(State)
        )  # one look at each, without sorting them
        found = zip(sorted(State), next(self._rows(f"SELECT {sums} FROM outcomes")), strict=True)
        return {state: count for state, count in found if count}

    def issued(self) -> int:
        """Return how many candidates the search has issued."""
        return int(next(self._rows("SELECT COUNT(*) FROM candidates"))[0])

    def reasons(self) -> dict[State, tuple[str, int]]:
        """Return each failed state's commonest reason, and how many ended for it."""
        rows = self._rows(
            "SELECT state, reason, COUNT(*) AS times FROM outcomes WHERE state NOT IN ('scored', 'duplicate') "
            "GROUP BY state, reason ORDER BY times, reason DESC"
        )
        return {State(state): (reason, times) for state, reason, times in rows if state in set(State)}

    def evaluations(self) -> int:
        """Return how many distinct candidates were trained."""
        counts = self.counts()
        return sum(counts.get(state, 0) for state in TRAINED)

    def endings(self) -> list[tuple[str, str, int]]:
        """Return state, reason and number of those that a free test ended, the commonest first; twins are one kind."""
        rows = self._rows(
            "SELECT state, reason, COUNT(*) AS times FROM outcomes WHERE state = 'rejected' GROUP BY reason UNION ALL "
            "SELECT state, MIN(reason), COUNT(*) FROM outcomes WHERE state = 'duplicate' GROUP BY state "
            "ORDER BY times DESC, state, reason"
        )
        return list(rows)

    def seconds(self) -> float:
        """Return the mean training time of those that were trained; 0 when none was."""
        states = ", ".join(f"'{state.value}'" for state in TRAINED)
        (mean,) = next(self._rows(f"SELECT AVG(seconds) FROM outcomes WHERE state IN ({states})"))
        return float(mean or 0.0)

    def reached(self) -> Reached:
        """Return how far trainings were measured, as of the last told batch; diverged ones are unknown."""
        if (kept := self.meta().get("reached")) is not None:
            return Reached.of_fact(kept, self.path)
        self._check("measurements")
        last = (
            "SELECT last, COUNT(*) FROM (SELECT MAX(step) AS last FROM measurements GROUP BY {}) GROUP BY last "
            "ORDER BY last"
        )
        trainings, candidates = (
            dict(self._rows(last.format(columns))) for columns in ("candidate, learning_rate, seed", "candidate")
        )
        return Reached(trainings, candidates)

    def formulas(self, numbers: Sequence[int]) -> dict[int, Canonical]:
        """Return candidate number -> its formula, of those whose formula was read."""
        found: dict[int, Canonical] = {}
        for part in batched(numbers):
            query = f"SELECT number, formula, key, complexity FROM candidates WHERE number {_among(part)}"
            rows = self._rows(f"{query} AND formula IS NOT NULL", part)
            found |= {number: self._canonical(*read) for number, *read in rows}
        return found

    def parents(self, numbers: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the parents of some candidates, in the order of the candidates' numbers."""
        found: list[tuple[int, ...]] = []
        for part in batched(numbers):
            rows = self._rows(f"SELECT parents FROM candidates WHERE number {_among(part)} ORDER BY number", part)
            found += [tuple(int(each) for each in str(row[0]).split() if each.isdecimal()) for row in rows]
        return found

    def with_key(self, key: str) -> list[int]:
        """Return the numbers of the candidates whose formula has this key, increasing."""
        return [row[0] for row in self._rows("SELECT number FROM candidates WHERE key = ? ORDER BY number", (key,))]

    def batches(self) -> list[StoredBatch]:
        """Return the batches that the search was told about, in order."""
        self._check("batches")
        rows = self._rows("SELECT number, candidates, best, seconds FROM batches ORDER BY number")
        return [StoredBatch(*row) for row in rows]

    def told(self, batch: int) -> list[Told] | None:
        """Return what the search was told of a batch; None where nothing is kept, as of one of an older version."""
        with large_values(self._connection):
            row = next(self._rows(recollection.SELECT, (batch,)), None) if self._keeps_told else None
        if row is None:
            return None
        return told_of(row, list(self._rows(recollection.TEXTS, span_of(row, self.path))), self.path)

    def standings(self) -> Standings:
        """Return how all told candidates stand; see `told`."""
        with large_values(self._connection):
            return standings_of(self._rows(recollection.STANDINGS) if self._keeps_told else (), self.path)

    def digest(self) -> str:
        """Return a sha256 over everything but timings and the machine: equal for equal results."""
        result = hashlib.sha256()
        with large_values(self._connection):
            for query in _RESULT:
                result.update(query.encode())
                for row in self._rows(query):
                    result.update(repr(row).encode())
        return result.hexdigest()

    def look(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of one's own, for whoever checks the store as a whole."""
        return list(self._rows(query))

    # The inside.

    def _check(self, *tables: str, where: str = "", values: Sequence[int] = ()) -> None:
        """Look whether what is about to be read is what its columns are for: a stranger may have made the file."""
        for table in tables:
            with guarded(self.path):
                check_rows(self.path, self._connection, table, where, values)

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with guarded(self.path):
            for row in self._connection.execute(query, values):  # noqa: UP028 - would close the cursor after the file
                yield row

    @contextmanager
    def _transaction(self, together: bool = False) -> Iterator[sqlite3.Connection]:
        """Write whole or not at all; `together` with what is written within the same moment it becomes durable."""
        with guarded(self.path):
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("SAVEPOINT part")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK TO part")
                raise
            self._connection.execute("RELEASE part")
            if not together or self._due():
                self._commit()

    def _due(self) -> bool:
        """Whether what waits is made durable now: the disk is quick enough, or it has waited long enough."""
        now = time.monotonic()
        return self._spent <= SHARE * (now - self._opened) or now - self._kept >= TOGETHER

    def _commit(self) -> None:
        began = time.monotonic()
        self._connection.execute("COMMIT")
        self._kept = time.monotonic()
        self._spent += self._kept - began

    def _candidates(self, where: str, values: Sequence[int]) -> Iterator[StoredCandidate]:
        self._check("candidates", where=where, values=values)
        for row in self._rows(f"SELECT * FROM candidates WHERE number {where} ORDER BY number", values):
            try:
                parents = tuple(int(number) for number in row[7].split())
                number, batch, text, formula, key, complexity, fault = row[:7]
                yield StoredCandidate(
                    number, batch, text, formula, key, complexity, fault, parents, variation=row[8], seed=int(row[9])
                )
            except (ValueError, AttributeError) as error:
                raise RunError(f"{self.path} is damaged: candidate {row[0]} cannot be read ({error}).") from error

    def _outcomes(self, where: str, values: Sequence[int]) -> dict[int, Outcome]:
        self._check("candidates", "outcomes", "measurements", where=where, values=values)
        rows = self._rows(
            "SELECT candidate, step, learning_rate, seed, metric, value FROM measurements "
            f"WHERE candidate {where} ORDER BY candidate, step, learning_rate, seed, metric", values,
        )  # fmt: skip
        measured = {number: _measurements(own) for number, own in groupby(rows, key=lambda row: row[0])}
        ends = self._rows(
            "SELECT candidate, state, reason, twin, seconds, formula, key, complexity FROM outcomes "
            f"JOIN candidates ON number = candidate WHERE candidate {where}", values,
        )  # fmt: skip
        return {row[0]: self._outcome(row, measured.get(row[0], ())) for row in ends}

    def _outcome(self, row: tuple[Any, ...], measurements: tuple[Measurement, ...]) -> Outcome:
        number, state, reason, twin, seconds, *read = row
        scored, doubled = state == State.SCORED, state == State.DUPLICATE
        if state not in set(State) or (state in MEASURED) != bool(measurements) or scored == bool(reason):
            raise RunError(
                f"{self.path} is damaged: the outcome of candidate {number} does not fit its state "
                f"'{shortened(str(state))}'."
            )
        if not (isinstance(twin, int) and 0 <= twin < number if doubled else twin is None):
            raise RunError(
                f"{self.path} is damaged: candidate {number} is {state}, and its twin is {shortened(repr(twin))}; "
                "a duplicate, and nothing else, has an earlier candidate for a twin."
            )
        formula = self._canonical(*read) if read and read[0] is not None else None
        return Outcome(number, State(state), reason, twin, measurements, seconds, formula)

    def _canonical(self, text: Any, key: Any, complexity: Any) -> Canonical:
        sound = isinstance(text, str) and isinstance(complexity, int) and re.fullmatch("[0-9a-f]{16}", str(key))
        if not sound:
            raise RunError(
                f"{self.path} is damaged: a formula's text, key and complexity are "
                f"{shortened(repr((text, key, complexity)))}."
            )
        return Canonical(key, text, complexity)


def batched(numbers: Sequence[int], most: int = 500) -> Iterator[Sequence[int]]:
    """Cut numbers into parts of a size that one query takes."""
    return (numbers[start : start + most] for start in range(0, len(numbers), most))


def _among(numbers: Sequence[int]) -> str:
    return f"IN ({', '.join('?' * len(numbers))})"


_PROPOSED = "number, batch, text, fault, parents, variation, seed"  # of a candidate, by the search
_READ = "UPDATE candidates SET formula = ?, key = ?, complexity = ? WHERE number = ?"
_BETWEEN = "WHERE number BETWEEN ? AND ? ORDER BY number"


def _candidate_row(batch: int, candidate: Candidate) -> tuple[Any, ...]:
    parents = " ".join(str(number) for number in candidate.parents)
    # A seed may exceed SQLite's 64 bits, so it is kept as text.
    return (candidate.number, batch, candidate.text, "", parents, candidate.variation, str(candidate.seed))


def _meta_rows(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, json.dumps(value, sort_keys=True)) for key, value in values.items()]


def _insert_outcomes(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    ends = [(each.candidate, each.state.value, each.reason, each.twin, each.seconds) for each in outcomes]
    measured = [row for each in outcomes for row in _measurement_rows(each.candidate, each.measurements)]
    read = [(f.text, f.key, f.complexity, each.candidate) for each in outcomes if (f := each.formula) is not None]
    connection.executemany(_READ, read)
    connection.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?)", ends)
    connection.executemany("INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?)", measured)


def _delete_trials(connection: sqlite3.Connection, jobs: Sequence[str]) -> None:
    for table in ("trial_outputs", "trial_measurements", "trials"):
        connection.executemany(f"DELETE FROM {table} WHERE job = ?", [(job,) for job in jobs])


def _measurement_rows(owner: int | str, measurements: Iterable[Measurement]) -> Iterator[tuple[Any, ...]]:
    for each in measurements:
        for metric, value in each.values.items():
            yield owner, each.step, each.learning_rate, each.seed, metric, None if math.isnan(value) else value


def _measurements(rows: Iterable[tuple[Any, ...]]) -> tuple[Measurement, ...]:
    # SQLite holds no NaN: it is stored as NULL.
    groups = groupby(rows, key=lambda row: (row[1], row[2], row[3]))
    return tuple(
        Measurement(step, rate, seed, {row[4]: math.nan if row[5] is None else row[5] for row in own})
        for (step, rate, seed), own in groups
    )


def _array(blob: bytes, shape: str, path: Path) -> NDArray[np.float32]:
    try:
        sides = [int(side) for side in shape.split()]
        if min(sides, default=0) < 1:  # numpy would work -1 out
            raise ValueError(f"a shape of {shortened(shape)}")
        return np.frombuffer(blob, "<f4").reshape(sides)
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: outputs of the finals cannot be read ({error}).") from error


def _json(text: str, path: Path) -> Any:
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():  # half of a sign, which no file and no terminal can be told
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.") from error


def _end(last: int | None) -> int:
    return 2**62 if last is None else last
