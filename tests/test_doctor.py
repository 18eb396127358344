"""The doctor: every check alone, on machines and runs that are well and on those that are not."""

import errno
import fcntl
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symloss.disk import Disk
from symloss.errors import RunError
from symloss.running.storage.forms import fits, is_number
from symloss.running.storage.integrity import check_integrity
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from symloss.telling.doctor import clock, cores, gpu, memory, places, versions
from symloss.telling.doctor.checks import CHECKS
from symloss.telling.doctor.doctor import Examination, examination_text, examine
from symloss.telling.doctor.finding import Finding, Patient, Status
from symloss.telling.doctor.limits import check_limits, cpu_limit, memory_limit
from symloss.telling.doctor.ray import check_ray
from symloss.telling.doctor.run import check_run

GOLDEN = Path(__file__).parent / "golden" / "v2" / "run"
LATEST = Path(__file__).parent / "golden" / "v3" / "run"


def patient(folder: Path, **facts: Any) -> Patient:
    return Patient(folder, **{"workers": 2, **facts})


def one(found: list[Finding]) -> tuple[Status, str, str]:
    (finding,) = found
    return finding.status, finding.said, finding.advice


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_says_how_things_stand_and_what_to_do(name: str, tmp_path: Path) -> None:
    found = CHECKS[name].examine(patient(tmp_path))
    assert found
    assert CHECKS[name].about
    for each in found:
        assert each.subject
        assert each.said
        assert bool(each.advice) == (each.status is not Status.WELL)
        json.dumps(dict(each.facts))


def test_versions_that_are_missing_or_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = versions.needs()
    assert needed["torch"] == "2.11"
    assert "pytest" not in needed
    monkeypatch.setattr(versions, "needs", lambda: {"torch": "99.1", "no-such-package": "1.0"})
    old, missing = versions.check_versions(patient(tmp_path))
    assert "symloss needs at least 99.1" in old.said
    assert old.advice == "pip install --upgrade 'torch>=99.1'"
    assert missing.said == "no-such-package is not installed, and symloss needs it"
    assert {old.status, missing.status} == {Status.FAULT}


@pytest.mark.parametrize(("text", "said"), [("2.13.0+cpu", (2, 13, 0)), ("1.4rc1", (1, 4)), ("x", ())])
def test_versions_as_numbers(text: str, said: tuple[int, ...]) -> None:
    assert versions.numbers(text) == said


@pytest.mark.parametrize(
    ("files", "cpus", "left"),
    [
        ({}, None, None),
        ({"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ({"cpu.max": "150000 100000", "memory.max": "1000", "memory.current": "400"}, 1.5, 600),
        ({"cpu/cpu.cfs_quota_us": "-1", "memory/memory.limit_in_bytes": "9223372036854771712"}, None, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000", "memory/memory.limit_in_bytes": "9000",
          "memory/memory.usage_in_bytes": "1"}, 0.5, 8999),
    ],
)  # fmt: skip
def test_limits_of_control_groups_of_both_versions(
    tmp_path: Path, files: dict[str, str], cpus: float | None, left: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert (cpu_limit(tmp_path), memory_limit(tmp_path)) == (cpus, left)


def test_fewer_processors_than_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cpu_limit", lambda: 1.5)
    status, said, advice = one(cores.check_cores(patient(tmp_path, workers=4)))
    assert (status, advice) == (Status.NOTE, "give --workers 1")
    assert "allows the time of 1.5, so workers would wait for each other" in said
    monkeypatch.setattr(cores, "cpu_limit", lambda: None)
    assert one(cores.check_cores(patient(tmp_path)))[0] is Status.WELL


@pytest.mark.parametrize(
    ("free", "limit", "status", "words"),
    [
        (64 * 2**30, None, Status.WELL, "64 GiB may be used"),
        (3 * 2**30, None, Status.NOTE, "1 workers are sure to fit"),
        (64 * 2**30, 2**30, Status.FAULT, "workers would be killed"),
        (None, None, Status.NOTE, "is not known here"),
    ],
)
def test_memory(
    tmp_path: Path, free: int | None, limit: int | None, status: Status, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: free)
    monkeypatch.setattr(memory, "memory_limit", lambda: limit)
    found = one(memory.check_memory(patient(tmp_path)))
    assert found[0] is status
    assert words in found[1]


def test_available_memory_is_read_or_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.available() is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert memory.available() == 2**21


def test_a_gpu_that_torch_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(gpu, "DEVICE", tmp_path)
    assert "cannot use it; searches train on processors" in one(gpu.check_gpu(patient(tmp_path)))[1]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda number: "Big GPU")
    status, said, _ = one(gpu.check_gpu(patient(tmp_path)))
    assert (status, "Big GPU" in said) == (Status.WELL, True)


@pytest.mark.parametrize(
    ("disk", "status", "words"),
    [
        (("ext4", 2**40, 2**41, False), Status.WELL, "on ext4, 1 TiB of 2 TiB free"),
        (("ext4", 2**40, 2**41, True), Status.FAULT, "write-protected, so no run can be kept there"),
        (("tmpfs", 2**20, 2**21, False), Status.FAULT, "a run takes 8 MiB and more, and would be paused"),
        (("nfs4", 2**40, 2**41, False), Status.NOTE, "that it survives a power cut is up to its server"),
    ],
)
def test_disks(
    tmp_path: Path, disk: tuple[Any, ...], status: Status, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "disk_of", lambda path: Disk(tmp_path, *disk))
    found = one(places.check_disk(patient(tmp_path)))
    assert found[0] is status
    assert words in found[1]


def test_a_disk_without_locks_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.locks_hold(tmp_path)

    def believes_all(*asked: object) -> None:
        """Grant every lock."""

    monkeypatch.setattr(fcntl, "flock", believes_all)
    assert not places.locks_hold(tmp_path)
    status, said, _ = one(places.check_disk(patient(tmp_path)))
    assert (status, "it keeps no locks, so two drivers could not be kept apart" in said) == (Status.FAULT, True)


def test_a_disk_on_which_no_file_can_be_made_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**asked: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded", str(tmp_path))

    monkeypatch.setattr(places.tempfile, "TemporaryFile", full)
    status, said, _ = one(places.check_disk(patient(tmp_path)))
    assert (status, "no file can be made there: Disk quota exceeded" in said) == (Status.FAULT, True)


def test_few_open_files_and_processes_are_worth_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (64, 64))
    files, processes = check_limits(patient(tmp_path, workers=4))
    assert "64 open files are allowed, and Ray may want 700 with 4 workers" in files.said
    assert (files.status, processes.status) == (Status.NOTE, Status.NOTE)
    assert "ulimit -u 440" in processes.advice


def test_rays_own_folder_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert str(tmp_path) in one(places.check_temporary(patient(tmp_path)))[1]


def test_a_disk_that_refuses_locks_is_one_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*asked: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuses)
    assert not places.locks_hold(tmp_path)


def test_a_folder_for_temporary_files_that_is_full_or_far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "disk_of", lambda path: Disk(path, "ext4", 2**20, 2**40, False))
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: "/tmp")
    assert one(places.check_temporary(patient(tmp_path)))[0] is Status.FAULT
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: "/tmp/" + "x" * 200)
    assert "too long for Ray's sockets" in one(places.check_temporary(patient(tmp_path)))[1]

    def none() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(places.tempfile, "gettempdir", none)
    assert one(places.check_temporary(patient(tmp_path)))[0] is Status.FAULT


def test_too_little_shared_memory_and_no_home_are_worth_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "disk_of", lambda path: Disk(path, "tmpfs", 2**20, 2**26, False))
    assert "Ray wants" in one(places.check_shared_memory(patient(tmp_path)))[1]
    monkeypatch.setattr(places, "SHARED", tmp_path / "none")
    assert one(places.check_shared_memory(patient(tmp_path)))[0] is Status.NOTE
    monkeypatch.setenv("HOME", "/dev/null/home")
    assert "nothing breaks" in one(places.check_home(patient(tmp_path)))[1]


@pytest.mark.parametrize(
    ("now", "words"), [(lambda: 0.0, "before there was a symloss"), (lambda: 4e9, "the disk stamps files -")]
)
def test_a_clock_that_is_wrong(
    tmp_path: Path, now: Callable[[], float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", now)
    status, said, _ = one(clock.check_clock(patient(tmp_path)))
    assert (status, words in said) == (Status.NOTE, True), said


def test_ray_that_does_not_start_is_a_fault_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RunError("no sockets here")

    monkeypatch.setattr("symloss.telling.doctor.ray._start", fails)
    status, said, advice = one(check_ray(patient(tmp_path, starts_ray=True)))
    assert (status, said) == (Status.FAULT, "it does not start here: no sockets here")
    assert "--workers 0" in advice
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert one(check_ray(patient(tmp_path)))[0] is Status.FAULT


def test_ray_that_runs_is_well(cluster: None, tmp_path: Path) -> None:
    assert one(check_ray(patient(tmp_path, starts_ray=True)))[0] is Status.WELL


# Runs.

DAMAGE = {
    "DELETE FROM outcomes WHERE candidate = 3; DELETE FROM measurements WHERE candidate = 3":
        "1 candidates of told batches have no outcome: 3",
    "DELETE FROM candidates WHERE number = 20; DELETE FROM outcomes WHERE candidate = 20;"
    "DELETE FROM measurements WHERE candidate = 20": "told batches do not have the number of candidates that they say",
    "DELETE FROM batches WHERE number = 0": "told batches are missing: their numbers do not follow one another from 0",
    "INSERT INTO outcomes VALUES (99, 'rejected', 'no', NULL, 0.0)":
        "1 outcomes belong to candidates that were never issued: 99",
    "DELETE FROM trials WHERE part = 'test'": "rows of trial_outputs belong to no trial",
    "DELETE FROM meta WHERE key = 'finals'": "winner.loss.json is there, and no finals have named a winner",
    "UPDATE meta SET value = json_set(value, '$.winner', 'r**4') WHERE key = 'finals'":
        "the finals' winner is r**4, and winner.loss.json holds",
    "UPDATE meta SET value = json_set(value, '$.sentence', 'beats all') WHERE key = 'finals'":
        "tells another verdict than the finals",
    "UPDATE outcomes SET state = 'lost' WHERE candidate = 1": "does not fit its state 'lost'",
    "UPDATE measurements SET value = 'x'": "the column value of measurements holds 'x'",
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "run"))


def test_a_run_that_is_whole_is_well_and_has_its_digest(run: Path) -> None:
    with RunStore.read(run / "run.sqlite") as store:
        digest = store.digest()
    found = check_integrity(run)
    assert found.faults == ()
    assert found.digest == digest
    assert (found.candidates, found.outcomes, found.live) == (30, 30, False)
    status, said, _ = one(check_run(patient(run.parent, run=run)))
    assert (status, f"digest {digest}" in said) == (Status.WELL, True)


def assert_found(run: Path, sql: str, said: str) -> None:
    """Damage a run's store, and see that the damage is found."""
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.executescript(sql)
    connection.close()
    found = check_integrity(run)
    assert any(said in fault for fault in found.faults), found.faults
    assert found.digest == ""


@pytest.mark.parametrize("sql", DAMAGE)
def test_what_does_not_fit_is_said(run: Path, sql: str) -> None:
    assert_found(run, sql, DAMAGE[sql])
    assert {each.status for each in check_run(patient(run.parent, run=run))} == {Status.FAULT}


TOLD = {
    "UPDATE told SET fitness = zeroblob(length(fitness)) WHERE batch = 1": "told of the fitness of candidate",
    "UPDATE told SET trained = zeroblob(length(trained)) WHERE batch = 0": "told of the training of candidate",
    "UPDATE told SET origin = zeroblob(length(origin)) WHERE batch = 1": "told of the first twin of candidate",
    "UPDATE told SET first = 5000 WHERE batch = (SELECT MAX(batch) FROM told)": "candidate 5000, which has no outcome",
}


@pytest.mark.parametrize("sql", TOLD)
def test_what_the_search_was_told_is_worked_out_anew(tmp_path: Path, sql: str) -> None:
    run = Path(shutil.copytree(LATEST, tmp_path / "run"))
    assert check_integrity(run).faults == ()
    assert_found(run, sql, TOLD[sql])


def test_a_run_without_its_texts_is_not_whole(run: Path) -> None:
    (run / "grammar.toml").unlink()
    (run / "experiment.toml").write_text("no table")
    faults = check_integrity(run).faults
    assert any("grammar.toml cannot be read" in each for each in faults), faults
    assert any("experiment.toml is no TOML" in each for each in faults), faults


def test_a_page_that_is_torn_is_said(run: Path) -> None:
    data = bytearray((run / "run.sqlite").read_bytes())
    data[-4096:] = bytes(4096)
    (run / "run.sqlite").write_bytes(data)
    assert check_integrity(run).faults


def test_a_missing_winner_and_a_driver_at_work(run: Path) -> None:
    (run / "winner.loss.json").unlink()
    with RunDirectory(run).locked():
        found = check_run(patient(run.parent, run=run))
        assert found[0].status is Status.NOTE
        assert "a driver is at work" in found[0].said
    assert "`symloss resume` writes it again" in check_integrity(run).faults[0]


def test_the_command_answers_and_its_status_says_whether_all_is_well(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from symloss.cli import main

    def call(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    code, text = call(str(run))
    assert (code, text.splitlines()[-1]) == (0, "all is well")
    code, text = call(str(run), "--json")
    document = json.loads(text)
    assert (code, document["well"], list(document["findings"])) == (0, True, list(CHECKS))
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute("DELETE FROM outcomes WHERE candidate = 3")
    connection.close()
    code, text = call(str(run))
    assert (code, "would break" in text.splitlines()[-1], "What to do" in text) == (1, True, True)
    code, text = call(str(run), "--json")
    assert (code, json.loads(text)["well"]) == (1, False)
    assert call(str(run / "none"))[0] == 2


def test_a_strangers_text_does_not_steer_the_terminal() -> None:
    hostile = Finding("run", Status.FAULT, "\x1b[2J", "\x1b[2J")
    assert "\x1b" not in examination_text(Examination({"run": (hostile,)}))


def test_this_machine_can_be_examined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(examine().findings) == set(CHECKS)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [
        (1, int, True), (True, int, False), (1.5, is_number, True), (float("inf"), is_number, False),
        ([1, "a"], [(int, str)], True), ([1, None], [(int, str)], False), ({"a": 1}, {"a": int, "?b": str}, True),
        ({"a": 1, "b": 2}, {"a": int, "?b": str}, False), ({}, {"a": int}, False), ({"x": 1}, {"*": int}, True),
        ({"x": "1"}, {"*": int}, False), ({"x": "1"}, {}, True), ([], {}, False), ({}, [int], False),
    ],
)  # fmt: skip
def test_forms_of_documents(value: Any, form: Any, said: bool) -> None:
    assert fits(value, form) is said
