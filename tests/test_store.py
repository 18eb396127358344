"""The run store: what is written reads back, a crash loses nothing that was finished, damage is said in words."""

import math
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import RunError
from symloss.language.candidate import Candidate, Measurement, Outcome, State
from symloss.language.formula import parse
from symloss.language.probing import Finding
from symloss.running.reached import Reached
from symloss.running.storage.store import RunStore, StoredBatch, Trial

FORMULA = parse("-t*log(p)")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every write durable at once, so that a test sees what it wrote."""
    monkeypatch.setattr("symloss.running.storage.store.TOGETHER", 0.0)


def candidate(number: int, **changes: object) -> Candidate:
    facts = {"number": number, "text": f"leaf({number})", "slot": "classification", "finding": Finding(b"0")}
    facts |= {"seed": 2**64 - 1, "parents": (3, 1)}
    return Candidate(**{**facts, **changes})


def scored(number: int, value: float = 0.9, seconds: float = 1.5) -> Outcome:
    values = [(step, rate, seed) for rate in (0.01, 0.001) for seed in (5, 4) for step in (10, 20)]
    measured = tuple(Measurement(*each, {"accuracy": value, "nll": 0.1}) for each in values)
    return Outcome(number, State.SCORED, measurements=measured, seconds=seconds, formula=FORMULA.canonical())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(tmp_path / "run.sqlite", {"seed": 1}) as made:
        yield made


def filled(path: Path) -> Path:
    with RunStore.create(path, {"seed": 1}) as store:
        store.write_batch(0, [candidate(number) for number in range(40)], [])
        store.write_outcomes([scored(number) for number in range(40)])
        store.write_told(StoredBatch(0, 40, 0.9, 2.0))
        store.write_trial(Trial("job", "test", "-t*log(p)", scored(0), {5: np.ones((30, 10), np.float32)}))
    return path


def test_what_is_written_reads_back(store: RunStore) -> None:
    batch = [
        candidate(0),
        candidate(1),
        candidate(2),
        candidate(3, parents=()),
    ]
    rejected = Outcome(1, State.REJECTED, "sqrt of a negative")
    store.write_batch(0, batch, [rejected, Outcome(2, State.DUPLICATE, "same gradient as 0", twin=0)])
    store.write_outcomes([scored(0)])
    store.write_outcomes([Outcome(3, State.TIMED_OUT, "took 120 s", seconds=120.0)])
    store.write_told(StoredBatch(0, 4, 0.9, 3.5))
    rows = list(store.candidates())
    assert [(row.number, row.formula) for row in rows[:3]] == [(0, "-t*log(p)"), (1, None), (2, None)]
    assert (rows[0].key, rows[0].complexity) == (FORMULA.key, FORMULA.complexity)
    assert (rows[0].parents, rows[3].parents, rows[0].seed) == ((3, 1), (), 2**64 - 1)
    outcomes = store.outcomes()
    assert outcomes[1] == rejected
    assert outcomes[2].twin == 0
    assert outcomes[0].formula == FORMULA.canonical()
    assert outcomes[0].seconds == 1.5
    assert sorted(map(repr, outcomes[0].measurements)) == sorted(map(repr, scored(0).measurements))
    assert store.counts() == {State.SCORED: 1, State.REJECTED: 1, State.DUPLICATE: 1, State.TIMED_OUT: 1}
    assert store.evaluations() == 2
    assert store.batches() == [StoredBatch(0, 4, 0.9, 3.5)]
    assert store.meta() == {"seed": 1}


def test_who_was_stopped_reads_back_with_what_was_measured(store: RunStore) -> None:
    early = Outcome(1, State.STOPPED, "below the rung", measurements=tuple(
        Measurement(50, 0.1, seed, {"accuracy": 0.5}) for seed in (0, 1)))  # fmt: skip
    partly = Outcome(2, State.SCORED, measurements=(
        Measurement(50, 0.1, 0, {"accuracy": 0.5}), Measurement(50, 0.2, 0, {"accuracy": 0.7}),
        Measurement(300, 0.2, 0, {"accuracy": 0.9})))  # fmt: skip
    store.write_batch(0, [candidate(number) for number in range(4)], [Outcome(3, State.DIVERGED, "nan")])
    store.write_outcomes([early, partly])
    assert store.outcomes()[1] == early
    assert store.reached() == Reached({50: 3, 300: 1}, {50: 1, 300: 1})
    assert store.evaluations() == 3
    assert store.counts()[State.STOPPED] == 1


def test_a_part_can_be_read(store: RunStore) -> None:
    store.write_batch(0, [candidate(number) for number in range(5)], [])
    store.write_outcomes([scored(number) for number in range(5)])
    assert sorted(store.outcomes(1, 3)) == [1, 2, 3]
    assert [row.number for row in store.candidates(2)] == [2, 3, 4]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 5e-324, 0.1 + 0.2])
def test_every_double_survives(store: RunStore, value: float) -> None:
    store.write_batch(0, [candidate(0)], [scored(0, value)])
    assert str(store.outcomes()[0].measurements[0].values["accuracy"]) == str(value)


def test_trials_read_back_and_are_replaced_and_forgotten(store: RunStore) -> None:
    outputs = {5: np.arange(6, dtype=np.float32).reshape(3, 2), 4: np.zeros((3, 2), np.float32)}
    store.write_trial(Trial("a", "test", "-t*log(p)", scored(0), outputs))
    store.write_trial(Trial("b", "valid", "-t*p", Outcome(0, State.DIVERGED, "not finite")))
    store.write_trial(Trial("b", "valid", "-t*p", Outcome(0, State.CRASHED, "gone")))
    trials = store.trials()
    assert np.array_equal(trials["a"].outputs[5], outputs[5])
    assert len(trials["a"].outcome.measurements) == 8
    assert trials["b"].outcome == Outcome(0, State.CRASHED, "gone")
    store.keep_trials({"b"})
    assert list(store.trials()) == ["b"]


def test_the_digest_is_that_of_the_result_and_not_of_its_timings(tmp_path: Path) -> None:
    digests = []
    for number, (value, seconds) in enumerate([(0.9, 1.0), (0.9, 2.0), (0.9000000001, 1.0)]):
        with RunStore.create(tmp_path / f"{number}.sqlite", {"workers": number}) as store:
            store.write_batch(0, [candidate(0)], [])
            store.write_outcomes([scored(0, value, seconds)])
            store.write_told(StoredBatch(0, 1, value, seconds))
            digests.append(store.digest())
    assert digests[0] == digests[1] != digests[2]


def test_the_order_of_writing_does_not_show(tmp_path: Path) -> None:
    digests = []
    for order in ([0, 1, 2], [2, 0, 1]):
        with RunStore.create(tmp_path / f"{order}.sqlite", {}) as store:
            store.write_batch(0, [candidate(number) for number in range(3)], [])
            for number in order:
                store.write_outcomes([scored(number)])
            digests.append((store.digest(), str(store.outcomes()[2])))
    assert digests[0] == digests[1]


def test_a_batch_is_written_once_and_must_stay_the_same(store: RunStore) -> None:
    store.write_batch(0, [candidate(0), candidate(1)], [Outcome(1, State.REJECTED, "no")])
    store.write_batch(0, [candidate(0), candidate(1)], [Outcome(1, State.REJECTED, "no")])
    store.write_batch(0, [], [])
    with pytest.raises(RunError, match=r"candidate 1 is 'leaf\(1\)' in the store, and the search proposes 'other' now"):
        store.write_batch(0, [candidate(0), candidate(1, text="other")], [])


def test_a_cohort_is_written_whole_or_not_at_all(store: RunStore) -> None:
    store.write_batch(0, [candidate(0), candidate(1)], [])
    with pytest.raises(RunError, match="damaged"):
        store.write_outcomes([scored(0), scored(1), scored(0)])
    assert store.outcomes() == {}
    store.write_outcomes([scored(0)])
    assert list(store.outcomes()) == [0]


def test_what_is_written_at_once_becomes_durable_together(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen_by_others() -> int:
        with RunStore.read(store.path) as reader:
            return len(reader.outcomes())

    monkeypatch.setattr("symloss.running.storage.store.TOGETHER", math.inf)
    monkeypatch.setattr("symloss.running.storage.store.SHARE", 0.0)
    store.write_batch(0, [candidate(0)], [])  # a batch is never left waiting: its training may take long
    with pytest.raises(RunError, match="damaged"):
        store.write_outcomes([scored(0), scored(0)])  # undone alone
    store.write_outcomes([scored(0)])
    assert seen_by_others() == 0
    assert len(store.outcomes()) == 1
    store.write_meta({"name": "x"})  # nor are facts
    assert seen_by_others() == 1
    store.write_batch(1, [candidate(1)], [])
    store.write_outcomes([scored(1)])
    assert seen_by_others() == 1
    store.close()
    with RunStore.read(store.path) as reader:
        assert (len(list(reader.candidates())), list(reader.outcomes())) == (2, [0, 1])


def test_an_outcome_is_durable_at_once_where_that_costs_little(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen_by_others() -> int:
        with RunStore.read(store.path) as reader:
            return len(reader.outcomes())

    monkeypatch.setattr("symloss.running.storage.store.TOGETHER", math.inf)
    clock = SimpleNamespace(now=0.0, cost=0.0)
    monkeypatch.setattr("symloss.running.storage.store.time", SimpleNamespace(monotonic=lambda: clock.tick()))
    clock.tick = lambda: (setattr(clock, "now", clock.now + clock.cost), clock.now)[1]
    with RunStore.open(store.path) as driver:
        driver.write_batch(0, [candidate(number) for number in range(4)], [])
        for number in range(2):  # in the same moment, and on a disk that takes no time
            driver.write_outcomes([scored(number)])
            assert seen_by_others() == number + 1
        clock.cost = 1.0  # a second for each look at the clock: all of it goes into the disk
        driver.write_outcomes([scored(2)])
        driver.write_outcomes([scored(3)])
        assert seen_by_others() == 3
        driver.settle()
        assert seen_by_others() == 3
        clock.now += 1000.0  # nothing else comes
        driver.settle()
        assert seen_by_others() == 4
        driver.settle()


def test_a_reader_looks_while_the_driver_writes(store: RunStore) -> None:
    store.write_batch(0, [candidate(0)], [scored(0)])
    with RunStore.read(store.path) as reader:
        assert reader.evaluations() == 1
        store.write_batch(1, [candidate(1)], [scored(1)])
        assert reader.evaluations() == 2
        with pytest.raises(RunError, match="cannot be used"):
            reader.write_meta({"seed": 2})


DIE = """
import os, sys
from pathlib import Path
from tests.test_store import candidate, scored
from symloss.running.storage.store import RunStore
store = RunStore.open(Path(sys.argv[1]))
store._connection.execute("PRAGMA cache_size = 1")
with store._transaction() as connection:
    connection.executemany("INSERT INTO meta VALUES (?, ?)", [(f"key{n}", '"' + "x" * 2000 + '"') for n in range(500)])
    os._exit(9)
"""


@pytest.mark.parametrize("opened", [RunStore.read, RunStore.open])
def test_a_driver_that_dies_within_a_transaction_leaves_what_was_before(
    tmp_path: Path, opened: Callable[[Path], RunStore]
) -> None:
    path = filled(tmp_path / "run.sqlite")
    with RunStore.read(path) as store:
        before = store.digest()
    root = Path(__file__).parent.parent
    dead = subprocess.run([sys.executable, "-c", DIE, str(path)], cwd=root, check=False)
    assert dead.returncode == 9
    assert (tmp_path / "run.sqlite-journal").exists()
    with opened(path) as store:
        assert store.digest() == before
        assert store.meta() == {"seed": 1}


def nothing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def text(path: Path) -> None:
    path.write_text("hello" * 500)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE a (b)")
    connection.close()


def statement(sql: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute(sql)
        connection.close()

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (nothing, "does not exist"),
        (empty, "is empty: the run ended before it began"),
        (noise, "is damaged or no run store"),
        (text, "is damaged or no run store"),
        (directory, "does not exist"),
        (foreign, "not a run store of symloss"),
        (statement("PRAGMA user_version = 99"), "has version 99, written by a newer symloss"),
        (statement("DROP TABLE outcomes"), "lacks the table outcomes"),
    ],
)
@pytest.mark.parametrize("opened", [RunStore.read, RunStore.open])
def test_files_that_are_refused(
    tmp_path: Path, spoil: Callable[[Path], None], said: str, opened: Callable[[Path], RunStore]
) -> None:
    path = filled(tmp_path / "run.sqlite")
    spoil(path)
    with pytest.raises(RunError) as caught:
        opened(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE outcomes SET state = 'weird' WHERE candidate = 3",
        "DELETE FROM measurements WHERE candidate = 3",
        "UPDATE outcomes SET reason = 'why' WHERE candidate = 3",
        "UPDATE outcomes SET state = 'stopped' WHERE candidate = 3",
        "UPDATE outcomes SET state = 'diverged', reason = 'why' WHERE candidate = 3",
        "UPDATE candidates SET parents = 'x' WHERE number = 3",
        "UPDATE candidates SET key = 'x' WHERE number = 3",
        "UPDATE candidates SET complexity = 'x' WHERE number = 3",
        "UPDATE candidates SET seed = 'x' WHERE number = 3",
        "UPDATE meta SET value = '{'",
        "UPDATE trials SET state = 'weird'",
        "UPDATE trial_outputs SET shape = '3 3'",
        "UPDATE candidates SET text = CAST(x'ff' AS TEXT) WHERE number = 3",
    ],
)
def test_rows_that_make_no_sense_are_said_in_words(tmp_path: Path, sql: str) -> None:
    path = filled(tmp_path / "run.sqlite")
    statement(sql)(path)
    with RunStore.read(path) as store, pytest.raises(RunError, match=str(path)):
        read_everything(store)


def read_everything(store: RunStore) -> None:
    list(store.candidates())
    store.outcomes()
    store.trials()
    store.meta()
    store.batches()
    store.counts()
    store.digest()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_damage_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.sqlite"
    if not whole.exists():
        filled(whole)
    path = folder / "damaged.sqlite"
    (folder / "damaged.sqlite-journal").unlink(missing_ok=True)
    shutil.copy(whole, path)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + 200] = data.draw(st.binary(min_size=200, max_size=200))
    path.write_bytes(content[: data.draw(st.integers(start, len(content)))] if data.draw(st.booleans()) else content)
    try:
        with RunStore.read(path) as store:
            read_everything(store)
        with RunStore.open(path) as store:
            store.write_outcomes([])
    except RunError as error:
        said = str(error)
        assert str(path) in said


@pytest.mark.parametrize("twin", ["NULL", "7", "1", "-1", "'x'"])
def test_a_duplicate_with_a_bad_twin_is_damage(store: RunStore, twin: str) -> None:
    store.write_batch(0, [candidate(0), candidate(1)], [Outcome(1, State.DUPLICATE, "same", twin=0)])
    store._connection.execute(f"UPDATE outcomes SET twin = {twin}")
    with pytest.raises(RunError, match="is damaged: candidate 1 is duplicate, and its twin is"):
        store.outcomes()


def test_a_twin_of_what_is_no_duplicate_is_damage(store: RunStore) -> None:
    store.write_batch(0, [candidate(0), candidate(1)], [Outcome(1, State.REJECTED, "no")])
    store._connection.execute("UPDATE outcomes SET twin = 0")
    with pytest.raises(RunError, match="is damaged: candidate 1 is rejected"):
        store.outcomes()


def test_facts_that_are_missing_or_of_another_kind_are_damage(store: RunStore) -> None:
    with pytest.raises(RunError, match="is damaged: it lacks the fact 'metric'"):
        store.meta()["metric"]
    store.write_meta({"maximise": "yes"})
    with pytest.raises(RunError, match="is damaged: the fact 'maximise' is 'yes'"):
        store.meta()
