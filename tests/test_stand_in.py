"""Who judges while workers start: the same outcomes, each job once, and nothing of a user's own code."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain

import pytest

from symloss import plugins
from symloss.errors import ExperimentError
from symloss.judging import drain, stand_in
from symloss.judging.desk import Desk
from symloss.judging.drain import never
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan, Trained
from symloss.judging.stand_in import StandIn, is_harmless
from symloss.judging.tasks import make_task
from symloss.language.candidate import State
from tests.test_pool import COHORTS, DIGITS, EVIL, Clock, jobs


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "PAUSE", 0.0)
    monkeypatch.setattr(drain, "PAUSE", 0.0)
    monkeypatch.setattr(drain, "DRAIN", 0.0)


def numbers(given: object) -> list[int]:
    return [job.number for job in given]  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [list, iter])
@pytest.mark.parametrize("times", [0, 1, 2, 5, 9, 15, 40])
def test_every_job_is_judged_or_left(shape: Callable[[list[Job]], list[Job]], times: int) -> None:
    one = StandIn(DIGITS, Clock(times))
    judged = numbers(job for job, _ in one.run(shape(COHORTS), never))
    left = numbers(one.left)
    assert judged + left == numbers(COHORTS)
    assert one.is_done == (not left)


def test_where_there_is_nothing_to_judge_nothing_is_done() -> None:
    one = StandIn(DIGITS, never)
    assert list(one.run([], never)) == []
    assert not one.is_done


def test_of_a_sequence_a_sequence_is_left() -> None:
    one = StandIn(DIGITS, Clock(9))
    assert [job.number for job, _ in one.run(COHORTS, never)] == [0]
    assert one.left == COHORTS[1:]


def test_of_an_endless_line_no_more_is_asked_for_than_is_judged() -> None:
    asked = []

    def endless() -> Iterator[Job]:
        for job in chain(COHORTS, iter(lambda: pytest.fail("one too many"), None)):
            asked.append(job)
            yield job

    found = StandIn(DIGITS, never).run(endless(), never)
    for job in COHORTS:
        assert next(found)[0] is job
        assert asked[-1] is job


def test_a_stop_leaves_what_is_at_work() -> None:
    one = StandIn(DIGITS, never)
    stop = Clock(5)
    assert list(one.run(jobs(["-t*log(p)"], plan=Plan(10_000, (0.01,), (0,), stack="stacked")), stop)) == []
    assert len(list(one.left)) == 1
    assert stop.asked < 12


def test_an_exit_that_a_library_swallows_in_training_is_no_failure_of_the_candidate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        if len(asked) > 2:
            raise SystemExit(130)
        return False

    def swallows(job: Job, task: object, stop: Callable[[], bool]) -> list[object]:
        with suppress(SystemExit):
            stop()
        return [(Trained(State.CRASHED, "it ended"), None) for _ in job.candidates]

    monkeypatch.setattr("symloss.judging.evaluate.train_all", swallows)
    with pytest.raises(SystemExit):
        list(StandIn(DIGITS, never).run(COHORTS, stop))


def test_what_runs_out_of_time_is_left_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(job: Job, task: object, stop: object) -> list[object]:
        return [(Trained(State.TIMED_OUT, "late"), None) for _ in job.candidates]

    one = StandIn(DIGITS, never)
    monkeypatch.setattr("symloss.judging.evaluate.train_all", late)
    assert list(one.run(COHORTS, never)) == []
    assert one.left == COHORTS


def test_a_task_that_nobody_knows_is_left_to_workers() -> None:
    one = StandIn({"name": "nonsense"}, never)
    assert list(one.run(COHORTS, never)) == []
    assert one.left == COHORTS


def test_a_job_that_fails_as_a_whole_is_left_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*rest: object) -> None:
        raise RuntimeError("whose fault?")

    one = StandIn(DIGITS, never)
    monkeypatch.setattr("symloss.judging.evaluate.train_all", fails)
    assert list(one.run(COHORTS, never)) == []
    assert one.left == COHORTS


def test_a_task_that_cannot_be_made_is_left_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(spec: object) -> None:
        raise ExperimentError("no data")

    monkeypatch.setattr(stand_in, "Desk", refuses)
    one = StandIn(DIGITS, never)
    assert list(one.run(COHORTS, never)) == []
    assert one.left == COHORTS


def test_a_users_own_code_waits_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_harmless(DIGITS)
    assert not is_harmless(EVIL)
    monkeypatch.setattr(stand_in, "Desk", lambda spec: pytest.fail("it must not be made here"))
    one = StandIn(EVIL, never)
    assert list(one.run(COHORTS, never)) == []
    assert one.left == COHORTS


def test_a_task_is_made_once_for_batch_after_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(stand_in, "Desk", lambda spec, task: made.append(spec) or Desk(spec, task))
    one = StandIn(DIGITS, never)
    for batch in (COHORTS[:1], COHORTS[1:]):
        assert numbers(job for job, _ in one.run(batch, never)) == numbers(batch)
    assert made == [DIGITS]
    monkeypatch.setitem(plugins._ADOPTED, ("operators", "own"), None)  # type: ignore[misc]
    assert list(one.run(COHORTS, never)) == []


def test_a_task_that_is_expected_is_not_made_again() -> None:
    one, made = StandIn(DIGITS, never), make_task(DIGITS)
    one.expect(made)
    assert numbers(job for job, _ in one.run(COHORTS, never)) == numbers(COHORTS)
    assert one._desk is not None
    assert one._desk.task is made


def test_so_does_what_a_package_has_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins._ADOPTED, ("operators", "own"), None)  # type: ignore[misc]
    assert not is_harmless(DIGITS)
