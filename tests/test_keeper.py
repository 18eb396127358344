"""Keeping the report up to date: at the moments that matter, seldom between, and never at the run's cost."""

import pytest

from symloss.running.config import load_experiment
from symloss.running.observer import Audience, Progress, Silent
from symloss.telling.report import keeper as module
from symloss.telling.report.keeper import EVERY, SHARE, ReportKeeper, reporting
from symloss.telling.report.page import REFRESH
from tests.runs import make_run


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def written(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "write_report", lambda run, live: calls.append(live))
    return calls


@pytest.fixture
def experiment():
    return load_experiment("noisy_digits")


def test_it_writes_at_the_start_and_the_ends_and_seldom_between(written, experiment, tmp_path):
    clock = Clock()
    keeper = ReportKeeper(pytest.fail, clock)
    keeper.started(tmp_path, experiment, False)
    for _ in range(50):
        keeper.progressed(Progress())
        keeper.batch_done(Progress())
    assert written == [True]
    clock.now += EVERY
    keeper.batch_done(Progress())
    keeper.batch_done(Progress())
    assert written == [True, True]
    keeper.search_done(Progress(), "done")
    keeper.trial_done(1, 9)
    keeper.finals_done("better")
    assert written == [True] * 3
    keeper.close()
    assert written == [True] * 3 + [False]


def test_a_report_that_takes_long_is_written_seldom(experiment, tmp_path, monkeypatch):
    clock, calls = Clock(), []

    def slow(run, live):
        calls.append(clock.now)
        clock.now += 3.0

    monkeypatch.setattr(module, "write_report", slow)
    keeper = ReportKeeper(pytest.fail, clock)
    keeper.started(tmp_path, experiment, False)
    while clock.now < 2000:
        keeper.progressed(Progress())
        clock.now += 1.0
    assert 3.0 * len(calls) <= SHARE * 2000 + 3.0
    assert len(calls) > 3


def test_a_report_that_cannot_be_written_is_said_once_and_stops_nothing(experiment, tmp_path):
    said = []
    keeper = ReportKeeper(said.append)
    keeper.started(tmp_path / "nowhere", experiment, False)
    keeper.search_done(Progress(), "done")
    keeper.close()
    assert len(said) == 1
    assert "the report is not kept up to date" in said[0]
    assert "is no run directory" in said[0]


def test_an_open_page_looks_no_more_often_than_reports_are_written():
    assert REFRESH >= EVERY


def test_without_a_run_nothing_is_written(written):
    with reporting(Silent(), pytest.fail):
        pass
    assert written == []


def watch_and_fail(error, tmp_path, experiment):
    with reporting(Silent(), pytest.fail) as observer:
        observer.started(tmp_path, experiment, False)
        raise error


def test_the_last_report_comes_also_after_an_error_but_not_when_the_process_ends_at_once(written, experiment, tmp_path):
    for error, expected in ((ValueError, [True, False]), (SystemExit, [True]), (KeyboardInterrupt, [True])):
        written.clear()
        with pytest.raises(error):
            watch_and_fail(error, tmp_path, experiment)
        assert written == expected


def test_the_page_of_a_run_that_ended_is_not_live(experiment, tmp_path):
    path = make_run(tmp_path / "run", 30)
    with reporting(Silent(), pytest.fail) as observer:
        observer.started(path, experiment, False)
        assert 'data-live="yes"' in (path / "report.html").read_text()
    assert 'data-live="no"' in (path / "report.html").read_text()


def test_an_audience_is_told_everything_in_turn(experiment, tmp_path):
    heard = []

    class Ear(Silent):
        def __init__(self, name):
            self.name = name

        def __getattribute__(self, what):
            if what in ("name", "__class__"):
                return object.__getattribute__(self, what)
            return lambda *said: heard.append((self.name, what, said))

    both = Audience(Ear("a"), Ear("b"))
    progress = Progress()
    calls = {
        "started": (tmp_path, experiment, True), "progressed": (progress,), "batch_done": (progress,),
        "search_done": (progress, "why"), "trial_done": (1, 2), "verdict_done": (1, 2), "finals_done": ("so",),
    }  # fmt: skip
    for name, said in calls.items():
        getattr(both, name)(*said)
    assert heard == [(who, name, said) for name, said in calls.items() for who in "ab"]
