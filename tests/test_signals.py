"""A run that is told to end: by each signal, at each stage, alone and with its whole process group, in a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from symloss.running.run import resume, search
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from symloss.running.storage.wholeness import check_whole
from tests.chaos.__main__ import OPTIONS
from tests.chaos.result import parts_of

ROOT = Path(__file__).parent.parent
CHANGES = [part for option in OPTIONS for part in ("--set", option)]
INT, TERM, USR1 = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1


@dataclass(frozen=True)
class Ended:
    """How a driver ended: its exit status, and what its terminal showed."""

    status: int
    shown: str


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("calm") / "run"
    search("noisy_digits", folder, 0, OPTIONS)
    return parts_of(folder)


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


def ended_by(
    folder: Path, place: str, nth: int, numbers: list[signal.Signals], group: bool = True, workers: int = 0,
    command: tuple[str, ...] = (),
) -> Ended:  # fmt: skip
    """Run a command, or a search, in a terminal of its own, and send it signals where it comes to a place."""
    (told, tell), (held, hold) = os.pipe(), os.pipe()
    screen, terminal = pty.openpty()
    words = command or ("search", "noisy_digits", "--out", str(folder / "run"), *CHANGES)
    traps = [str(folder / "ledger"), place, str(nth), str(tell), str(held), "--", *words, "--workers", str(workers)]
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.driver", *traps],
        cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, pass_fds=[tell, held], start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    os.close(tell)
    os.close(held)
    shown = bytearray()
    try:
        while not select.select([told], [], [], 0)[0]:  # a driver that never comes there closes its end
            _show(screen, shown)
        for number in numbers:
            (os.killpg if group else os.kill)(driver.pid, number)
            time.sleep(0.2 if len(numbers) > 1 else 0)  # or the system makes one signal of two
        os.close(hold)  # only now it goes on: it is there where the signals reach it
        while _show(screen, shown) or driver.poll() is None:
            pass
        status = driver.wait()
    finally:
        driver.kill()
        driver.wait()
        os.close(told)
        os.close(screen)
    return Ended(status, shown.decode(errors="replace"))


def _show(screen: int, shown: bytearray) -> bool:
    if not select.select([screen], [], [], 0.05)[0]:
        return False
    try:
        got = os.read(screen, 65536)
    except OSError:  # the other end is closed
        return False
    shown += got
    return bool(got)


@pytest.mark.parametrize(
    ("number", "place", "nth", "group"),
    [(INT, "training", 3, True), (USR1, "commit", 6, False), (TERM, "finals", 2, True)],
)
def test_a_signal_ends_a_run_in_order_and_a_resume_ends_it_the_same(
    tmp_path: Path, calm: dict[str, str], number: signal.Signals, place: str, nth: int, group: bool
) -> None:
    ended = ended_by(tmp_path, place, nth, [number], group)
    assert ended.status == 128 + number, ended.shown
    assert "stopped; go on with" in ended.shown, ended.shown
    assert "Front: accuracy" in ended.shown
    assert f"symloss resume {tmp_path / 'run'}" in ended.shown.replace("\r\n", "")
    with RunStore.read(RunDirectory(tmp_path / "run").store) as store:
        assert check_whole(store) == []
        assert store.meta()["sessions"][0]["seconds"] >= 0
    resume(tmp_path / "run", workers=0)
    assert parts_of(tmp_path / "run") == calm


def test_a_signal_before_the_run_is_set_up_leaves_nothing(tmp_path: Path) -> None:
    ended = ended_by(tmp_path, "start-up", 1, [TERM])
    assert ended.status == 143, ended.shown
    assert "symloss: stopped" in ended.shown
    assert not (tmp_path / "run").exists()


def test_two_signals_end_a_run_at_once(tmp_path: Path, calm: dict[str, str]) -> None:
    ended = ended_by(tmp_path, "training", 2, [TERM, TERM])
    assert ended.status == 143, ended.shown
    assert "stopped at once" in ended.shown
    assert "Front" not in ended.shown  # what a run in order would have ended with
    resume(tmp_path / "run", workers=0)
    assert parts_of(tmp_path / "run") == calm


def test_a_signal_to_the_group_of_ray_workers_lets_them_end_their_jobs(
    tmp_path: Path, calm: dict[str, str], homes: Path
) -> None:
    ended = ended_by(tmp_path, "finals", 1, [USR1], workers=1)  # the first trial is being written, others are in flight
    assert ended.status == 138, ended.shown
    assert "Traceback" not in ended.shown
    assert list(homes.iterdir()) == []
    stored = [line.split()[2] for line in (tmp_path / "ledger").read_text().splitlines() if line.startswith("stored")]
    assert len([name for name in stored if not name.isdecimal()]) >= 2  # trials have names, candidates have numbers
    resume(tmp_path / "run", workers=0)
    assert parts_of(tmp_path / "run") == calm
