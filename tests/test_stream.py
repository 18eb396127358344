"""Asynchronous search: nobody waits for a generation, what ends is told as it ends, and a resume goes on from there."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import ANY

import pytest

import symloss.running.run
import symloss.running.session
from symloss.errors import ExperimentError, RunError
from symloss.judging.evaluate import Job, Judged
from symloss.judging.stacking import Decision
from symloss.judging.waiting import Waiting
from symloss.language.candidate import State
from symloss.running.config import read_experiment
from symloss.running.offering import open_run
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from symloss.running.storage.wholeness import check_whole, in_flight
from symloss.searching.base import Search
from symloss.searching.searches import SEARCHES, make_search
from symloss.telling.ranking import rank_run
from symloss.telling.summary import summarise_run
from tests.fakes import FakePool, PowerCutError
from tests.laws.test_searches import COMPACT, SMALL
from tests.searching import JUDGE, Bench
from tests.test_run import TABLE, TARGETS, digest

ASYNC: dict[str, Any] = {
    **TABLE,
    "search": {**TABLE["search"], "asynchronous": True},
    "budget": {**TABLE["budget"], "cohort": 4},
    "stop": {"evaluations": 25},
    "finals": {"top": 0},
}
names = pytest.mark.parametrize("name", [name for name, record in SEARCHES.items() if record.steady])


class Workers(FakePool):
    """Holds several jobs at once and gives them back in an order of its own, as workers do.

    Args:
        room: jobs at once.
        seed: of the order.
    """

    def __init__(self, room: int = 5, seed: int = 0, **settings: Any) -> None:
        super().__init__(targets=TARGETS, **settings)
        self.room, self.order = room, Random(seed)
        self.most = 0

    def run_with_outputs(
        self, jobs: Iterable[Job], stop: Callable[[], bool] = bool
    ) -> Iterator[tuple[Job, list[Judged]]]:
        source = iter(jobs)
        held: list[Job] = []
        while True:
            if stop():
                return
            held += islice(source, self.room - len(held))
            if not held:
                return
            self.most = max(self.most, len(held))
            if self._cut_after is not None and len(self.jobs) >= self._cut_after:
                raise PowerCutError
            job = held.pop(self.order.randrange(len(held)))
            self.jobs.append(job)
            yield job, [self._judged(number, text, job.plan) for number, text, _ in job.candidates]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare runs the measurement of which way of training pays."""
    monkeypatch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("single", "told so"))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Workers]:
    """Let runs train in workers that are none."""

    def install(**settings: Any) -> Workers:
        pool = Workers(**settings)
        monkeypatch.setattr(symloss.running.session, "make_pool", lambda workers, spec, address: pool)
        return pool

    return install


def small(name: str) -> Search:
    settings: Any = SMALL[name]
    return make_search(name, COMPACT, JUDGE, 0, settings)


def told_order(folder: Path) -> list[int]:
    """Return the first number of each batch, in the order in which batches were told."""
    with RunStore.read(folder / "run.sqlite") as store:
        return [(store.told(batch.number) or [])[0].number for batch in store.batches()]


def check_all_told(folder: Path) -> None:
    """Every candidate has one outcome, and was told once."""
    with RunStore.read(folder / "run.sqlite") as store:
        assert check_whole(store) == []
        assert in_flight(store) == 0
        numbers = [each.number for each in store.candidates()]
        told = [each.number for batch in store.batches() for each in store.told(batch.number) or []]
        assert numbers == list(range(len(numbers)))
        assert sorted(told) == numbers == sorted(store.outcomes())
        assert store.standings().numbers.tolist() == numbers


def test_batches_are_asked_while_others_train_and_told_as_they_end(tmp_path: Path, use: Callable[..., Workers]) -> None:
    pool = use()
    result = search({**ASYNC, "finals": TABLE["finals"]}, out=tmp_path / "run")
    assert pool.most == 5
    order = told_order(tmp_path / "run")
    assert order != sorted(order)
    check_all_told(tmp_path / "run")
    assert result.progress.evaluated >= 25
    assert result.reason == f"{result.progress.evaluated} candidates are trained"
    assert result.finals is not None
    assert summarise_run(tmp_path / "run")["evaluated"] == result.progress.evaluated


def test_children_are_bred_from_whoever_has_ended(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    search({**ASYNC, "search": {**ASYNC["search"], "immigrants": 0.0}}, out=tmp_path / "run")
    size = TABLE["search"]["population"]
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        candidates = list(store.candidates())
        told = {batch.number: [each.number for each in store.told(batch.number) or []] for batch in store.batches()}
    assert not any(each.parents for each in candidates[:size])  # the first generation is a whole one
    bred = [each for each in candidates[size:] if each.parents]  # some are drawn anew until a grown one is taken
    assert len(bred) > len(candidates[size:]) / 2
    numbers = [number for batch in told.values() for number in batch]
    assert all(numbers.index(parent) < numbers.index(each.number) for each in candidates for parent in each.parents)


def test_what_is_told_depends_on_the_order_in_which_jobs_end(tmp_path: Path, use: Callable[..., Workers]) -> None:
    found: list[str] = []
    for seed in (1, 1, 2):
        use(seed=seed)
        folder = tmp_path / f"run-{len(found)}"
        search(ASYNC, out=folder)
        found.append(digest(folder))
    assert found[0] == found[1] != found[2]


def test_one_job_at_a_time_is_told_in_asked_order(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use(room=1)
    search(ASYNC, out=tmp_path / "run")
    order = told_order(tmp_path / "run")
    assert order == sorted(order)


def test_a_twin_is_told_after_its_first(tmp_path: Path, use: Callable[..., Workers]) -> None:
    for seed in range(2):
        use(seed=seed, room=9)
        folder = tmp_path / f"run-{seed}"
        search({**ASYNC, "grammar": "glo", "search": {**ASYNC["search"], "fresh": 0}}, out=folder)
        check_all_told(folder)
        with RunStore.read(folder / "run.sqlite") as store:
            outcomes, seen = store.outcomes(), set()
            for batch in store.batches():
                own = [each.number for each in store.told(batch.number) or []]
                seen |= set(own)
                assert all(outcomes[n].twin in seen for n in own if outcomes[n].state is State.DUPLICATE)


def test_a_crash_after_any_transaction_is_gone_on_from(
    tmp_path: Path, use: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RunStore._transaction
    moments: list[Path] = []

    @contextmanager
    def snapshot(store: RunStore, together: bool = False) -> Iterator[Any]:
        with original(store, together) as connection:
            yield connection
        if store.path.name == "run.sqlite":
            moments.append(tmp_path / f"after-{len(moments)}")
            shutil.copytree(store.path.parent, moments[-1])

    use()
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "_transaction", snapshot)
        patch.setattr("symloss.running.storage.store.TOGETHER", 0.0)  # so that a crash may come after any write
        search({**ASYNC, "budget": {**ASYNC["budget"], "cohort": 2}, "stop": {"evaluations": 10}}, out=tmp_path / "run")
    assert len(moments) > 20
    for moment in moments[::3]:
        before = told_order(moment)
        with RunStore.read(moment / "run.sqlite") as store:
            kept, asked = store.outcomes(), [each.text for each in store.candidates()]
            assert check_whole(store) == []
            assert in_flight(store) == len(asked) - len(kept)
        pool = use(seed=7)
        resume(moment, ["stop.evaluations=16"])
        check_all_told(moment)
        assert told_order(moment)[: len(before)] == before
        with RunStore.read(moment / "run.sqlite") as store:
            assert store.outcomes().items() >= kept.items()
            assert [each.text for each in store.candidates()][: len(asked)] == asked
        again = [number for job in pool.jobs if job.free_test for number, *_ in job.candidates]
        assert not set(again) & set(kept)


def test_a_resume_leaves_the_search_as_it_was_told(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use(cut_after=4)
    with pytest.raises(PowerCutError):
        search(ASYNC, out=tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        told = [store.told(batch.number) or [] for batch in store.batches()]
        issued = store.issued()
        ranked = rank_run(store)
    settings = {key: value for key, value in ASYNC["search"].items() if key != "method"}
    one = make_search("evolution", COMPACT, JUDGE, 3, settings)
    for batch in told:
        one.recall(batch, ahead=True)
    assert len(one.archive) > 0
    assert issued > sum(map(len, told))
    best = {entry.text for entry in one.archive.best(99)}
    assert best <= {each.formula for each in ranked.best}  # ranked with what has ended since


def test_free_tests_are_counted_once_also_after_a_break(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use(cut_after=4)
    with pytest.raises(PowerCutError):
        search(ASYNC, out=tmp_path / "run")
    use(seed=3)
    resume(tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert sum(store.meta()["free_tests"].values()) == store.issued()
        assert store.meta()["free_tests"]["trainable"] == store.evaluations()


def test_a_finished_run_is_extended(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    first = search({**ASYNC, "finals": TABLE["finals"]}, out=tmp_path / "run")
    pool = use()
    same = resume(tmp_path / "run")
    assert pool.jobs == []
    assert (same.reason, same.finals, same.front) == (first.reason, first.finals, first.front)
    longer = resume(tmp_path / "run", ["stop.evaluations=40"])
    assert longer.progress.evaluated >= 40
    check_all_told(tmp_path / "run")


def test_a_signal_leaves_what_is_in_training_to_a_resume(
    tmp_path: Path, use: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = use()
    with monkeypatch.context() as patch:
        patch.setattr("symloss.running.stopping.Ending.cut_short", lambda self: "enough" if len(pool.jobs) > 4 else "")
        assert search(ASYNC, out=tmp_path / "run").reason == "enough"
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert store.issued() > sum(batch.candidates for batch in store.batches())
    use()
    assert "candidates are trained" in resume(tmp_path / "run").reason
    check_all_told(tmp_path / "run")


def test_a_store_of_another_search_is_refused(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    search(ASYNC, out=tmp_path / "run")
    path = tmp_path / "run" / "experiment.toml"
    path.write_text(path.read_text().replace("seed = 3", "seed = 4"))
    with pytest.raises(RunError, match=r"candidate 0 is .* in the store, and the search proposes"):
        resume(tmp_path / "run", ["stop.evaluations=40"])


def test_a_space_that_is_exhausted_ends_the_search(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nslot = "classification"\n[operators]\nmul = 1\n[variables]\nt = 1\np = 1\n'
        "[limits]\ninitial_depth = [1, 1]\nmax_depth = 1\nmax_nodes = 3\n"
    )
    table = {**ASYNC, "grammar": str(tmp_path / "tiny.toml"), "search": {**ASYNC["search"], "patience": 30}}
    assert "nothing new to propose" in search(table, out=tmp_path / "run").reason


def test_books_that_are_not_in_order_are_found(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    search(ASYNC, out=tmp_path / "run")
    path = tmp_path / "run" / "run.sqlite"
    for damage, said in (
        ("DELETE FROM outcomes WHERE candidate = 5", "candidates of told batches have no outcome: 5"),
        ("UPDATE told SET first = 0 WHERE first = 4", "candidates were told twice: 0"),
        ("DELETE FROM told WHERE batch = 4", "told batches do not have the number of candidates that they say: 4"),
    ):
        shutil.copy(path, tmp_path / "damaged.sqlite")
        with closing(sqlite3.connect(tmp_path / "damaged.sqlite")) as connection:
            connection.execute(damage)
            connection.commit()
        with RunStore.read(tmp_path / "damaged.sqlite") as store:
            assert any(said in finding for finding in check_whole(store))


def test_an_asynchronous_run_is_open_for_offers(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use(cut_after=4)
    with pytest.raises(PowerCutError):
        search(ASYNC, out=tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert in_flight(store) > 0
        issued = store.issued()
    use()
    with open_run(tmp_path / "run") as run:
        answer, again = run.offer(["-t*log(p) + t*p*p*p/7", "-t*log(p) + t*p*p*p/7"])
        assert (answer.number, again.state) == (issued, "duplicate")
        assert answer.state in {"scored", "stopped"}
        assert len(run.step(5)) == 5
    check_all_told(tmp_path / "run")
    longer = resume(tmp_path / "run", ["stop.evaluations=60"])
    assert longer.progress.evaluated >= 60
    check_all_told(tmp_path / "run")


def test_a_run_that_began_with_offers_goes_on_asynchronously(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    with open_run(ASYNC, out=tmp_path / "run") as run:
        assert [each.state for each in run.offer(["-t*log(p)"])] == ["scored"]
    assert resume(tmp_path / "run").progress.evaluated >= 25
    check_all_told(tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert [each.variation for each in store.candidates(0, 1)] == ["offered", "initial"]


def test_generations_are_counted_by_what_was_told(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    progress = search({**ASYNC, "stop": {"generations": 3}}, out=tmp_path / "run").progress
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert len(store.batches()) > 3 * progress.generation
    assert progress.generation >= 3
    assert resume(tmp_path / "run").progress == replace(progress, rate=0.0, seconds=ANY, left=ANY)


def test_no_more_are_trained_than_a_stop_allows(tmp_path: Path, use: Callable[..., Workers]) -> None:
    for evaluations in (9, 25):
        use()
        folder = tmp_path / f"run-{evaluations}"
        progress = search({**ASYNC, "stop": {"evaluations": evaluations}}, out=folder).progress
        assert evaluations <= progress.evaluated < evaluations + ASYNC["budget"]["cohort"]


def test_training_steps_of_what_is_in_training_count_for_a_stop(tmp_path: Path, use: Callable[..., Workers]) -> None:
    price, allowed = 2 * ASYNC["budget"]["steps"], 17
    table = {**ASYNC, "budget": {**ASYNC["budget"], "seeds": 2, "learning_rates": [0.01]}}
    pool = use()
    progress = search({**table, "stop": {"steps": allowed * price}}, out=tmp_path / "run").progress
    assert allowed <= progress.evaluated < allowed + ASYNC["budget"]["cohort"]
    assert len(pool.jobs) > 1
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert store.meta()["steps"] == progress.evaluated * price


def test_an_asynchronous_search_preselects_by_what_has_ended(tmp_path: Path, use: Callable[..., Workers]) -> None:
    preselecting = {**ASYNC, "search": {**ASYNC["search"], "preselect": 4}, "stop": {"evaluations": 40}}
    use(cut_after=8)
    with pytest.raises(PowerCutError):
        search(preselecting, out=tmp_path / "run")
    use(seed=5)
    resume(tmp_path / "run")
    check_all_told(tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        told = [each for batch in store.batches() for each in store.told(batch.number) or []]
        last = sorted(told, key=lambda each: each.number)[-20:]
    assert sum(each.worth_training for each in last) > 15  # of usual proposals, one in three


def test_tuned_candidates_are_judged_asynchronously(tmp_path: Path, use: Callable[..., Workers]) -> None:
    pool = use()
    tuning = {"method": "gradient", "steps": 3}
    search({**ASYNC, "search": {**ASYNC["search"], "tuning": tuning}}, out=tmp_path / "run")
    assert pool.jobs
    assert all((job.tuning.method, job.tuning.steps) == ("gradient", 3) for job in pool.jobs)


def test_jobs_are_full_cohorts_of_those_that_are_worth_training(
    tmp_path: Path, use: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("stacked", "told so", 1000))
    pool = use()
    search({**ASYNC, "search": {**ASYNC["search"], "fresh": 0}}, out=tmp_path / "run")
    _last, *full = sorted(len(job.candidates) for job in pool.jobs)
    assert len(full) > 4
    assert set(full) == {ASYNC["budget"]["cohort"]}


def test_a_warm_start_comes_first(tmp_path: Path, use: Callable[..., Workers]) -> None:
    use()
    table = {**ASYNC, "grammar": "compact", "search": {**ASYNC["search"], "initial": ["cross_entropy", "t/p"]}}
    search(table, out=tmp_path / "run")
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert [each.variation for each in store.candidates(0, 2)][:2] == ["warm start"] * 2


def test_the_setting_is_true_or_false() -> None:
    with pytest.raises(ExperimentError, match=r"asynchronous is 'yes'; allowed: true or false"):
        read_experiment({**TABLE, "search": {"asynchronous": "yes"}}, "place", Path())


@pytest.mark.parametrize("name", ["taylor", "glo", "coefficients"])
def test_searches_that_learn_from_whole_generations_refuse(name: str) -> None:
    table = {**ASYNC, "search": {**SMALL[name], "method": name, "asynchronous": True}}
    with pytest.raises(ExperimentError, match=rf"asynchronous is true, and '{name}' learns from whole .*'evolution'"):
        read_experiment(table, "place", Path())


@names
def test_every_search_may_be_asked_ahead_and_told_in_any_order(name: str) -> None:
    search, bench = small(name), Bench()
    order, waiting, told = Random(1), [search.ask(4) for _ in range(1)], []
    for _ in range(30):
        waiting += [search.ask(4, ahead=True) for _ in range(3 - len(waiting))]
        batch = waiting.pop(order.randrange(len(waiting)))
        outcomes = bench(batch)
        if any(each.twin is not None and each.twin not in told for each in outcomes):
            bench.seen = {key: number for key, number in bench.seen.items() if number in told}
            outcomes = bench(batch)
        told += [each.number for each in batch]
        search.tell(outcomes)
    assert len(search.archive) > 10


@names
def test_what_was_asked_and_not_told_is_reissued_as_it_was(name: str) -> None:
    first, bench = small(name), Bench()
    one, two, three = (first.ask(4, ahead=True) for _ in range(3))
    told = [first.tell(bench(batch)) for batch in (three, one)]
    second = small(name)
    for batch in told:
        second.recall(batch, ahead=True)
    assert second.reissue(two) == two
    outcomes = bench(two)
    assert second.tell(outcomes) == first.tell(outcomes)
    assert second.ask(8) == first.ask(8)
    assert second.archive.best(99) == first.archive.best(99)


def test_a_batch_is_not_recalled_twice_also_ahead() -> None:
    search: Search = make_search("random", COMPACT, JUDGE, 0, {})
    told = search.tell(Bench()(search.ask(3)))
    with pytest.raises(RunError, match="are recalled, but 3 comes next"):
        search.recall(told, ahead=True)


def test_a_line_asks_its_source_as_late_as_it_can() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    line = Waiting(source())
    assert taken == []
    assert line
    assert line
    assert taken == [0]
    line.appendleft(9)
    assert [line.popleft(), line.popleft()] == [9, 0]
    assert taken == [0]
    assert line
    assert [line.popleft(), bool(line), line.popleft(), bool(line)] == [1, True, 2, False]
