"""What is read of a run for its report: everything of a small one, all that matters of a large one."""

import pytest

import symloss.telling.report.choice as choice
from symloss.running.storage.store import RunStore
from symloss.telling.ranking import rank, stand
from symloss.telling.report.material import gather
from symloss.telling.report.page import page
from tests.runs import make_run


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "run", 3000)


def chosen(path):
    with RunStore.read(path / "run.sqlite") as store:
        standings = stand(store)
        ranking = rank(store, standings, 200)
        return choice.choose(store, standings, ranking, 3000), standings, ranking, store.parents([2999, 5])


def test_a_small_run_is_read_whole(path):
    assert chosen(path)[0] == list(range(3000))


def test_of_a_large_run_all_that_matters_is_read(path, monkeypatch):
    monkeypatch.setattr(choice, "ALL", 1000)
    monkeypatch.setattr(choice, "MOST", 100)
    numbers, standings, ranking, parents = chosen(path)
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 1000
    must = {each.number for each in (*ranking.best, *ranking.front)} | set(choice.improving(standings))
    assert must <= set(numbers)
    assert parents == [(), (1499, 999)]  # in the order of the numbers
    best, kin = ranking.best[0].number, set()
    while best > 9:
        best //= 2
        kin.add(best)
    assert kin <= set(numbers)


def test_a_report_of_a_part_says_the_same_of_the_whole(path, monkeypatch):
    whole = gather(path)
    monkeypatch.setattr(choice, "ALL", 1000)
    part = gather(path)
    assert len(part.rows) < len(whole.rows) == 3000
    assert (part.total, part.counts, part.trained, part.front) == (3000, whole.counts, whole.trained, whole.front)
    held = {row.number: row for row in whole.rows}
    assert all(row == held[row.number] for row in part.rows)
    assert "3&#8239;000" in page(part)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 1000])
def test_an_even_share_begins_far_apart(count):
    found = choice.evenly(list(range(count)), 16)
    assert len(set(found)) == len(found) >= min(count, 16)
    gaps = [after - before for before, after in zip(sorted(found[:16]), sorted(found[:16])[1:], strict=False)]
    assert max(gaps, default=0) <= max(1, 2 * count // min(count, 16))
