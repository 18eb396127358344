"""Offers from outside: the same course as any candidate, kept, gone on with, and mixed with the search's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import symloss
import symloss.running.run
import symloss.running.session
from symloss.errors import DiskError, RunError
from symloss.judging.stacking import Decision
from symloss.running.reached import Reached
from symloss.running.run import resume
from symloss.running.storage.store import RunStore
from tests.fakes import FakePool, PowerCutError
from tests.test_run import TABLE, TARGETS, digest

OFFERS = ["-t*log(p)", "t/p - log(p)", "3 - t*log(p)", "t*lgo(p)", "t*log(p)"]


class Pools:
    """Gives each session a pool of its own, and keeps them."""

    def __init__(self) -> None:
        self.made: list[FakePool] = []
        self.cut_after: int | None = None

    def __call__(self, workers: int, spec: Any, address: Any) -> FakePool:
        self.made.append(FakePool(targets=TARGETS, cut_after=self.cut_after))
        return self.made[-1]

    @property
    def trained(self) -> int:
        """Candidates that the last pool has trained in a search."""
        return sum(len(job.candidates) for job in self.made[-1].jobs if job.free_test)


@pytest.fixture
def pools() -> Iterator[Pools]:
    made = Pools()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("single", "told so"))
        patch.setattr(symloss.running.session, "make_pool", made)
        yield made


def table(**search: Any) -> dict[str, Any]:
    return {**TABLE, "grammar": "compact", "search": {**TABLE["search"], **search}}


def test_each_formula_is_answered_in_order(tmp_path: Path, pools: Pools) -> None:
    with symloss.open_run(table(), tmp_path / "run") as run:
        answers = run.offer(OFFERS)
        assert [each.text for each in answers] == OFFERS
        entropy, baikal, shifted, typo, downhill = answers
        assert (entropy.state, baikal.state) == ("scored", "scored")
        assert entropy.formula == "-t*log(p)"
        assert 0 < entropy.fitness <= 1
        assert (shifted.state, shifted.fitness) == ("duplicate", entropy.fitness)
        assert (typo.state, typo.number) == ("rejected", None)
        assert "lgo" in typo.reason
        assert downhill.state == "rejected"
        assert "does not raise the true class" in downhill.reason
        assert [each.number for each in answers if each is not typo] == [0, 1, 2, 3]
        assert {each.text for each in run.best(2)} == {entropy.formula, baikal.formula}
        assert run.offer([]) == []
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert [each.variation for each in store.candidates()] == ["offered"] * 4


def test_what_was_counted_before_the_last_offer_still_counts_when_the_run_is_opened_again(
    tmp_path: Path, pools: Pools
) -> None:
    with symloss.open_run(table(), tmp_path / "run") as run:
        run.step()
        run.offer(OFFERS)
    with symloss.open_run(tmp_path / "run") as run:
        run.step()
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        meta, outcomes = store.meta(), list(store.outcomes().values())
    assert Reached.of_fact(meta["reached"], tmp_path) == Reached().plus(outcomes)
    assert sum(meta["free_tests"].values()) == len(outcomes)
    assert meta["steps"] >= max(each.step for outcome in outcomes for each in outcome.measurements)


def test_what_was_offered_is_there_when_the_run_is_opened_again(tmp_path: Path, pools: Pools) -> None:
    with symloss.open_run(table(), tmp_path / "run") as run:
        first = run.offer(OFFERS)
    with symloss.open_run(tmp_path / "run") as run:
        (again,) = run.offer(["-1*t*log(p)"])
        assert pools.trained == 0
        assert (again.state, again.fitness) == ("duplicate", first[0].fitness)
        new = run.offer(["-t*p"])
        assert pools.trained == 1
        assert new[0].number == 5


def test_offers_and_the_searchs_own_proposals_mix(tmp_path: Path, pools: Pools) -> None:
    with symloss.open_run(table(), tmp_path / "run") as run:
        run.offer(OFFERS[:2])
        own = run.step()
        run.offer(["-t*sqrt(p)"])
        bred = run.step(7)
        assert len(bred) == 7
        assert len(own) + len(bred) + 3 == bred[-1].number + 1
        finals = run.finals()
        assert finals is not None
        front = run.front()
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        parents = {parent for each in store.candidates(bred[0].number) for parent in each.parents}
        assert parents  # the method learns from what was offered
    before = digest(tmp_path / "run")
    with symloss.open_run(tmp_path / "run") as run:
        assert run.front() == front
    assert digest(tmp_path / "run") == before
    assert symloss.load(tmp_path / "run").formula == finals.winner


def test_a_batch_that_was_cut_short_is_finished_when_the_run_is_opened_again(tmp_path: Path, pools: Pools) -> None:
    with symloss.open_run(table(), tmp_path / "whole") as run:
        run.step()
        run.offer(["-t*log(p)", "t/p - log(p)", "-t*p", "-t*sqrt(p)"])
    for opening in (symloss.open_run, None):
        folder = tmp_path / f"cut{opening is None}"
        with symloss.open_run(table(), folder) as run:
            run.step()
            pools.made[-1]._cut_after = len(pools.made[-1].jobs) + 1
            with pytest.raises(PowerCutError):
                run.offer(["-t*log(p)", "t/p - log(p)", "-t*p", "-t*sqrt(p)"])
        if opening is None:  # an ordinary resume takes it up as well, and goes on from there by itself
            resume(folder, ["stop.generations=2", "finals.top=0"])
        else:
            with opening(folder):
                pass
        assert pools.trained == 3  # one of four was kept
        assert digest(folder) == digest(tmp_path / "whole")


def test_a_run_that_is_open_lets_no_other_driver_in(tmp_path: Path, pools: Pools) -> None:
    with symloss.open_run(table(), tmp_path / "run") as run:
        run.offer(["-t*p"])
        with pytest.raises(RunError, match="in use by another driver"), symloss.open_run(tmp_path / "run"):
            pass


def test_an_open_run_is_looked_after_as_any_other(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symloss.running.run, "room_needed", lambda *asked: 2**70)
    with pytest.raises(DiskError, match="cannot hold a run"), symloss.open_run(table(), tmp_path / "run"):
        pass
    monkeypatch.undo()
    with (
        pytest.raises(RunError, match="No Ray cluster can be reached"),
        symloss.open_run(table(), tmp_path / "run", address="127.0.0.1:1"),
    ):
        pass
    assert not (tmp_path / "run").exists()
