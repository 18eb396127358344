"""Nothing is left behind: the watcher of a killed driver's home, and the sweep of homes whose watcher died too."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import symloss
from symloss.judging import cluster, homes, watcher
from symloss.judging.watcher import MARK, clean, processes_of


def wait_until(true, most: float = 30.0) -> bool:
    """Wait for other processes; how long says nothing, that it comes does."""
    end = time.monotonic() + most
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(true())


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short place for homes, where no other test's are."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as made:
        monkeypatch.setenv("RAY_TMPDIR", made)
        yield Path(made)


def sleeper(**environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], env={**os.environ, **environment})


DRIVER = """
import subprocess, sys, time
from symloss.judging import cluster, homes
home = cluster.make_home()
(home / "session").mkdir()
with homes.marked(home):
    subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
print(home, homes._HELD[home].process.pid, flush=True)
time.sleep(1000)
"""


def driver_of_a_home() -> tuple[subprocess.Popen[str], Path, int]:
    environment = {**os.environ, "PYTHONPATH": str(Path(symloss.__file__).parent.parent)}
    command = [sys.executable, "-c", DRIVER]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert driver.stdout is not None
    home, pid = driver.stdout.readline().split()
    return driver, Path(home), int(pid)


def process_of(home: Path) -> int:
    """Return the one process of a home; the system tells a process's environment a moment after it began."""
    assert wait_until(lambda: len(list(processes_of(str(home)))) == 1)
    return next(processes_of(str(home)))


def ended(driver: subprocess.Popen[str]) -> None:
    driver.wait()
    assert driver.stdout is not None
    driver.stdout.close()


@pytest.mark.parametrize("group", [False, True])
def test_a_killed_driver_leaves_no_process_and_no_home(folder: Path, group: bool) -> None:
    driver, home, pid = driver_of_a_home()
    ours = process_of(home)
    with sleeper(**{MARK: f"{home}x"}) as other:  # of another home
        (os.killpg if group else os.kill)(driver.pid, signal.SIGKILL)
        ended(driver)
        assert wait_until(lambda: not alive(ours) and not home.exists() and not alive(pid))
        assert other.poll() is None
        other.kill()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_process_of_rays_that_wrote_over_its_mark_is_known_by_title_and_files(folder: Path) -> None:
    (folder / "session").mkdir()
    with (folder / "session" / "agent.log").open("w") as log:
        agent = subprocess.Popen(["ray::Agent", "1000"], executable="sleep", stdout=log)
        fork = subprocess.Popen(["sleep", "1000"], stdout=log)  # of a driver that lives on
        alien = subprocess.Popen(["ray::Agent", "1000"], executable="sleep")  # of another Ray
    shutil.rmtree(folder / "session")  # as Ray's own end may do before
    clean(str(folder), patience=0.0)
    assert agent.wait() == -signal.SIGKILL
    for other in (fork, alien):
        assert other.poll() is None
        other.kill()
        other.wait()


def test_what_a_killed_watcher_leaves_is_swept_by_the_next_driver(folder: Path) -> None:
    driver, home, pid = driver_of_a_home()
    ours = process_of(home)
    os.kill(pid, signal.SIGKILL)
    os.kill(driver.pid, signal.SIGKILL)
    ended(driver)
    (folder / "symloss-unlocked").mkdir()  # nobody can tell whose it is
    os.symlink(home, folder / "symloss-elsewhere")
    mine = cluster.make_home()
    assert wait_until(lambda: not home.exists() and not alive(ours))
    cluster.remove_home(mine)
    assert sorted(each.name for each in folder.iterdir()) == ["symloss-elsewhere", "symloss-unlocked"]


def test_homes_at_work_are_not_swept(folder: Path) -> None:
    driver, home, _ = driver_of_a_home()
    mine, second = cluster.make_home(), cluster.make_home()
    assert [each for each in (mine, second, home) if homes._is_abandoned(each)] == []
    for each in (mine, second):
        cluster.remove_home(each)
    assert list(folder.iterdir()) == [home]
    driver.kill()
    ended(driver)
    assert wait_until(lambda: not home.exists())


def test_a_watcher_ends_with_its_home(folder: Path) -> None:
    home = cluster.make_home()
    process = homes._HELD[home].process
    assert process is not None
    assert process.poll() is None
    cluster.remove_home(home)
    assert process.poll() == 0
    cluster.remove_home(home)  # again, as at exit


def test_a_watcher_is_deaf_to_the_drivers_signals(folder: Path) -> None:
    home = cluster.make_home()
    process = homes._HELD[home].process
    assert process is not None
    with sleeper(**{MARK: str(home)}) as ours:
        # Only once it ignores signals does it wait for the driver's end.
        assert wait_until(lambda: Path(f"/proc/{process.pid}/cwd").resolve() == Path("/"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
            process.send_signal(number)
        assert process.poll() is None
        assert ours.poll() is None
        shutil.rmtree(home)
        homes.let_go(home)
        assert ours.wait() == -signal.SIGKILL
    assert process.wait() == 0


def test_processes_are_given_time_to_end_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "symloss-12345678"
    home.mkdir()
    monkeypatch.setattr(watcher, "LIMIT", 0.5)
    with sleeper(**{MARK: str(home)}) as ours:
        clean(str(home), patience=1000.0)
        assert ours.poll() is None
        assert home.exists()
        clean(str(home), patience=0.0)
        assert ours.wait() == -signal.SIGKILL
    clean(str(home), patience=0.0)
    assert not home.exists()


@pytest.mark.parametrize("moment", ["mkdir", "flock", "rename"])
def test_a_driver_killed_while_it_makes_its_home_leaves_none(folder: Path, moment: str) -> None:
    code = f"""
import fcntl, os, pathlib, signal
from symloss.judging import cluster
owner = fcntl if {moment!r} == "flock" else pathlib.Path
original = getattr(owner, {moment!r})
def die(*given):
    original(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, {moment!r}, die)
cluster.make_home()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(symloss.__file__).parent.parent)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL
    assert wait_until(lambda: not list(folder.iterdir()))


def test_a_home_is_locked_as_soon_as_it_has_a_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    original = fcntl.flock

    def look(lock: int, how: int) -> None:
        (home,) = folder.iterdir()
        monkeypatch.setattr(homes.fcntl, "flock", original)
        seen.append(homes._is_abandoned(home))  # as another driver would see it that starts at this moment
        original(lock, how)

    monkeypatch.setattr(homes.fcntl, "flock", look)
    cluster.remove_home(cluster.make_home())
    assert seen == [False]


def test_a_name_that_is_taken_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes.secrets, "token_hex", lambda count: "01234567")
    taken, held = folder / "symloss-01234567", dict(homes._HELD)  # others may have some in this process
    (taken / "mine").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        homes.make(str(folder))
    assert (taken / "mine").exists()
    assert held == homes._HELD


def test_without_room_for_a_watcher_a_home_is_held_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(homes.subprocess, "Popen", refuse)
    home = cluster.make_home()
    assert not homes._is_abandoned(home)
    cluster.remove_home(home)
    assert list(folder.iterdir()) == []
