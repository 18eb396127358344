"""The run: the same result after any crash, in any order of completion; stops, resumes, locks and signals."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import symloss.running.run
import symloss.running.session
from symloss.errors import ExperimentError, RunError
from symloss.judging.plan import Plan
from symloss.judging.stacking import Decision
from symloss.judging.tasks import make_task
from symloss.language.candidate import TRAINED, State
from symloss.language.lossfile import read_loss
from symloss.language.probing import Prober
from symloss.running.config import REDUCTION_FACTOR, experiment_toml, load_experiment
from symloss.running.halving import Halving
from symloss.running.observer import Progress, Silent
from symloss.running.planning import Cutter, plan_jobs
from symloss.running.run import RunResult, resume, search
from symloss.running.storage.rundir import RunDirectory, default_directory, find_run
from symloss.running.storage.store import RunStore
from symloss.settings import read_toml
from symloss.telling.ranking import rank_run
from tests.fakes import FakePool, PowerCutError

TABLE: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "grammar": "evomal",
    "task": {"name": "digits"},
    "search": {"population": 12, "elites": 2},
    "budget": {"steps": 5, "cohort": 2, "stack": "single", "rungs": [2]},
    "stop": {"generations": 3},
    "finals": {
        "seeds": 2,
        "top": 1,
        "resamples": 100,
        "learning_rates": [0.01, 0.1],
        "baselines": ["cross_entropy", "gce"],
    },
}
TARGETS = make_task(TABLE["task"]).test()[1].numpy()


def fake(**settings: Any) -> FakePool:
    return FakePool(targets=TARGETS, **settings)


def digest(folder: Path) -> str:
    with RunStore.read(folder / "run.sqlite") as store:
        return store.digest()


def states(folder: Path) -> dict[State, int]:
    with RunStore.read(folder / "run.sqlite") as store:
        return store.counts()


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Spare runs the measurement of which way of training pays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("single", "told so"))
        patch.setattr("symloss.running.storage.store.TOGETHER", 0.0)  # so that a crash may come after any write
        yield


@pytest.fixture(scope="module")
def whole(quick: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FakePool, RunResult]:
    """A run without a break."""
    folder, pool = tmp_path_factory.mktemp("whole") / "run", fake()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symloss.running.session, "make_pool", lambda workers, spec, address: pool)
        return folder, pool, search(TABLE, out=folder)


def test_a_run_searches_tries_the_winner_and_keeps_everything(whole: tuple[Path, FakePool, RunResult]) -> None:
    folder, _, result = whole
    assert result.reason == "3 generations are done"
    assert result.interrupted is None
    assert result.progress.generation == 3
    assert result.progress.candidates == 12 + 2 * 10
    assert result.front
    assert result.winner is not None
    assert result.finals is not None
    assert "tuned cross_entropy" in result.finals.sentence
    loss = read_loss(folder / "winner.loss.json")
    assert loss.formula == result.winner
    assert loss.evidence["verdict"] == result.finals.sentence
    with RunStore.read(folder / "run.sqlite") as store:
        meta = store.meta()
        assert len(store.batches()) == 3
    assert meta["metric"] == "accuracy"
    assert meta["stack"] == "single"
    assert meta["ended"] == "3 generations are done"
    assert meta["finals"]["winner"] == result.winner.text
    assert set(meta["sessions"][0]) == {"started", "workers", "versions", "platform", "kind", "cpus", "seconds"}
    assert load_experiment(folder / "experiment.toml").budget.learning_rates is not None
    assert 'name = "evomal"' in (folder / "grammar.toml").read_text()


def test_rungs_stop_candidates_by_what_earlier_generations_came_to(whole: tuple[Path, FakePool, RunResult]) -> None:
    folder, pool, result = whole
    searched = [job.plan.thresholds for job in pool.jobs if len(job.plan.rungs) == 2]
    assert searched[0] == (None,)  # the first generation
    assert sum(thresholds != (None,) for thresholds in searched) >= 2
    assert all(not job.plan.thresholds for job in pool.jobs if len(job.plan.rungs) == 1)  # the finals
    counts = states(folder)
    assert counts[State.STOPPED] > 0
    assert result.progress.counts[State.STOPPED] == counts[State.STOPPED]
    assert result.progress.evaluated == sum(counts[state] for state in TRAINED if state in counts)
    with RunStore.read(folder / "run.sqlite") as store:
        outcomes, batches = store.outcomes(), {each.number: each.batch for each in store.candidates()}
        assert rank_run(store).best[0].fitness == max(entry.fitness for entry in result.front)
    assert all(batches[number] > 0 for number, each in outcomes.items() if each.state is State.STOPPED)
    # What was told of the generations before is all that a job's thresholds depend on.
    for job in (job for job in pool.jobs if len(job.plan.rungs) == 2):
        halving, batch = Halving((2,), REDUCTION_FACTOR, "accuracy", maximise=True), batches[job.candidates[0][0]]
        halving.tell([each for number, each in outcomes.items() if batches[number] < batch])
        assert job.plan.thresholds == halving.thresholds()


def test_rungs_stop_nobody_where_the_factor_is_one(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    pool = use(fake())
    search(TABLE, out=tmp_path / "run", overrides=["budget.reduction_factor=1"])
    assert not any(job.plan.thresholds for job in pool.jobs)
    assert State.STOPPED not in states(tmp_path / "run")


def test_a_run_from_before_there_was_a_factor_goes_on_without_one(
    tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run", overrides=["budget.reduction_factor=1", "stop.generations=2"])
    kept = tmp_path / "run" / "experiment.toml"
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(line for line in lines if not line.startswith("reduction_factor")))
    use(fake())
    resume(tmp_path / "run", overrides=["stop.generations=3"])
    use(fake())
    search(TABLE, out=tmp_path / "same", overrides=["budget.reduction_factor=1"])
    assert digest(tmp_path / "run") == digest(tmp_path / "same")


def test_the_digest_does_not_depend_on_the_order_in_which_jobs_end(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(fake(backwards=True))
    search(TABLE, out=tmp_path / "run", workers=5)
    assert digest(tmp_path / "run") == digest(whole[0])


def test_a_crash_while_training_loses_the_job_in_flight_alone(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    total = len(whole[1].jobs)
    for cut_after in (0, 2, total - 1):
        folder = tmp_path / f"cut-{cut_after}"
        use(fake(cut_after=cut_after))
        with pytest.raises(PowerCutError):
            search(TABLE, out=folder)
        rest = use(fake())
        result = resume(folder)
        assert len(rest.jobs) == total - cut_after
        assert digest(folder) == digest(whole[0])
        assert result.finals == whole[2].finals


def test_a_crash_between_candidates_of_a_job_that_are_tried_alone_repeats_none(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    total = sum(len(job.candidates) for job in whole[1].jobs)
    for cut_after in (1, 2, 7):
        folder = tmp_path / f"cut-{cut_after}"
        use(fake(cut_after=cut_after, alone=True))
        with pytest.raises(PowerCutError):
            search(TABLE, out=folder)
        rest = use(fake())
        resume(folder)
        assert sum(len(job.candidates) for job in rest.jobs) == total - cut_after
        assert digest(folder) == digest(whole[0])


def test_a_signal_while_proposals_are_made_ends_the_search(
    whole: tuple[Path, FakePool, RunResult],
    tmp_path: Path,
    use: Callable[[FakePool], FakePool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proposed: list[int] = []
    look = Prober.look

    def interrupted(prober: Prober, *asked: Any) -> Any:
        proposed.append(1)
        if len(proposed) == 30:
            os.kill(os.getpid(), signal.SIGTERM)
        return look(prober, *asked)

    monkeypatch.setattr(Prober, "look", interrupted)
    use(fake())
    table = {**TABLE, "search": {**TABLE["search"], "population": 10_000}}
    result = search(table, out=tmp_path / "large")
    assert result.interrupted == signal.SIGTERM
    assert len(proposed) < 100
    with RunStore.read(tmp_path / "large" / "run.sqlite") as store:
        assert store.issued() == 0
    proposed.clear()
    search(TABLE, out=tmp_path / "run")
    resume(tmp_path / "run")
    assert digest(tmp_path / "run") == digest(whole[0])


def test_a_store_that_fails_while_the_pool_works_is_nobodys_outcome(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    calls: list[int] = []

    def fail(store: RunStore) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise RunError("the disk is full")

    use(fake())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunStore, "settle", fail)
        with pytest.raises(RunError, match="the disk is full"):
            search(TABLE, out=tmp_path / "run")
    assert len(calls) == 5
    use(fake())
    resume(tmp_path / "run")
    assert digest(tmp_path / "run") == digest(whole[0])


def test_a_crash_after_any_transaction_leads_to_the_same_result(
    tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(fake())
    original = RunStore._transaction
    moments: list[Path] = []

    @contextmanager
    def snapshot(store: RunStore, together: bool = False) -> Iterator[Any]:
        with original(store, together) as connection:
            yield connection
        if store.path.name == "run.sqlite":  # before that there is no run yet
            moments.append(tmp_path / f"after-{len(moments)}")
            shutil.copytree(store.path.parent, moments[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunStore, "_transaction", snapshot)
        whole = search({**TABLE, "stop": {"generations": 2}}, out=tmp_path / "run")
    assert len({digest(moment) for moment in moments}) > 12
    for moment in moments:
        assert resume(moment).finals == whole.finals
        assert digest(moment) == digest(tmp_path / "run")


def test_a_finished_run_can_be_extended_to_what_a_longer_one_would_be(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(fake())
    search({**TABLE, "stop": {"generations": 2}, "finals": {"seeds": 3, "resamples": 100}}, out=tmp_path / "run")
    assert digest(tmp_path / "run") != digest(whole[0])
    changes = ["stop.generations=3", "finals.seeds=2", "finals.top=1", "finals.learning_rates=[0.01, 0.1]"]
    changes.append("finals.baselines=['cross_entropy', 'gce']")
    result = resume(tmp_path / "run", changes)
    assert digest(tmp_path / "run") == digest(whole[0])
    assert result.finals == whole[2].finals
    assert load_experiment(tmp_path / "run" / "experiment.toml").stop.generations == 3


def test_finals_can_be_left_out_and_held_later(
    whole: tuple[Path, FakePool, RunResult], tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    pool = use(fake())
    result = search({**TABLE, "finals": {**TABLE["finals"], "top": 0}}, out=tmp_path / "run")
    assert (result.finals, result.interrupted, result.front) == (None, None, whole[2].front)
    assert not [job for job in pool.jobs if job.plan.measure == ("test",)]
    assert not (tmp_path / "run" / "winner.loss.json").exists()
    assert resume(tmp_path / "run", ["finals.top=1"]).finals == whole[2].finals
    assert digest(tmp_path / "run") == digest(whole[0])


def test_a_finished_run_resumed_trains_nothing(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    first = search(TABLE, out=tmp_path / "run")
    again = use(fake())
    result = resume(tmp_path / "run")
    assert again.jobs == []
    assert (result.reason, result.finals) == (first.reason, first.finals)


def test_a_resume_may_not_change_what_results_depend_on(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    with pytest.raises(ExperimentError, match=r"\[budget\] differs from the run's own"):
        resume(tmp_path / "run", ["budget.steps=9"])
    with pytest.raises(ExperimentError, match=r"\[budget\] differs from the run's own"):
        resume(tmp_path / "run", ["budget.steps=1"])  # below a rung, which is not what is wrong
    assert resume(tmp_path / "run").reason == "3 generations are done"


def test_a_store_of_another_search_is_not_continued(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    path = tmp_path / "run" / "experiment.toml"
    path.write_text(path.read_text().replace("seed = 3", "seed = 4"))
    with pytest.raises(RunError, match=r"candidate 0 is .* in the store, and the search proposes"):
        resume(tmp_path / "run")


def test_evaluations_end_the_search_with_their_batch(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    result = search({**TABLE, "stop": {"evaluations": 1}}, out=tmp_path / "run")
    assert result.progress.generation >= 1
    assert result.reason == f"{result.progress.evaluated} candidates are trained"


def test_a_target_ends_the_search(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    result = search({**TABLE, "stop": {"target": 0.1}}, out=tmp_path / "run")
    assert result.reason == "the target of 0.1 is reached"
    assert result.progress.fitness is not None
    assert result.progress.fitness >= 0.1


def test_time_ends_a_batch_which_is_then_left_to_a_resume(
    whole: tuple[Path, FakePool, RunResult],
    tmp_path: Path,
    use: Callable[[FakePool], FakePool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = use(fake())
    clock = SimpleNamespace(monotonic=lambda: 100.0 if len(pool.jobs) >= 1 else 0.0)
    monkeypatch.setattr("symloss.running.stopping.time", clock)
    result = search({**TABLE, "stop": {"time": 90, "generations": 3}}, out=tmp_path / "run")
    assert result.reason == "the time of 90 seconds is over"
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        told = sum(batch.candidates for batch in store.batches())
        assert len(list(store.candidates())) > told
    assert result.progress.candidates == told
    result = resume(tmp_path / "run", ["stop.time=1000000"])
    assert result.reason == "3 generations are done"
    assert digest(tmp_path / "run") == digest(whole[0])


def test_a_search_whose_space_is_exhausted_says_so(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nslot = "classification"\n[operators]\nmul = 1\n[variables]\nt = 1\np = 1\n'
        "[limits]\ninitial_depth = [1, 1]\nmax_depth = 1\nmax_nodes = 3\n"
    )
    table = {**TABLE, "grammar": str(tmp_path / "tiny.toml"), "search": {"population": 6, "patience": 30, "elites": 1}}
    result = search({**table, "stop": {"generations": 1000}}, out=tmp_path / "run")
    assert "nothing new to propose" in result.reason


def test_a_run_in_which_nothing_was_scored_ends_in_a_plain_sentence(
    tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(fake())
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nslot = "classification"\n[operators]\nadd = 1\n[variables]\nt = 1\np = 1\n'
        "[limits]\ninitial_depth = [1, 1]\nmax_depth = 1\nmax_nodes = 3\n"
    )
    table = {**TABLE, "grammar": str(tmp_path / "tiny.toml"), "stop": {"generations": 2}}
    result = search(table, out=tmp_path / "run")
    assert result.finals is not None
    assert result.finals.sentence == "no candidate was scored"
    assert result.winner is None
    assert not (tmp_path / "run" / "winner.loss.json").exists()


def test_a_second_driver_is_refused(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    with find_run(tmp_path / "run").locked(), pytest.raises(RunError, match="in use by another driver"):
        resume(tmp_path / "run")
    resume(tmp_path / "run")


def test_the_lock_of_a_dead_driver_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from symloss.running.storage.rundir import RunDirectory\n"
        "with RunDirectory(Path(sys.argv[1])).locked(): os._exit(9)"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=False).returncode == 9
    assert "process" in (tmp_path / "run.lock").read_text()
    with RunDirectory(tmp_path).locked():
        pass


def test_directories_that_cannot_hold_a_new_run(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    with pytest.raises(RunError, match="holds a run already; continue it with `symloss resume"):
        search(TABLE, out=tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep me")
    with pytest.raises(RunError, match=r"is not empty \(it holds mine.txt\)"):
        search(TABLE, out=tmp_path / "full")
    with pytest.raises(RunError, match="cannot be made a run directory"):
        search(TABLE, out=tmp_path / "full" / "mine.txt")
    with pytest.raises(RunError, match="is no run directory"):
        resume(tmp_path / "full")


def test_the_default_directory_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("symloss.running.storage.rundir.time.strftime", lambda *_: "20260101T000000Z")
    first = default_directory("small")
    first.mkdir(parents=True)
    assert str(first) == "runs/small-20260101T000000Z"
    assert str(default_directory("small")) == "runs/small-20260101T000000Z-2"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["grammar=regression"], "is for the slot regression, and task"),
        (["finals.baselines=['cross_entropi']"], "Did you mean 'cross_entropy'"),
        (["search.popultion=3"], "Did you mean 'population'"),
        (["search.method=evolutionn"], "Did you mean 'evolution'"),
        (["task.nose=0.4"], "Did you mean 'noise'"),
    ],
)
def test_mistakes_are_named_before_anything_is_made(tmp_path: Path, changes: list[str], said: str) -> None:
    with pytest.raises(Exception, match=said) as caught:
        search(TABLE, out=tmp_path / "run", overrides=changes)
    assert isinstance(caught.value, ExperimentError)
    assert not (tmp_path / "run").exists()


class Impatient(Silent):
    """Sends a signal after some cohorts."""

    def __init__(self, number: int, after: int) -> None:
        self._number = number
        self._left = after
        self.ended = ""

    def progressed(self, progress: Progress) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._number)

    def search_done(self, progress: Progress, reason: str) -> None:
        self.ended = reason


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [1, 4])
def test_a_signal_saves_and_a_resume_goes_on(
    whole: tuple[Path, FakePool, RunResult],
    tmp_path: Path,
    use: Callable[[FakePool], FakePool],
    number: signal.Signals,
    after: int,
) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    use(fake())
    observer = Impatient(number, after)
    result = search(TABLE, out=tmp_path / "run", observer=observer)
    assert result.interrupted == number
    assert observer.ended == result.reason == f"interrupted by {number.name}"
    assert result.finals is None
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    resume(tmp_path / "run")
    assert digest(tmp_path / "run") == digest(whole[0])


def test_outside_the_main_thread_no_handler_is_touched(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    results: list[RunResult] = []
    thread = threading.Thread(target=lambda: results.append(search(TABLE, out=tmp_path / "run")))
    thread.start()
    thread.join()
    assert results[0].finals is not None


def test_cohorts_are_cut_in_asked_order_by_size_alone() -> None:
    from tests.test_store import candidate

    plan = Plan(5, (0.1,), (1,))
    jobs = Cutter(plan, 3, 60.0)([candidate(number) for number in (2, 3, 5, 8, 9, 11, 12)])
    assert [[number for number, *_ in job.candidates] for job in jobs] == [[2, 3, 5], [8, 9, 11], [12]]
    assert [job.number for job in jobs] == [2, 8, 12]


@pytest.mark.parametrize(
    ("decision", "jobs"),
    [
        (Decision("stacked", "", 1000), [3, 3, 1]),
        (Decision("stacked", "", 9), [2, 2, 2, 1]),  # of 4 models each
        (Decision("stacked", "", 2), [1] * 7),
        (Decision("single", ""), [1] * 7),
    ],
)
def test_a_job_is_no_more_than_trains_together(decision: Decision, jobs: list[int]) -> None:
    from tests.test_store import candidate

    changes = ["budget.cohort=3", "budget.learning_rates=[0.1, 0.2]", "budget.seeds=2"]
    cutter = plan_jobs(load_experiment("noisy_digits", changes), decision)
    assert [len(job.candidates) for job in cutter([candidate(number) for number in range(7)])] == jobs


def test_an_experiment_can_be_given_in_any_form(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "a")
    experiment = load_experiment(tmp_path / "a" / "experiment.toml")
    search(experiment, out=tmp_path / "b")
    search(str(tmp_path / "a" / "experiment.toml"), out=tmp_path / "c")
    assert read_toml(experiment_toml(experiment), "x")["seed"] == 3
    assert digest(tmp_path / "a") == digest(tmp_path / "b") == digest(tmp_path / "c")


def test_rejections_and_duplicates_are_stored_too(whole: tuple[Path, FakePool, RunResult]) -> None:
    counts = states(whole[0])
    assert sum(counts.values()) == whole[2].progress.candidates
    assert counts == dict(whole[2].progress.counts)
    assert whole[2].progress.evaluated == sum(counts.get(state, 0) for state in TRAINED)


def test_finals_of_a_shorter_run_are_forgotten_when_it_goes_on(
    tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    use(fake(cut_after=8))  # a few batches later
    with pytest.raises(PowerCutError):
        resume(tmp_path / "run", ["stop.generations=60"])
    assert not (tmp_path / "run" / "winner.loss.json").exists()
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert len(store.batches()) > 3
        assert store.meta()["finals"] is None
        assert store.meta()["ended"] == ""


def test_finals_of_other_settings_are_forgotten(tmp_path: Path, use: Callable[[FakePool], FakePool]) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    use(fake(cut_after=0))
    with pytest.raises(PowerCutError):
        resume(tmp_path / "run", ["finals.seeds=3"])
    assert not (tmp_path / "run" / "winner.loss.json").exists()


def test_time_counts_batches_that_were_not_finished(
    tmp_path: Path, use: Callable[[FakePool], FakePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = [use(fake())]
    clock = SimpleNamespace(monotonic=lambda: 100.0 * len(pools[-1].jobs))
    monkeypatch.setattr("symloss.running.stopping.time", clock)
    table = {**TABLE, "stop": {"time": 50, "generations": 3}}
    assert "50 seconds" in search(table, out=tmp_path / "run").reason
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert not store.batches()
        assert store.meta()["sessions"][0]["seconds"] == 100.0
    pools.append(use(fake()))
    assert "150 seconds" in resume(tmp_path / "run", ["stop.time=150"]).reason
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert [each["seconds"] for each in store.meta()["sessions"]] == [100.0, 100.0]


@pytest.mark.parametrize("place", ["choose_stacking", "set_up", "write_whole"])
def test_a_break_before_a_run_is_set_up_leaves_no_directory(
    tmp_path: Path, use: Callable[[FakePool], FakePool], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    use(fake())
    original = getattr(symloss.running.run, place)

    def interrupted(*arguments: Any) -> None:
        if place == "set_up":
            original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(symloss.running.run, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(TABLE, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert search(TABLE, out=tmp_path / "run").reason == "3 generations are done"


FORCED = """
import os, sys, threading, time
from symloss.judging import stand_in
from symloss.running.observer import Silent
from symloss.running.run import ForcedExit, search

class Impatient(Silent):
    def progressed(self, progress):
        threading.Thread(target=self.send, daemon=True).start()

    def send(self):
        os.kill(os.getpid(), int(sys.argv[2]))
        time.sleep(0.3)  # the job in flight takes longer
        os.kill(os.getpid(), int(sys.argv[2]))

if __name__ == "__main__":
    stand_in.is_harmless = lambda spec: False  # a Ray that still starts may end with its own status
    small = ["search.population=60", "search.elites=2", "budget.steps=300", "budget.cohort=1"]
    small += ["budget.rungs=[]", "budget.stack=single"]
    try:
        search("noisy_digits", sys.argv[1], workers=1, overrides=small, observer=Impatient())
    except ForcedExit as ended:
        sys.stderr.write(f"{ended.directory} can be resumed")
        raise
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_a_driver_of_ray_workers_with_the_shells_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    script = tmp_path / "forced.py"
    script.write_text(FORCED)
    arguments = [sys.executable, str(script), str(tmp_path / "run"), str(int(number))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == code, done.stderr[-2000:]
    assert f"{tmp_path / 'run'} can be resumed" in done.stderr
    assert (tmp_path / "run" / "run.sqlite").exists()


@pytest.mark.parametrize("name", ["focul", "mse"])
def test_a_resume_with_wrong_baselines_changes_nothing(
    tmp_path: Path, use: Callable[[FakePool], FakePool], name: str
) -> None:
    use(fake())
    search(TABLE, out=tmp_path / "run")
    before = (tmp_path / "run" / "experiment.toml").read_bytes()
    with pytest.raises(ExperimentError, match=rf"\[finals\] baselines names an unknown baseline '{name}'"):
        resume(tmp_path / "run", [f"finals.baselines=['{name}']"])
    assert (tmp_path / "run" / "experiment.toml").read_bytes() == before
    assert resume(tmp_path / "run").finals is not None


KILLED = """
import os, sys
import symloss.running.run as run
at, path = sys.argv[1:]
original = getattr(run, at)
def die(*arguments): os._exit(9)
if at == "RunStore": original.write_meta = die
else: setattr(run, at, die)
run.search({table!r}, out=path, workers=0)
"""


@pytest.mark.parametrize("place", ["set_up", "RunStore"])
def test_a_driver_killed_in_its_first_moments_leaves_a_directory_that_can_be_used(
    tmp_path: Path, use: Callable[[FakePool], FakePool], place: str
) -> None:
    arguments = [sys.executable, "-c", KILLED.replace("{table!r}", repr(TABLE)), place, str(tmp_path / "run")]
    root = Path(__file__).parent.parent
    assert subprocess.run(arguments, cwd=root, check=False).returncode == 9
    assert (tmp_path / "run" / "run.lock").exists()
    assert not (tmp_path / "run" / "run.sqlite").exists()
    use(fake())
    assert search(TABLE, out=tmp_path / "run").reason == "3 generations are done"
    assert not list((tmp_path / "run").glob(".*"))


def test_what_a_killed_driver_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [f".report.html.{dead.pid}.part", f".winner.loss.json.{dead.pid}-0a1b2c3d.part"]
    kept = [f".report.html.{os.getpid()}.part", ".notes.part", ".run.sqlite.part", "report.html"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    with RunDirectory(tmp_path).locked():
        pass
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*kept, "run.lock"])


def test_a_persons_own_experiment_is_no_leftover(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        search(TABLE, out=tmp_path)
    assert (tmp_path / "experiment.toml").read_text() == "mine"
