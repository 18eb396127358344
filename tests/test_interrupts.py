"""Signals and whole commands: heard by who has something to save, and told in the exit status of every command."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import symloss.cli
from symloss.cli import main
from symloss.interrupts import SIGNALS, Interrupts
from symloss.running.run import search
from symloss.telling.summary import summarise_run
from tests.chaos.__main__ import OPTIONS
from tests.test_signals import INT, TERM, USR1, ended_by

LONG = ["--set", "steps=1500", "--set", "learning_rates=[0.01]"]  # so that a signal comes within a training


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_who_has_nothing_to_save_is_ended_by_the_first_signal(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    interrupts = Interrupts(patient=False)
    with pytest.raises(KeyboardInterrupt), interrupts:
        send(number)
    assert interrupts.status() == 128 + number
    assert signal.getsignal(number) == before


def test_a_second_signal_while_the_first_is_answered_ends_at_once() -> None:
    def twice() -> None:
        with Interrupts(patient=False):
            try:
                send(TERM)
            finally:
                send(INT)

    with pytest.raises(SystemExit) as caught:
        twice()
    assert caught.value.code == 130


def test_what_was_heard_within_is_passed_on() -> None:
    with Interrupts(patient=False) as outer:
        with Interrupts() as inner:
            send(USR1)
            assert inner.stop()
            assert outer.heard is None
        assert outer.heard == USR1
        with pytest.raises(SystemExit) as caught:  # so whatever comes next is the second
            send(TERM)
        assert caught.value.code == 143
        outer.forced = None


def test_outside_its_block_no_handler_is_touched() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    interrupts = Interrupts()
    assert not interrupts.stop()
    with interrupts:
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert not interrupts.stop()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_a_library_has_swallowed_is_heard_within() -> None:
    with Interrupts(patient=False) as outer:
        with suppress(KeyboardInterrupt):  # as an import in a bare try does
            send(TERM)
        with Interrupts() as inner:
            assert inner.stop()
        assert outer.status() == 143


@pytest.mark.parametrize("number", SIGNALS)
def test_every_command_ends_with_the_signals_own_status(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(symloss.cli, "symloss", SimpleNamespace(main=lambda *given, **named: send(number)))
    with pytest.raises(SystemExit) as caught:
        main(["show", "baikal"])
    assert caught.value.code == 128 + number
    assert capsys.readouterr().err == "symloss: stopped\n"


def test_a_signal_after_a_run_waits_until_it_is_reported_and_shown(tmp_path: Path) -> None:
    ended = ended_by(tmp_path, "report", 2, [TERM])  # the last report
    assert ended.status == 143, ended.shown
    summary = summarise_run(tmp_path / "run")
    assert "Front: accuracy" in ended.shown
    assert summary["finals"]["sentence"].split(" ")[0] in ended.shown
    assert "go on with" not in ended.shown  # there is nothing left to do
    assert 'data-live="no"' in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(("kind", "number"), [("compare", TERM), ("transfer", USR1), ("verify", TERM)])
def test_trials_of_named_losses_end_in_order(tmp_path: Path, kind: str, number: signal.Signals) -> None:
    commands = {
        "compare": ("compare", "gce", "sce", "--task", "digits", "--seeds", "2", *LONG),
        "transfer": ("transfer", "gce", "--tasks", "digits", "--seeds", "2", "--out", str(tmp_path / "kept"), *LONG),
        "verify": ("verify", str(tmp_path / "found")),
    }
    if kind == "verify":
        search("noisy_digits", tmp_path / "found", 0, OPTIONS)
    ended = ended_by(tmp_path, "training", 1, [number], command=commands[kind])
    assert ended.status == 128 + number, ended.shown
    assert "symloss: stopped" in ended.shown
    assert "Traceback" not in ended.shown
    trained = [line for line in (tmp_path / "ledger").read_text().splitlines() if line.startswith("trained")]
    assert kind == "verify" or 1 <= len(trained) <= 2  # what was in flight ends, and nothing else begins
