"""Jobs: texts in, one outcome per candidate out, with time limits that blame only who is to blame."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from symloss.judging.evaluate import Job, Stopwatch, evaluate, judge, time_limit
from symloss.judging.failures import OutOfTimeError
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.language.candidate import State
from tests.evil_task import RAISES, SPINS

pytestmark = pytest.mark.usefixtures("one_thread")
PLAN = Plan(4, (0.01,), (0,), stack="stacked")


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


def test_a_candidate_that_raises_or_hangs_ends_alone(evil):
    outcomes = evaluate(job("tanh(x)", RAISES, SPINS, "sin(x)", slot="activation", limit=0.5), evil)
    assert [o.state for o in outcomes] == [State.SCORED, State.CRASHED, State.TIMED_OUT, State.SCORED]
    assert outcomes[1].reason == "ValueError: evil"
    assert "within the time limit" in outcomes[2].reason


# The alarm may ring inside another library's garbage-collection hook, which then reports it instead of raising it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_job_that_is_slow_as_a_whole_blames_nobody(digits):
    plan = Plan(10**6, (0.01,), (0,), stack="single")
    report = judge(job("-t*log(p)", "(t - p)**2", limit=0.4, plan=plan), digits)
    assert (report.judged, report.state) == ((), State.TIMED_OUT)
    assert report.unfinished == "training did not end within 0.4 s"
    outcomes = evaluate(job("-t*log(p)", limit=0.4, plan=plan), digits)
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


def test_the_alarm_is_put_back():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(OutOfTimeError), time_limit(0.01):
        signal.pause()
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_second_alarm_blames_nobody():
    with time_limit(0.05):
        with pytest.raises(OutOfTimeError) as first:
            signal.pause()
        with pytest.raises(OutOfTimeError) as second:
            signal.pause()
    assert first.value.patience < 0.05 < second.value.patience


@pytest.mark.parametrize(
    ("wall", "own", "counted"),
    [
        (1.0, 0.0, 1.0),  # asleep, but there when it was to look
        (50.0, 49.0, 50.0),  # in a long call into C
        (50.0, 0.0, 1.1),  # stopped
        (50.0, 10.0, 11.1),  # at work, then stopped
    ],
)
def test_time_in_which_the_process_is_stopped_does_not_count(wall, own, counted, monkeypatch):
    clocks = {"monotonic": 7.0, "process_time": 3.0}
    for name in clocks:
        monkeypatch.setattr(f"symloss.judging.evaluate.time.{name}", lambda name=name: clocks[name])
    watch = Stopwatch()
    clocks["monotonic"], clocks["process_time"] = 7.0 + wall, 3.0 + own
    watch.look(due=1.0)
    assert watch.seconds == pytest.approx(counted)


STOPPABLE = """
import time
from symloss.judging.evaluate import time_limit
with time_limit(2.0):
    print("begun", flush=True)
    for _ in range(20):
        time.sleep(0.02)
print("done")
"""


def test_a_stopped_process_that_goes_on_is_not_out_of_time():
    with subprocess.Popen([sys.executable, "-c", STOPPABLE], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "begun\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        child.send_signal(signal.SIGCONT)
        assert child.stdout.read() == "done\n"


def test_the_soft_limit_comes_when_it_is_due():
    began = time.monotonic()

    def spin():
        while time.monotonic() - began < 30:
            pass

    with pytest.raises(OutOfTimeError), time_limit(1.3):
        spin()
    assert time.monotonic() - began < 10  # it is a tenth of a second where nothing else is at work


def test_outside_the_main_thread_there_is_no_alarm(digits):
    found = []
    thread = threading.Thread(target=lambda: found.extend(evaluate(job("-t*log(p)"), digits)))
    thread.start()
    thread.join()
    assert [o.state for o in found] == [State.SCORED]
