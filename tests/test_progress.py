"""What a watcher sees: rare plain lines, a panel in a terminal, nothing when quiet."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from symloss.language.candidate import State
from symloss.running.observer import Progress, Silent
from symloss.telling.progress import LiveScreen, LogLines, duration, progress_line, watching

EXPERIMENT = SimpleNamespace(name="noisy")
PROGRESS = Progress(
    generation=3,
    candidates=40,
    evaluated=25,
    counts={State.SCORED: 24, State.TIMED_OUT: 1, State.REJECTED: 15},
    best="-t*log(p)",
    fitness=0.93125,
    rate=3.25,
    seconds=95.0,
    left=61.0,
)


def test_a_line_says_everything():
    line = progress_line(PROGRESS)
    for part in ("generation 3", "25 evaluated of 40", "3.2/s", "1 min 35 s", "1 min 01 s left", "0.9313: -t*log(p)"):
        assert part in line
    for state in State:
        assert state.value.replace("_", " ") in line


class Gone(StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stderr", [None, Gone()])
def test_a_run_goes_on_when_nobody_can_watch_it(stderr: StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stderr)
    LogLines().started(Path("runs/x"), EXPERIMENT, False)  # type: ignore[arg-type]
    LogLines().finals_done("beats tuned cross_entropy")


def test_a_line_before_anything_is_scored():
    assert "none scored yet" in progress_line(Progress())
    assert "left" not in progress_line(Progress())


def test_plain_lines_are_rare():
    lines, now = [], [0.0]
    log = LogLines(lines.append, clock=lambda: now[0])
    log.started(Path("runs/a"), EXPERIMENT, False)
    for second in range(1, 91):
        now[0] = float(second)
        log.progressed(PROGRESS)
    assert len(lines) == 1 + 3
    now[0] = 200.0
    log.verdict_done(2, 9)
    assert lines[-1] == "finals: 2 of 9 comparisons on the test set"
    log.search_done(PROGRESS, "the time is over")
    log.finals_done("beats cross_entropy")
    assert "the time is over" in lines[-2]
    assert lines[-1] == "verdict: beats cross_entropy"


def test_the_live_screen_shows_the_run_and_goes_away():
    console = Console(file=StringIO(), force_terminal=True, width=120)
    with LiveScreen(console) as screen:
        screen.started(Path("runs/a"), EXPERIMENT, True)
        screen.batch_done(PROGRESS)
        screen.trial_done(2, 9)
        with console.capture() as captured:
            console.print(screen._panel())
        text = captured.get()
    for part in ("noisy (resumed)", "-t*log(p)", "24 scored", "finals: 2 of 9 formulas"):
        assert part in text


def test_a_comparison_shows_no_search():
    console = Console(file=StringIO(), force_terminal=True, width=120)
    with LiveScreen(console) as screen:
        screen.trial_done(1, 3)
        with console.capture() as captured:
            console.print(screen._panel())
    assert "finals: 1 of 3 formulas" in captured.get()
    assert "generation" not in captured.get()


def test_square_brackets_are_not_markup():
    console = Console(file=StringIO(), force_terminal=True, width=120)
    with LiveScreen(console) as screen:
        screen.search_done(PROGRESS, "[bold]stop[/nonsense]")
        with console.capture() as captured:
            console.print(screen._panel())
    assert "[bold]stop[/nonsense]" in captured.get()


def test_quiet_is_silent_and_a_pipe_gets_lines(capsys):
    with watching(quiet=True) as observer:
        assert isinstance(observer, Silent)
    with watching(quiet=False) as observer:
        observer.started(Path("runs/a"), EXPERIMENT, False)
    assert capsys.readouterr().err == "searching noisy in runs/a\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words
