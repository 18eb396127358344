"""The finals: chosen on validation, tried on the test set once, resumable, and honest when nothing was won."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symloss.judging.evaluate import Job, Judged
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.tasks.metrics import Metric
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome, State
from symloss.language.formula import parse
from symloss.language.zoo import zoo
from symloss.running.proof.entrants import Entrant, entrants
from symloss.running.proof.finals import Finals, compare, run_finals
from symloss.running.proof.trials import Trials, Watcher, job_name
from symloss.running.seeds import finals_seeds, search_seeds
from symloss.running.storage.store import RunStore
from tests.fakes import FakePool, PowerCutError

DIGITS = make_task({"name": "digits"})
TARGETS = DIGITS.test()[1].numpy()
GOOD, FAIR, POOR = (parse(f"-t*log(p) - {factor}*p*t").text for factor in (0.5, 0.25, 0.125))
CE, GCE = zoo["cross_entropy"].text, zoo["gce"].text
SKILL = {GOOD: 0.9, FAIR: 0.8, POOR: 0.7, CE: 0.82, GCE: 0.9}
TRIALS = Trials(Plan(10, (0.01, 0.1, 1.0), finals_seeds(0, 8)), seed=0, resamples=300, time_limit=60.0)
FIELD = entrants([parse(FAIR), parse(GOOD), parse(POOR)], ["cross_entropy", "gce"])


class Trialled(FakePool):
    """A fake pool whose formulas have known skills; some states can be forced.

    Args:
        failing: texts of formulas that fail, and the part on which they do.
    """

    def __init__(self, failing: dict[str, str] | None = None, **settings: Any) -> None:
        super().__init__(targets=TARGETS, skill=lambda text: SKILL[text], **settings)
        self._failing = failing or {}

    def run_with_outputs(self, jobs: Any, stop: Callable[[], bool] = bool) -> Iterator[tuple[Job, list[Judged]]]:
        for job, judged in super().run_with_outputs(jobs, stop):
            failed = self._failing.get(job.candidates[0][1]) == job.plan.measure[0]
            lost = Judged(Outcome(job.candidates[0][0], State.DIVERGED, "its loss was not finite"))
            yield job, [lost] if failed else judged


def tried(field: list[Entrant], pool: FakePool, task: Task = DIGITS, **more: Any) -> Finals:
    finals = run_finals(field, task, TRIALS, pool, None, **more)
    assert finals is not None
    return finals


def test_the_winner_is_the_best_found_on_validation_and_is_compared_with_each_baseline() -> None:
    pool = Trialled()
    finals = tried(FIELD, pool)
    assert finals.winner == parse(GOOD)
    assert [verdict.baseline for verdict in finals.verdicts] == ["cross_entropy", "gce"]
    assert finals.verdicts[0].better
    assert not finals.verdicts[1].better
    interval = finals.verdicts[0].interval
    assert interval is not None
    assert interval.difference == pytest.approx(0.08, abs=0.02)
    assert interval.low < 0.08 < interval.high
    assert finals.sentence.startswith("beats tuned cross_entropy by ")
    assert "points (95 % CI " in finals.sentence
    assert "8 seeds); not better than gce (p = 1.00)" in finals.sentence


def test_the_test_set_is_touched_once_by_winner_and_baselines_alone_at_their_own_rates() -> None:
    pool = Trialled()
    finals = tried(FIELD, pool)
    tests = [job for job in pool.jobs if job.plan.measure == ("test",)]
    assert sorted(job.candidates[0][1] for job in tests) == sorted([GOOD, CE, GCE])
    rates = {row.formula: row.learning_rate for row in finals.rows}
    for job in tests:
        assert job.plan.learning_rates == (rates[job.candidates[0][1]],)
        assert job.plan.seeds == TRIALS.plan.seeds
    rows = {row.formula: row for row in finals.rows}
    assert set(rows[GOOD].test) == {"accuracy", "nll"}
    assert rows[POOR].test == {}
    assert rows[POOR].validation is not None


def test_all_learning_rates_and_seeds_are_trained_on_validation() -> None:
    pool = Trialled()
    tried(FIELD, pool)
    plans = {job.plan for job in pool.jobs if job.plan.measure == ("valid",)}
    assert plans == {TRIALS.plan}


def test_finals_do_not_depend_on_the_order_of_completion() -> None:
    assert tried(FIELD, Trialled()) == tried(FIELD, Trialled(backwards=True))


def test_interrupted_finals_go_on_where_they_were(tmp_path: Path) -> None:
    whole = tried(FIELD, Trialled())
    with RunStore.create(tmp_path / "whole.sqlite", {}) as store:
        run_finals(FIELD, DIGITS, TRIALS, Trialled(), store)
        digest = store.digest()
    for cut_after in range(8):
        with RunStore.create(tmp_path / f"{cut_after}.sqlite", {}) as store:
            with pytest.raises(PowerCutError):
                run_finals(FIELD, DIGITS, TRIALS, Trialled(cut_after=cut_after), store)
            rest = Trialled()
            assert run_finals(FIELD, DIGITS, TRIALS, rest, store) == whole
            assert len(rest.jobs) == 8 - cut_after
            assert store.digest() == digest


def test_a_stop_leaves_them_unfinished(tmp_path: Path) -> None:
    pool, told = Trialled(), []
    with RunStore.create(tmp_path / "run.sqlite", {}) as store:
        watcher = Watcher(lambda *at: told.append(at))
        finals = run_finals(FIELD, DIGITS, TRIALS, pool, store, lambda: len(pool.jobs) >= 3, watcher)
        assert finals is None
        assert told == [(0, 5), (1, 5), (2, 5), (3, 5)]
        assert len(store.trials()) == 3
        finals = run_finals(FIELD, DIGITS, TRIALS, Trialled(), store, watcher=watcher)
    assert finals is not None
    assert told[-1] == (3, 3)


def test_other_finals_forget_the_trials_of_earlier_ones(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run.sqlite", {}) as store:
        run_finals(FIELD, DIGITS, TRIALS, Trialled(), store)
        run_finals(entrants([parse(GOOD)], ["gce"]), DIGITS, TRIALS, pool := Trialled(), store)
        assert pool.jobs == []
        assert {trial.formula for trial in store.trials().values()} == {GOOD, GCE}


def test_a_winner_that_is_a_baseline_is_no_better_than_itself() -> None:
    pool = Trialled()
    finals = tried(entrants([parse(CE), parse(POOR)], ["cross_entropy", "gce"]), pool)
    assert finals.winner == parse(CE)
    assert finals.sentence.startswith("does not beat tuned cross_entropy: no difference in any of 8 seeds")
    assert "worse than gce by" in finals.sentence
    assert len([job for job in pool.jobs if job.candidates[0][1] == CE]) == 2


def test_nothing_found_nothing_scored() -> None:
    nothing = tried(entrants([], ["cross_entropy"]), pool := Trialled())
    assert (nothing.winner, nothing.sentence, pool.jobs) == (None, "no candidate was scored", [])
    failed = tried(entrants([parse(GOOD)], ["gce"]), Trialled(failing={GOOD: "valid"}))
    assert failed.winner is None
    assert failed.sentence == "no candidate was scored in the finals"
    assert failed.rows[0].reason == "its loss was not finite"
    assert failed.rows[1].validation is not None


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_baseline_that_fails_is_not_compared(part: str) -> None:
    finals = tried(FIELD, Trialled(failing={CE: part}))
    assert finals.sentence.startswith("not compared with tuned cross_entropy: ")
    assert finals.verdicts[0].interval is None
    assert finals.verdicts[1].interval is not None
    row = next(row for row in finals.rows if row.name == "cross_entropy")
    assert row.reason == "its loss was not finite"
    assert row.test == {}


def test_a_winner_that_fails_on_the_test_set_claims_nothing() -> None:
    finals = tried(FIELD, Trialled(failing={GOOD: "test"}))
    assert finals.winner == parse(GOOD)
    assert all(verdict.interval is None for verdict in finals.verdicts)
    assert "beats" not in finals.sentence


class Measured:
    """The digits task, judged by another metric."""

    def __init__(self, metric: Metric) -> None:
        self.metric, self.metrics = metric, (metric,)
        self.name = DIGITS.name

    def test(self) -> Any:
        return DIGITS.test()


def test_a_metric_that_is_minimised_and_is_no_mean_is_computed_anew() -> None:
    def root_error(outputs: Any, targets: Any) -> Any:
        return (outputs.argmax(-1) != targets).double().mean(-1).sqrt()

    class Inverted(Trialled):
        def _values(self, text: str, step: int, rate: float, seed: int) -> dict[str, float]:
            return {"root_error": 1 - SKILL[text] + 0.01 * rate}

    finals = tried(FIELD, Inverted(), Measured(Metric("root_error", False, root_error)))
    assert finals.winner == parse(GOOD)
    assert finals.verdicts[0].better
    interval = finals.verdicts[0].interval
    assert interval is not None
    assert interval.difference == pytest.approx(np.sqrt(0.18) - np.sqrt(0.1), abs=0.03)
    assert "root_error (95 % CI" in finals.sentence
    assert next(row for row in finals.rows if row.formula == GOOD).learning_rate == 0.01


def test_compare_measures_every_named_formula_and_sets_the_first_against_the_rest() -> None:
    pool = Trialled()
    field = [Entrant("mine", parse(FAIR), "named"), Entrant("good", parse(GOOD), "named")]
    finals = compare(field, DIGITS, TRIALS, pool)
    assert finals is not None
    assert finals.winner == parse(FAIR)
    assert [verdict.baseline for verdict in finals.verdicts] == ["good"]
    assert finals.verdicts[0].worse
    assert all(row.test for row in finals.rows)
    assert compare(field, DIGITS, TRIALS, Trialled(), lambda: True) is None


def test_the_document_is_plain_json() -> None:
    import json

    document = tried(FIELD, Trialled()).document()
    assert json.loads(json.dumps(document))["winner"] == GOOD
    assert document["verdicts"][0]["interval"]["seeds"] == 8


def test_a_jobs_name_says_all_that_decides_its_result() -> None:
    plan = TRIALS.plan
    other = Plan(10, (0.01, 0.1, 1.0), finals_seeds(1, 8))
    names = {job_name(parse(CE), plan), job_name(parse(CE), other), job_name(parse(GCE), plan)}
    assert len(names) == 3
    assert job_name(parse("t*(0 - log(p))"), plan) == job_name(parse(CE), plan)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_the_seeds_of_finals_are_fresh(seed: int) -> None:
    search, finals = search_seeds(seed, 50), finals_seeds(seed, 50)
    assert len({*search, *finals}) == 100
    assert finals_seeds(seed, 10) == finals[:10]
    assert not {*finals_seeds(seed + 1, 50)} & {*finals}
    assert not {*search_seeds(seed + 1, 50), *search} & {*finals}


def test_every_metric_of_the_task_has_paired_differences() -> None:
    finals = tried(FIELD, Trialled())
    pairs = [(each.metric, each.baseline) for each in (*finals.verdicts, *finals.others)]
    assert pairs == [(metric.name, name) for metric in DIGITS.metrics for name in ("cross_entropy", "gce")]
    nll = finals.others[0].interval
    assert nll is not None
    assert nll.low < nll.difference < nll.high
    assert nll.low > 0  # more hits at equal confidence are less surprise, and less is better
    assert finals.document()["others"][0]["interval"]["difference"] == nll.difference


def test_a_failed_baseline_has_a_reason_for_every_metric() -> None:
    finals = tried(FIELD, Trialled(failing={CE: "test"}))
    lost = [each for each in finals.others if each.baseline == "cross_entropy"]
    assert [each.reason for each in lost] == ["its loss was not finite"] * 2


def test_comparisons_are_told_and_can_be_stopped() -> None:
    told: list[tuple[int, int]] = []
    watcher = Watcher(compared=lambda *at: told.append(at))
    finals = tried(FIELD, Trialled(), watcher=watcher)
    total = len(finals.verdicts) + len(finals.others)
    assert told == [(done, total) for done in range(1, total + 1)]
    del told[:]
    assert run_finals(FIELD, DIGITS, TRIALS, Trialled(), None, lambda: bool(told), watcher) is None
    assert told == [(1, total)]


def test_a_slow_metric_is_computed_once_on_each_resample_for_all_baselines() -> None:
    calls: list[int] = []

    def counted(outputs: Any, targets: Any) -> Any:
        calls.append(1)
        return (outputs.argmax(-1) == targets).double().mean(-1)

    class Counted(Trialled):
        def _values(self, text: str, step: int, rate: float, seed: int) -> dict[str, float]:
            return {"counted": SKILL[text]}

    finals = tried(FIELD, Counted(), Measured(Metric("counted", True, counted)))
    formulas = 1 + len(finals.verdicts)
    assert len(calls) <= formulas * (TRIALS.resamples + 2)
