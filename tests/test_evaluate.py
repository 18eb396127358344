"""Jobs: texts in, one outcome per candidate out, with time limits that blame only who is to blame."""

import threading
from pathlib import Path

import pytest

from symloss.judging.evaluate import Job, evaluate, judge
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.language.candidate import State
from tests.evil_task import RAISES, SPINS

pytestmark = pytest.mark.usefixtures("one_thread")
PLAN = Plan(4, (0.01,), (0,), stack="stacked")


# The alarm may ring inside another library's garbage-collection hook, which then reports it instead of raising it.
DROPPED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def digits():
    return make_task({"name": "digits", "hidden": [8]})


@pytest.fixture(scope="module")
def evil():
    return make_task({"factory": "evil_task.py:task", "folder": str(Path(__file__).parent)})


def job(*texts, slot="classification", limit=60.0, plan=PLAN):
    return Job(0, tuple((10 + i, text, slot) for i, text in enumerate(texts)), plan, limit)


def test_each_candidate_has_an_outcome_in_order(digits):
    outcomes = evaluate(job("-t*log(p)", "nonsense(", "(t - p)**2"), digits)
    assert [o.candidate for o in outcomes] == [10, 11, 12]
    assert [o.state for o in outcomes] == [State.SCORED, State.REJECTED, State.SCORED]
    assert outcomes[1].reason.startswith("no formula: formula, column 1: unknown function 'nonsense'")
    assert [o.formula and o.formula.text for o in outcomes] == ["-t*log(p)", None, "(t - p)**2"]
    assert outcomes[0].seconds == outcomes[2].seconds > 0


def test_a_job_of_nonsense_is_an_outcome(digits):
    assert [o.state for o in evaluate(job("1 +", "t.p"), digits)] == [State.REJECTED] * 2


@DROPPED
def test_a_candidate_that_raises_or_hangs_ends_alone(evil):
    outcomes = evaluate(job("tanh(x)", RAISES, SPINS, "sin(x)", slot="activation", limit=2.0), evil)
    assert [o.state for o in outcomes] == [State.SCORED, State.CRASHED, State.TIMED_OUT, State.SCORED]
    assert outcomes[1].reason == "ValueError: evil"
    assert "within the time limit" in outcomes[2].reason


@DROPPED
def test_a_job_that_is_slow_as_a_whole_blames_nobody(digits):
    plan = Plan(10**6, (0.01,), (0,), stack="single")
    report = judge(job("-t*log(p)", "(t - p)**2", limit=1.5, plan=plan), digits)
    assert (report.judged, report.state) == ((), State.TIMED_OUT)
    assert report.unfinished == "training did not end within 1.5 s"
    outcomes = evaluate(job("-t*log(p)", limit=1.5, plan=plan), digits)
    assert [o.state for o in outcomes] == [State.TIMED_OUT]


def test_a_task_that_fails_leaves_the_job_unfinished(digits):
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("no such part")

    report = judge(job("-t*log(p)"), Broken())
    assert (report.unfinished, report.state) == ("RuntimeError: no such part", State.CRASHED)


def test_the_outputs_on_the_test_part_come_along(digits):
    report = judge(job("-t*log(p)", plan=Plan(4, (0.01,), (0, 1), measure=("test",), stack="stacked")), digits)
    assert report.judged[0].outputs.shape == (2, 539, 10)


def test_outside_the_main_thread_there_is_no_alarm(digits):
    found = []
    thread = threading.Thread(target=lambda: found.extend(evaluate(job("-t*log(p)"), digits)))
    thread.start()
    thread.join()
    assert [o.state for o in found] == [State.SCORED]
