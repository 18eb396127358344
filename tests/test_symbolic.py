"""Computer algebra in a process of its own: its answers, its end when time is over, and that nothing of it is left."""

import os
import subprocess
import sys

import pytest

from symloss.language.formula import parse
from symloss.language.zoo import zoo
from symloss.telling.symbolic.child import Child
from symloss.telling.symbolic.questions import (
    QUESTIONS,
    ask_ends,
    ask_first_step,
    ask_one_hot,
    ask_optimum,
    ask_simplest,
)
from tests.test_watcher import alive, wait_until

PATIENT = 60.0  # seconds: a busy machine must not change what a test finds


def gone(child: Child) -> bool:
    """Whether the process was collected: its number is no child of this process any more."""
    try:
        os.waitpid(child.pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_it_answers_and_is_gone():
    with Child(zoo["baikal"], ["first_step", "optimum", "ends"], 10, limit=PATIENT) as child:
        answers = child.answers()
    assert "1/sqrt(C)" in answers["optimum"]
    assert "C" in answers["first_step"]
    assert answers["ends"]["gradient"] == ["-oo", "9"]
    assert not child.ended_early
    assert gone(child)


STARTER = """
import os, subprocess, sys, time
command = [sys.executable, "-m", "symloss.telling.symbolic", str(os.getpid())]
started = subprocess.Popen(command, stdout=subprocess.DEVNULL)
print(started.pid, flush=True)
time.sleep(1000)
"""


def test_it_ends_when_whoever_started_it_is_killed():
    waits, holds = os.pipe()  # its standard input, which stays open
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, stdin=waits, stdout=subprocess.PIPE, text=True) as starter:
        pid = int(starter.stdout.readline())
        starter.kill()
    os.close(waits)
    assert wait_until(lambda: not alive(pid))
    os.close(holds)


def speaker(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys, time; sys.stdin.readline(); {script}")


def test_it_is_stopped_when_its_time_is_over_and_what_it_said_is_kept():
    said = r"""print('{"ready": true}\n{"question": "a", "answer": ["C"]}\n{"quest', flush=True); time.sleep(600)"""
    with Child(zoo["baikal"], ["a", "b"], 10, limit=0.2, command=speaker(said)) as child:
        assert child.answers() == {"a": ["C"]}
    assert child.ended_early
    assert gone(child)


def test_it_is_stopped_when_nobody_waits_for_it():
    with (
        pytest.raises(KeyboardInterrupt),
        Child(zoo["baikal"], [], 10, limit=600, command=speaker("time.sleep(600)")) as child,
    ):
        raise KeyboardInterrupt
    assert gone(child)


@pytest.mark.parametrize("script", ["sys.exit(3)", "print('nonsense')", "print('[1]')", "print('{')"])
def test_one_that_fails_has_no_answers(script):
    with Child(zoo["baikal"], ["optimum"], 10, limit=PATIENT, command=speaker(script)) as child:
        assert child.answers() == {}
    assert gone(child)


def test_a_question_that_nobody_knows_does_not_end_the_others():
    with Child(zoo["baikal"], ["nothing", "first_step"], 10, limit=PATIENT) as child:
        assert list(child.answers()) == ["first_step"]


def test_a_stranger_in_the_working_directory_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "sympy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    with Child(zoo["baikal"], ["first_step"], 10, limit=PATIENT) as child:
        assert "C" in child.answers()["first_step"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [("baikal", "1/sqrt(C)"), ("label_smoothing", "(0.9*C + 0.1)/C"), ("brier", "1"), ("focal", "1")],
)
def test_the_optimum_is_solved(name, answer):
    assert answer in ask_optimum(zoo[name], 10)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("cross_entropy", "1"),
        ("baikal", "C"),
        ("mae", "2/C"),
        ("gce", "1/C**0.7"),
        ("focal", "(C + 2*log(C) - 1)*(C - 1)/C**2"),
    ],
)
def test_the_first_step_is_simplified(name, answer):
    assert answer in ask_first_step(zoo[name], 10)


def test_limits_are_found():
    assert ask_ends(zoo["focal"], 10) == {"true class": ["oo", "0"], "wrong class": ["0", "0"], "gradient": ["-1", "0"]}


def test_a_formula_is_simplified():
    assert "-log(p)" in ask_simplest(parse("-(t*log(p) + log(p) - t*log(p))"), 10)[0]
    assert ask_simplest(parse("t*(p + 1)/(p + 1)**2 - t/(p + 1) + p"), 10)[0] == "p"


def test_one_hot_labels_leave_less():
    assert ask_one_hot(parse("t**3*p + t*(1 - t)*p**2"), 10)[0] == "p*t"


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_gives_plain_answers(name):
    formula = zoo["mse"] if name == "tails" else zoo["cross_entropy"]
    answer = QUESTIONS[name](formula, 10)
    assert isinstance(answer, list | dict)
