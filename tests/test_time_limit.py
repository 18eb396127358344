"""The soft time limit: an alarm that is heard wherever it rings, and counts only time at work."""

import signal
import subprocess
import sys
import time
import weakref

import pytest

from symloss.judging.failures import Failures, OutOfTimeError, blamed
from symloss.judging.time_limit import Stopwatch, time_limit
from symloss.language.candidate import State


def spin(seconds: float) -> None:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        pass


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
        monkeypatch.setattr(f"symloss.judging.time_limit.time.{name}", lambda name=name: clocks[name])
    watch = Stopwatch()
    clocks["monotonic"], clocks["process_time"] = 7.0 + wall, 3.0 + own
    watch.look(due=1.0)
    assert watch.seconds == pytest.approx(counted)


STOPPABLE = """
import time
from symloss.judging.time_limit import time_limit
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
    with pytest.raises(OutOfTimeError), time_limit(1.3):
        spin(30.0)
    assert time.monotonic() - began < 10  # it is a tenth of a second where nothing else is at work


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("hook", ["callback", "destructor"])
def test_an_alarm_that_rings_where_python_drops_it_rings_again(hook: str) -> None:
    dropped: list[str] = []

    def be_slow() -> None:
        try:
            spin(30.0)
        except OutOfTimeError:
            dropped.append(hook)
            raise

    class Mortal:
        def __del__(self) -> None:
            if hook == "destructor":
                be_slow()

    failures: Failures = {}
    mortal = Mortal()
    kept = weakref.ref(mortal, lambda gone: be_slow() if hook == "callback" else None)
    with time_limit(1.0), blamed(7, failures, "its training"):
        del mortal
        spin(30.0)
    assert dropped == [hook]
    assert kept is not None  # else nobody calls back
    assert failures == {7: (State.TIMED_OUT, "its training did not end within the time limit")}


def test_an_alarm_that_is_heard_does_not_ring_again() -> None:
    failures: Failures = {}
    with time_limit(1.0):
        with blamed(7, failures):
            spin(30.0)
        spin(0.4)
    assert list(failures) == [7]
