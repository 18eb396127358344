"""A desk's task: made once, made anew when a model wrote into its data, and warmed up before any clock runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from symloss.errors import ExperimentError
from symloss.judging import desk as desks
from symloss.judging import worker as workers
from symloss.judging.desk import SPOILT, Desk
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.seal import Seal, data_digest
from symloss.judging.tasks import make_task, runs_own_code
from symloss.judging.worker import Worker
from symloss.language.candidate import State
from tests.evil_task import WRITES

pytestmark = pytest.mark.usefixtures("one_thread")
DIGITS = {"name": "digits", "hidden": [8]}
EVIL = {"factory": "evil_task.py:task", "folder": str(Path(__file__).parent)}
PLAN = Plan(4, (0.01,), (0,), stack="stacked")


def job(*texts: str, slot: str = "activation") -> Job:
    return Job(0, tuple((i, text, slot) for i, text in enumerate(texts)), PLAN, 60.0)


def test_a_seal_is_broken_by_a_write_into_any_part() -> None:
    task = make_task(DIGITS)
    assert not Seal(task).broken()
    for place, tensor in enumerate([task.x, *task.test()]):
        seal = Seal(task)
        kept = tensor.flatten()[7].clone()
        tensor.view(-1)[7] = kept + 1
        assert seal.broken(), place
        tensor.view(-1)[7] = kept
        assert not seal.broken(), place


def test_rows_that_change_places_break_a_seal() -> None:
    task = make_task(DIGITS)
    seal = Seal(task)
    task.x[:2] = task.x[:2].flip(0).clone()
    assert seal.broken()


def test_what_wrote_into_the_data_is_unfinished_and_the_next_job_has_the_data_of_the_first() -> None:
    desk = Desk(EVIL)
    before, digest = desk.judge(job("tanh(x)")), data_digest(desk.task)
    spoilt = desk.judge(job("tanh(x)", WRITES))
    assert (spoilt.judged, spoilt.unfinished, spoilt.state) == ((), SPOILT, State.CRASHED)
    after = desk.judge(job("tanh(x)"))
    assert data_digest(desk.task) == digest
    assert after.judged[0].outcome.measurements == before.judged[0].outcome.measurements


def test_what_was_made_already_is_taken_unless_it_runs_a_users_code() -> None:
    for spec, taken in ((DIGITS, True), (EVIL, False)):
        made = make_task(spec)
        assert (Desk(spec, made).task is made) == taken


def test_data_are_looked_at_only_where_code_is_not_symlosss_own() -> None:
    assert runs_own_code(EVIL)
    assert not runs_own_code(DIGITS)
    assert Desk(DIGITS)._seal is None


def test_a_workers_task_is_made_once_for_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(spec: object) -> object:
        made.append(spec)
        return make_task(spec)

    monkeypatch.setattr(desks, "make_task", counted)
    monkeypatch.setattr(workers, "silence", lambda: None)
    worker = Worker(DIGITS, 2)
    ready = worker.prepare()
    assert (ready.fault, ready.data) == ("", data_digest(make_task(DIGITS)))
    answers = [worker.judge(job("-t*log(p)", slot="classification")) for _ in range(3)]
    assert len(made) == 1
    assert {answer.report.judged[0].outcome.state for answer in answers} == {State.SCORED}
    assert answers[0].resident > 0
    assert answers[0].limit > 2**30


@pytest.mark.parametrize(
    ("spec", "fault"),
    [({"name": "digts"}, "unknown task"), ({**EVIL, "factory": "evil_task.py:exits"}, "raised SystemExit: 3")],
)
def test_a_worker_says_why_its_task_cannot_be_made(
    spec: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "silence", lambda: None)
    assert fault in Worker(spec).prepare().fault
    with pytest.raises(ExperimentError, match=fault):
        Desk(spec)


def test_a_model_that_exits_does_not_end_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*asked: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(workers, "silence", lambda: None)
    worker = Worker(DIGITS)
    worker.prepare()
    monkeypatch.setattr(desks, "judge", leave)
    report = worker.judge(job("-t*log(p)", slot="classification")).report
    assert (report.unfinished, report.state) == ("SystemExit: 3", State.CRASHED)


def test_after_the_warm_up_a_job_imports_nothing_and_the_slowest_imports_are_spared() -> None:
    code = f"""
import sys
from symloss.judging.desk import Desk
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
desk = Desk({DIGITS!r})
before = set(sys.modules)
report = desk.judge(Job(0, ((0, "-t*log(p)", "classification"),), Plan(4, (0.01,), (0,), stack="stacked"), 60.0, True))
new = {{name for name in set(sys.modules) - before if name.split(".")[0] in ("torch", "numba", "sympy", "symloss")}}
print(report.judged[0].outcome.state, new, {{"sklearn", "torch._dynamo", "pandas", "ray"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "scored set() set()\n", done.stderr
