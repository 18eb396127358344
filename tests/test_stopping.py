"""When a run ends: each stop in words, what can be foreseen, and signals heard above other libraries."""

import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest

from symloss.errors import RunError
from symloss.interrupts import Interrupts
from symloss.language.candidate import Outcome, State
from symloss.language.formula import parse
from symloss.running.config import Stop
from symloss.running.stopping import Ending, Pending
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import Judge
from tests.test_store import scored


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("symloss.running.stopping.time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def ending(told: int = 0, spent: float = 0.0, sign: int = 1, **stop: float) -> Ending:
    return Ending(Stop(**stop), sign, told, spent, Interrupts())


def led_by(fitness: float) -> HallOfFame:
    hall = HallOfFame("classification")
    hall.add(0, "-t*log(p)", fitness)
    return hall


BATCH = [scored(0), scored(1), Outcome(2, State.REJECTED, "no"), Outcome(3, State.DIVERGED, "inf")]


def test_stops_are_counted_over_told_batches() -> None:
    stop = ending(generations=2, evaluations=7)
    assert stop.reason() == ""
    stop.told_batch(BATCH, led_by(0.5))
    assert stop.reason() == ""
    stop.told_batch(BATCH, led_by(0.5))
    assert stop.reason() == "2 generations are done"
    stop.told_batch(BATCH, led_by(0.5))
    assert (stop.tally.evaluated, stop.tally.candidates) == (9, 12)
    assert ending(evaluations=3).reason() == ""


@pytest.mark.parametrize(
    ("sign", "target", "fitness", "reached"),
    [(1, 0.9, 0.91, True), (1, 0.9, 0.89, False), (-1, 0.2, -0.19, True), (-1, 0.2, -0.21, False)],
)
def test_a_target_is_in_the_metrics_own_units(sign: int, target: float, fitness: float, reached: bool) -> None:
    stop = ending(sign=sign, target=target)
    stop.told_batch(BATCH, led_by(fitness))
    assert bool(stop.reason()) == reached
    assert stop.progress().fitness == sign * fitness


def test_batches_told_before_are_replayed_without_a_look_at_the_stops(clock: SimpleNamespace) -> None:
    stop = ending(told=2, spent=500.0, generations=1, time=60)
    stop.told_batch(BATCH, led_by(0.5))
    assert stop.reason() == ""
    stop.told_batch(BATCH, led_by(0.5))
    assert stop.reason() == "the time of 60 seconds is over"


def test_what_is_left_is_the_nearest_end(clock: SimpleNamespace) -> None:
    stop = ending(spent=10.0, generations=5, evaluations=300, time=200)
    clock.now = 20.0
    assert stop.progress().left == 170.0
    stop.told_batch(BATCH, led_by(0.5))
    assert stop.progress().left == pytest.approx(4 * 30.0)
    stop.trained(BATCH)
    assert stop.progress().rate == pytest.approx(4 / 20)
    assert ending(target=1.0).progress().left is None


def test_an_unfinished_batch_shows_in_the_progress_and_not_in_the_tally() -> None:
    stop = ending(generations=5)
    stop.told_batch(BATCH, led_by(0.5))
    pending = Pending(Judge("accuracy", maximise=True))
    pending.add(BATCH[:1])
    progress = stop.progress(pending)
    assert (progress.generation, progress.evaluated, progress.candidates) == (1, 4, 5)
    assert stop.tally.evaluated == 3


@pytest.mark.parametrize("maximise", [True, False])
def test_the_best_of_an_unfinished_batch_shows_at_once(maximise: bool) -> None:
    judge, sign = Judge("accuracy", maximise), 1 if maximise else -1
    simple, other = scored(8, 0.4), replace(scored(9, 0.6), formula=parse("(t - p)**2").canonical())
    fitness = [judge.fitness(each) for each in (simple, other)]
    stop, pending = ending(sign=sign), Pending(judge)
    pending.add([Outcome(7, State.REJECTED, "no")])
    assert stop.progress(pending).fitness is None
    pending.add([simple, other, Outcome(10, State.DUPLICATE, "of 8", twin=8)])
    assert stop.progress(pending).fitness == sign * max(fitness)
    assert (stop.progress(pending).best == other.formula.text) == maximise  # type: ignore[union-attr]
    assert stop.best is None
    stop.told_batch(BATCH, led_by(max(fitness) + 0.1))
    assert stop.progress(pending).best == "-t*log(p)"
    assert stop.progress(Pending(judge)).fitness == stop.progress().fitness


def test_whoever_asks_whether_to_end_lets_the_store_settle(clock: SimpleNamespace) -> None:
    settled: list[float] = []
    stop = Ending(Stop(), 1, 0, 0.0, Interrupts(), lambda: settled.append(clock.now))
    assert not stop.now()
    assert settled == [0.0]


def test_a_fault_of_the_store_ends_the_batch_and_is_kept_for_after_it() -> None:
    asked: list[int] = []

    def idle() -> None:
        asked.append(1)
        raise RunError("the disk is full")

    stop = Ending(Stop(), 1, 0, 0.0, Interrupts(), idle)
    assert stop.now()
    assert stop.now()
    assert str(stop.fault) == "the disk is full"
    assert len(asked) == 1


def signalled(interrupts: Interrupts, number: signal.Signals, ends_with: type[BaseException]) -> None:
    """Send two signals; the exit that the second one raises is replaced, as Ray does."""
    with interrupts:
        os.kill(os.getpid(), number)
        assert interrupts.heard == number
        assert interrupts.stop()
        try:
            os.kill(os.getpid(), number)
        except SystemExit:
            raise ends_with(1) from None
        raise AssertionError("the second signal ends the process")


@pytest.mark.parametrize("ends_with", [SystemExit, ValueError])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_at_once_with_the_shells_code_whatever_replaces_it(
    number: signal.Signals, code: int, ends_with: type[BaseException]
) -> None:
    with pytest.raises(SystemExit) as caught:
        signalled(Interrupts(), number, ends_with)
    assert caught.value.code == code


def test_an_exit_that_a_library_swallows_comes_at_the_next_look() -> None:
    with Interrupts() as interrupts:
        pass
    interrupts.forced = signal.SIGINT
    for look in (interrupts.listen, interrupts.stop):
        with pytest.raises(SystemExit) as caught:
            look()
        assert caught.value.code == 130


def test_handlers_come_back_when_a_library_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        interrupts.listen()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.heard == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
