"""Runs whose disk fills up or is write-protected, or whose clock is set back: paused in words, the same in the end."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import symloss.running.run
import symloss.running.session
from symloss.cli import PAUSED, main
from symloss.errors import DiskError, PausedError, RunError
from symloss.judging.stacking import Decision
from symloss.language import files
from symloss.language.lossfile import read_loss
from symloss.running.run import resume, search
from symloss.running.storage import storefile
from symloss.running.storage.rundir import default_directory
from symloss.running.storage.store import RunStore
from tests.test_run import TABLE, digest, fake

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Train in a fake pool, and keep every write at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("single", "told so"))
        patch.setattr(symloss.running.session, "make_pool", lambda *asked: fake())
        patch.setattr("symloss.running.storage.store.TOGETHER", 0.0)
        yield


@pytest.fixture(scope="module")
def whole(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    search(TABLE, out=folder)
    return folder


@pytest.fixture
def room_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let stores have so many pages: SQLite itself then says that its disk is full."""
    harden = storefile.harden
    pages = [2**30]

    def hardened(connection: Any) -> None:
        harden(connection)
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    monkeypatch.setattr(storefile, "harden", hardened)

    def limit(count: int) -> None:
        pages[0] = count

    return limit


def pages(run: Path) -> int:
    with RunStore.read(run / "run.sqlite") as store:
        return int(store._connection.execute("PRAGMA page_count").fetchone()[0])


def test_a_disk_that_is_full_at_any_moment_pauses_the_run_and_a_resume_gives_the_same(
    whole: Path, tmp_path: Path, room_for: Callable[[int], None]
) -> None:
    run, paused, last, said = tmp_path / "run", 0, pages(whole), ""
    empty = 24  # pages of a store without candidates, and a few
    for count in range(empty, last, 5):
        room_for(count)
        try:
            resume(run) if run.exists() else search(TABLE, out=run)
        except PausedError as error:
            said, paused = str(error), paused + 1
            with RunStore.read(run / "run.sqlite") as store:  # whole batches and cohorts
                assert all(outcome.candidate >= 0 for outcome in store.outcomes().values())
        else:
            break
    assert paused > 3, "the disk was never full"
    room_for(2**30)
    assert resume(run).finals is not None
    assert digest(run) == digest(whole)
    assert f"{run / 'run.sqlite'} cannot be written: its disk is full" in said
    assert "The run is paused, and what it had written stays." in said
    assert "(a run needs up to 8." in said
    assert said.endswith(f"MiB), go on with: symloss resume {run}")


def test_a_full_disk_before_a_run_is_set_up_leaves_nothing(tmp_path: Path, room_for: Callable[[int], None]) -> None:
    room_for(4)
    with pytest.raises(DiskError, match="its disk is full"):
        search(TABLE, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["winner.loss.json", "experiment.toml"])
def test_a_disk_that_is_full_when_a_file_is_written(
    whole: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def full(handle: int) -> None:
        if name in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(DiskError, match=f"{name} cannot be written: its disk is full"):
            search(TABLE, out=tmp_path / "run")
    assert (tmp_path / "run").exists() == (name == "winner.loss.json")
    result = resume(tmp_path / "run") if (tmp_path / "run").exists() else search(TABLE, out=tmp_path / "run")
    assert result.finals is not None
    assert digest(tmp_path / "run") == digest(whole)
    assert read_loss(tmp_path / "run" / "winner.loss.json") == read_loss(whole / "winner.loss.json")
    assert not list((tmp_path / "run").glob("*.part"))
    assert not list((tmp_path / "run").glob(".*.part"))


def test_a_disk_that_is_full_when_a_change_is_kept_pauses_the_run(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(whole, tmp_path / "run")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(PausedError, match=f"its disk is full.* go on with: symloss resume {run}"):
            resume(run, ["stop.generations=4"])
    assert resume(run).reason == "3 generations are done"


def test_a_paused_run_has_an_exit_status_of_its_own(
    tmp_path: Path, room_for: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    room_for(26)
    (tmp_path / "small.toml").write_text(symloss.running.run.experiment_toml(symloss.running.run.read_given(TABLE, [])))
    with pytest.raises(SystemExit) as ended:
        main(["search", str(tmp_path / "small.toml"), "--out", str(tmp_path / "run"), "--quiet", "--no-report"])
    assert ended.value.code == PAUSED == 75
    assert capsys.readouterr().err.strip().endswith(f"symloss resume {tmp_path / 'run'}")


def in_a_namespace_of_ones_own(script: str) -> str | None:
    """Run a shell script where it may mount; None where this machine does not allow that."""
    prefix = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    allowed = subprocess.run([*prefix, "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    if allowed.returncode:
        return None
    done = subprocess.run([*prefix, "sh", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_real_disks_that_are_small_full_and_write_protected(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    script = f"mount -t tmpfs -o size=3m none {folder} && exec {sys.executable} -m tests.full_disk {folder}"
    printed = in_a_namespace_of_ones_own(script)
    if printed is None:
        pytest.skip("this machine allows no mounts")
    found = json.loads(printed.splitlines()[-1])
    assert found["small"][0] == "DiskError"
    assert f"cannot hold a run: it takes up to 8.12 MiB, and 3 MiB of 3 MiB are free on {folder}" in found["small"][1]
    assert found["left"] == []
    for time_of in ("paused", "again"):
        assert found[time_of][0] == "PausedError", found
        assert "its disk is full, or a quota or a limit on it is used up (" in (found[time_of][1])
        assert f"of 3 MiB are free on {folder})" in found[time_of][1]
    assert found["report"][0] == "DiskError"
    assert found["resumed"] == ["", "done"]
    assert found["same"]
    assert f"{folder} is write-protected. Name another one with --out." in found["read_only"][1]
    assert "Read-only file system" in found["read_only_resume"][1]
    assert found["read_only_show"] == 3
    assert "Give another file with -o." in found["read_only_report"][1]


def test_a_clock_that_is_set_back_changes_no_duration(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [2.0e9]

    def earlier(*asked: object) -> float:
        now[0] -= 3600.0
        return now[0]

    gmtime = time.gmtime
    monkeypatch.setattr(time, "time", earlier)
    monkeypatch.setattr(time, "time_ns", lambda: int(earlier() * 1e9))
    monkeypatch.setattr(time, "gmtime", lambda *asked: gmtime(*(asked or (earlier(),))))
    run = tmp_path / "run"
    search(TABLE, out=run, overrides=["stop.generations=2"])
    resume(run, ["stop.generations=3", "stop.time=60"])
    with RunStore.read(run / "run.sqlite") as store:
        meta, batches, outcomes = store.meta(), store.batches(), store.outcomes().values()
        assert store.digest() == digest(whole)
    assert len(meta["sessions"]) == 2
    assert all(0 <= session["seconds"] < 60 for session in meta["sessions"])
    assert all(0 <= batch.seconds < 60 for batch in batches)
    assert all(0 <= outcome.seconds < 60 for outcome in outcomes)
    assert meta["sessions"][0]["started"] > meta["sessions"][1]["started"]  # said as the clock said it


def test_a_clock_that_is_set_back_names_no_directory_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = time.gmtime(10**9)
    monkeypatch.setattr(time, "gmtime", lambda *asked: made)
    names = []
    for _ in range(3):
        path = default_directory("x")
        path.mkdir(parents=True)
        names.append(path.name)
    assert names == ["x-20010909T014640Z", "x-20010909T014640Z-2", "x-20010909T014640Z-3"]


RACE = """
import sys, time
import tests.test_run_disk as shared
from symloss.errors import RunError
with shared.pytest.MonkeyPatch.context() as patch:
    patch.setattr(shared.symloss.running.run, "choose_stacking", lambda *asked: shared.Decision("single", "told so"))
    patch.setattr(shared.symloss.running.session, "make_pool", lambda *asked: shared.fake())
    sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
    try:
        shared.search(shared.TABLE, out=sys.argv[1])
        print("done")
    except RunError as error:
        print(error)
"""


def test_of_several_drivers_that_begin_one_run_at_once_one_does(whole: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", RACE, str(tmp_path / "run")]
    drivers = [
        subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for driver in drivers:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ready\n"
    for driver in drivers:
        assert driver.stdin is not None
        driver.stdin.write("\n")
        driver.stdin.flush()
    said = sorted(driver.communicate(timeout=120)[0].strip() for driver in drivers)
    assert said.count("done") == 1, said
    for words in said:
        assert words == "done" or "is in use by another driver (process" in words or "holds a run already" in words
    assert digest(tmp_path / "run") == digest(whole)


def test_a_second_driver_of_a_paused_run_is_refused_in_words(whole: Path) -> None:
    from symloss.running.storage.rundir import RunDirectory

    with RunDirectory(whole).locked(), pytest.raises(RunError, match=r"is in use by another driver \(process \d+ on"):
        resume(whole)
