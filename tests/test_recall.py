"""A resume tells batches again from what the run keeps: the same search, the same run, and nothing proposed twice."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symloss.running.run
import symloss.running.session
from symloss.errors import RunError
from symloss.judging.stacking import Decision
from symloss.running.recall import Recall
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from symloss.searching.base import Search
from symloss.telling.ranking import rank_run
from tests.fakes import FakePool
from tests.test_run import TABLE, TARGETS, digest

LONG = {**TABLE, "stop": {"generations": 6}}
Whole = tuple[Path, Any]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Spare runs the measurement of which way of training pays, and training itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("single", "told so"))
        patch.setattr(
            symloss.running.session, "make_pool", lambda workers, spec, address: FakePool(targets=TARGETS)
        )  # fmt: skip
        yield


@pytest.fixture(scope="module")
def whole(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, search(LONG, out=folder)


@pytest.fixture
def shorter(tmp_path: Path) -> Path:
    search({**LONG, "stop": {"generations": 5}}, out=tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the candidates that a search is asked for."""
    numbers: list[int] = []
    ask: Callable[..., Any] = Search.ask

    def noting(self: Search, n: int | None = None, **options: Any) -> Any:
        found = ask(self, n, **options)
        numbers.extend(each.number for each in found)
        return found

    monkeypatch.setattr(Search, "ask", noting)
    return numbers


def sizes(folder: Path) -> list[int]:
    with RunStore.read(folder / "run.sqlite") as store:
        return [batch.candidates for batch in store.batches()]


def change(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "run.sqlite") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def facts(folder: Path) -> dict[str, Any]:
    with RunStore.read(folder / "run.sqlite") as store:
        return {name: store.meta()[name] for name in ("free_tests", "reached")}


def test_only_the_first_and_the_last_told_batch_are_asked_again(whole: Whole, shorter: Path, asked: list[int]) -> None:
    result = resume(shorter, ["stop.generations=6"])
    first, *_, last, new = sizes(shorter)
    end = sum(sizes(shorter))
    assert asked == [*range(first), *range(end - new - last, end)]
    assert digest(shorter) == digest(whole[0])
    assert facts(shorter) == facts(whole[0])
    assert (result.front, result.finals, result.progress.counts) == (
        whole[1].front, whole[1].finals, whole[1].progress.counts,
    )  # fmt: skip


def test_a_search_that_preselects_goes_on_as_if_it_had_never_ended(tmp_path: Path) -> None:
    table = {**LONG, "search": {**LONG["search"], "population": 40, "preselect": 4}}
    search(table, out=tmp_path / "whole")
    search({**table, "stop": {"generations": 3}}, out=tmp_path / "run")
    resume(tmp_path / "run", ["stop.generations=6"])
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")
    search({**LONG, "search": {**LONG["search"], "population": 40}}, out=tmp_path / "plain")
    trainable, usually = (facts(tmp_path / name)["free_tests"]["trainable"] for name in ("run", "plain"))
    assert trainable > 1.5 * usually


@pytest.mark.parametrize("generations", [0, 3])
def test_a_batch_is_looked_for_behind_those_that_are_over(
    tmp_path: Path, generations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if generations:
        search({**LONG, "stop": {"generations": generations}}, out=tmp_path / "run")
    looked: list[tuple[int, int]] = []
    candidates = RunStore.candidates

    def noting(self: RunStore, first: int = 0, last: int | None = None) -> Any:
        looked.append((first, self.issued()))
        return candidates(self, first, last)

    issue = Recall.issue

    def watched(self: Recall, number: int, *options: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(RunStore, "candidates", noting)
            return issue(self, number, *options)

    monkeypatch.setattr(Recall, "issue", watched)
    resume(tmp_path / "run", ["stop.generations=6"]) if generations else search(LONG, out=tmp_path / "run")
    new = looked[2:] if generations else looked  # the first and the last that are told again lie before
    assert len(new) == 6 - generations
    assert all(first == issued for first, issued in new)


def test_a_run_of_an_older_version_is_asked_whole_and_keeps_what_it_tells(
    whole: Whole, shorter: Path, asked: list[int]
) -> None:
    change(shorter, "DROP TABLE told", "PRAGMA user_version = 2", "DELETE FROM meta WHERE key = 'reached'")
    resume(shorter, ["stop.generations=6"])
    assert asked == list(range(sum(sizes(shorter))))
    assert digest(shorter) == digest(whole[0])
    assert facts(shorter) == facts(whole[0])
    asked.clear()
    resume(shorter, ["stop.generations=7"])
    assert len(asked) == sum(sizes(shorter)[place] for place in (0, -2, -1))


def test_a_ranking_is_the_same_with_and_without_what_was_told(whole: Whole, tmp_path: Path) -> None:
    folder, result = whole
    shutil.copytree(folder, tmp_path / "old")
    change(tmp_path / "old", "DROP TABLE told", "PRAGMA user_version = 2")
    with RunStore.read(folder / "run.sqlite") as new, RunStore.read(tmp_path / "old" / "run.sqlite") as old:
        named = result.winner.text
        assert len(new.standings()) == sum(sizes(folder))
        assert len(old.standings()) == 0
        assert rank_run(new, named=named) == rank_run(old, named=named)
        assert rank_run(new, 3).best == rank_run(old).best[:3]
        assert rank_run(new, named="t*p + 17").named is None
        assert rank_run(new, named=named).named.formula == named
    assert [each.formula for each in rank_run_of(folder)] == [each.formula.text for each in result.front]


def rank_run_of(folder: Path) -> Any:
    with RunStore.read(folder / "run.sqlite") as store:
        return rank_run(store).front


def test_a_batch_that_is_half_told_is_ranked_by_its_measurements(whole: Whole, tmp_path: Path) -> None:
    shutil.copytree(whole[0], tmp_path / "cut")
    told = sum(sizes(whole[0])[:-1])
    change(tmp_path / "cut", f"DELETE FROM told WHERE first >= {told}")
    with RunStore.read(whole[0] / "run.sqlite") as one, RunStore.read(tmp_path / "cut" / "run.sqlite") as other:
        assert [each.fitness for each in rank_run(other).front] == [each.fitness for each in rank_run(one).front]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("origin", np.full(10, 999, "<i8")),
        ("origin", np.zeros(9, "<i8")),
        ("fitness", np.full(10, np.nan)),
        ("complexity", np.zeros(10, "<i4")),
        ("entered", np.full(10, -1, "<i4")),
        ("standing", np.full(10, np.nan)),
        ("trained", 1 - np.frombuffer(b"\0" * 10, "u1")),
        ("digest", "short"),
        ("first", 13),
        ("first", "x"),
    ],
)
def test_what_makes_no_sense_is_damage(shorter: Path, column: str, value: Any) -> None:
    kept = value.tobytes() if isinstance(value, np.ndarray) else value
    with sqlite3.connect(shorter / "run.sqlite") as connection:
        connection.execute(f"UPDATE told SET {column} = ? WHERE batch = 1", (kept,))
    connection.close()
    with pytest.raises(RunError, match="damaged"):
        resume(shorter, ["stop.generations=6"])


def test_another_search_is_refused_at_its_first_batch(shorter: Path) -> None:
    change(shorter, "UPDATE candidates SET text = 'mul(t, p)' WHERE number = 0")
    with pytest.raises(RunError, match="candidate 0 is 'mul"):
        resume(shorter, ["stop.generations=6"])
