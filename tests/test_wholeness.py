"""The books of a run: issued = ended + in flight at any moment, and each way in which they can be wrong is found."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import symloss.running.session
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from symloss.running.storage.wholeness import check_whole, in_flight
from tests.fakes import FakePool, PowerCutError
from tests.test_run import TABLE, fake

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("symloss.running.run.choose_stacking", lambda *asked: symloss.running.run.Decision("single", ""))
        yield


def use(pool: FakePool, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(symloss.running.session, "make_pool", lambda workers, spec, address: pool)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """A run that broke off in its second batch."""
    folder = tmp_path_factory.mktemp("books") / "run"
    with pytest.MonkeyPatch.context() as patch:
        use(fake(cut_after=6), patch)
        with pytest.raises(PowerCutError):
            search({**TABLE, "budget": {**TABLE["budget"], "cohort": 1}}, out=folder)
    with RunStore.read(folder / "run.sqlite") as store:
        assert (len(store.batches()), in_flight(store) > 0) == (1, True)
    return folder


def test_the_books_are_in_order_after_every_write(
    tmp_path: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, sums = RunStore._transaction, []

    @contextmanager
    def audited(store: RunStore, together: bool = False) -> Iterator[Any]:
        with original(store, together) as connection:
            yield connection
        assert check_whole(store) == []
        sums.append((store.issued(), sum(store.counts().values()), in_flight(store)))

    use(fake(), monkeypatch)
    monkeypatch.setattr(RunStore, "_transaction", audited)
    search(TABLE, out=tmp_path / "run")
    assert all(issued == ended + flying for issued, ended, flying in sums)
    assert len({flying for *_, flying in sums}) > 3
    assert sums[-1] == (32, 32, 0)


def test_the_books_of_a_broken_run_are_in_order_and_a_resume_ends_it(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with RunStore.read(interrupted / "run.sqlite") as store:
        assert check_whole(store) == []

    shutil.copytree(interrupted, tmp_path / "run")
    use(fake(), monkeypatch)
    resume(tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert (check_whole(store), in_flight(store)) == ([], 0)


DAMAGE = {
    "DELETE FROM candidates WHERE number = 3": "candidates are missing: .* do not follow one another from 0: 4, 5, 6",
    "UPDATE candidates SET batch = 1 WHERE number = 4": "1 candidates belong to an earlier batch than .*: 5",
    "UPDATE batches SET number = 1": "1 told batches are missing: their numbers do not follow one another from 0: 1",
    "UPDATE batches SET candidates = 5": "1 told batches do not have the number of candidates that they say: 0",
    "UPDATE candidates SET batch = 2 WHERE number = (SELECT MAX(number) FROM candidates)": "issued before the search",
    "DELETE FROM outcomes WHERE candidate = 2": "1 candidates of told batches have no outcome: 2",
    "INSERT INTO outcomes VALUES (999, 'rejected', 'no', NULL, 0)": "outcomes belong to candidates .* issued: 999",
    "UPDATE outcomes SET state = 'lost' WHERE candidate = 1": "1 outcomes have a state that is none: 1",
    "UPDATE outcomes SET reason = 'x' WHERE state = 'scored'": "outcomes lack a reason, or are scored and have one",
    "UPDATE outcomes SET reason = '' WHERE state = 'rejected'": "outcomes lack a reason, or are scored and have one",
    "UPDATE outcomes SET twin = 0 WHERE state = 'scored'": "or others have one",
    "UPDATE outcomes SET state = 'duplicate', reason = 'x', twin = 900 WHERE candidate = 3": "no earlier candidate",
    "DELETE FROM measurements WHERE candidate = (SELECT MAX(candidate) FROM measurements)": "without a measurement",
    "INSERT INTO measurements VALUES (999, 1, 0.1, 1, 'accuracy', 0.5)": "measurements belong to candidates .*: 999",
}  # fmt: skip


@pytest.mark.parametrize("sql", DAMAGE)
def test_what_is_wrong_is_found_and_named(interrupted: Path, tmp_path: Path, sql: str) -> None:
    path = tmp_path / "run.sqlite"
    path.write_bytes((interrupted / "run.sqlite").read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()
    with RunStore.read(path) as store:
        found = "\n".join(check_whole(store))

    assert re.search(DAMAGE[sql], found), found
