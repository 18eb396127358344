"""Disks: what a path stands on, and files that are written whole or not at all on a disk that takes no more."""

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from symloss import disk
from symloss.disk import Disk, disk_of, full_disk, mount_of, nearest, size_words, written_badly
from symloss.errors import DiskError, ExperimentError, RunError
from symloss.judging.tasks import make_task
from symloss.judging.tasks.datafiles import directory
from symloss.language.files import read_bounded, write_whole
from symloss.language.formula import parse
from symloss.language.lossfile import read_loss, write_loss
from symloss.running.config import load_experiment
from symloss.running.storage.room import BASE, check_room, room_needed, tell_network
from symloss.running.storage.rundir import RunDirectory
from symloss.telling.export import write_export
from symloss.telling.report.report import write_report
from symloss.telling.runtable import write_table
from symloss.telling.target import find_target
from tests.runs import make_run

MOUNTED = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /home rw - nfs4 server:/home rw,vers=4.2
31 30 0:26 / /home/me/local\\040disk rw master:1 - xfs /dev/sdb rw
32 22 0:27 / /tmp rw - ext4 /dev/sdc rw
33 22 0:28 / /tmp rw - tmpfs none rw
a line that is cut
"""


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A limit on the size of files: the system answers EFBIG, as it answers ENOSPC where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTED)
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "mountinfo")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/usr/x", "ext4"), ("/home/you", "nfs4"), ("/homely", "ext4"), ("/home/me/local disk/a", "xfs"),
     ("/tmp/y", "tmpfs")],
)  # fmt: skip
def test_the_kind_is_that_of_the_deepest_and_latest_mount(mounted: None, path: str, kind: str) -> None:
    assert disk._kind(Path(path)) == kind


def test_without_a_table_of_mounts_the_kind_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "none")
    found = disk_of(tmp_path)
    assert (found.kind, found.is_network) == ("unknown", False)


def test_a_disk_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    found = disk_of(tmp_path / "not" / "there")
    assert found.path == tmp_path == nearest(tmp_path / "not" / "there")
    assert 0 <= found.free <= found.size
    assert not found.read_only
    assert mount_of(tmp_path).is_mount()


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (2**20, "1 MiB"), (3 * 2**40, "3 TiB")],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert size_words(count) == words


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_with_its_room(tmp_path: Path, code: int) -> None:
    error = written_badly(tmp_path / "x", OSError(code, os.strerror(code)))
    assert isinstance(error, DiskError)
    assert "its disk is full, or a quota or a limit on it is used up" in str(error)
    assert f"are free on {mount_of(tmp_path)}" in str(error)
    assert str(full_disk(tmp_path / "x")) == str(error)


def test_other_reasons_are_no_full_disk(tmp_path: Path) -> None:
    assert isinstance(written_badly(tmp_path, OSError(errno.EROFS, "read-only")), DiskError)
    assert type(written_badly(tmp_path, OSError(errno.EACCES, "no"))) is RunError


def test_a_file_is_written_whole_or_not_at_all_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_whole(path, "before")
    with files_of_at_most(1000), pytest.raises(DiskError, match="its disk is full"):
        write_whole(path, "x" * 5000)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_every_file_that_a_run_is_told_in_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    target = find_target("-t*log(p)")
    writers = {
        "report.html": lambda path: write_report(run, path),
        "x.csv": lambda path: write_table(run, "candidates", "csv", path),
        "x.parquet": lambda path: write_table(run, "candidates", "parquet", path),
        "x.py": lambda path: write_export(target, "torch", path),
        "x.loss.json": lambda path: write_loss(path, parse("-t*log(p)")),
    }
    for name, write in writers.items():
        path = tmp_path / "out" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("before")
        with files_of_at_most(64), pytest.raises(DiskError, match="its disk is full"):
            write(path)
        assert path.read_text() == "before", name
        write(path)
        assert path.read_bytes() != b"before", name
    assert sorted(os.listdir(tmp_path / "out")) == sorted(writers)


def test_a_picture_is_written_whole_or_not_at_all_on_a_full_disk(tmp_path: Path) -> None:
    from symloss.telling.plot import draw

    path = tmp_path / "x.png"
    with files_of_at_most(64), pytest.raises(DiskError, match="its disk is full"):
        draw([find_target("-t*log(p)")], path, 10)
    assert os.listdir(tmp_path) == []


def test_no_link_is_followed_when_a_file_is_written(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "report.html"
    victim.write_text("precious")
    link.symlink_to(victim)
    write_whole(link, "new")
    assert (victim.read_text(), link.read_text(), link.is_symlink()) == ("precious", "new", False)


@pytest.mark.parametrize("name", ["x" * 300, "nul\0", "sub/x"])
def test_names_that_no_file_can_have_are_said_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").write_text("a file, and no folder")
    with pytest.raises(RunError, match=r"cannot be written|is no name that a file can have"):
        write_whole(tmp_path / name, "x")


def test_what_no_encoding_has_is_spelled_out(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", "a\ud800b")
    assert (tmp_path / "x").read_text() == "a\\ud800b"


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("12345")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert read_bounded(tmp_path / "link", 5, "a file") == b"12345"
    with pytest.raises(ValueError, match="has 5 bytes; a file has at most 4"):
        read_bounded(tmp_path / "x", 4, "a file")
    with pytest.raises(OSError, match="symbolic links"):
        read_bounded(tmp_path / "link", 5, "a file", links=False)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ValueError, match="is no regular file, so it cannot be a file"):
            read_bounded(path, 4, "a file")


def test_an_experiment_that_is_a_pipe_or_endless_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", Path("/dev/zero"), Path("nul\0.toml"), Path("x" * 300 + ".toml")):
        with pytest.raises(ExperimentError):
            load_experiment(path)


def test_room_is_looked_at_before_a_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, task = load_experiment("noisy_digits"), make_task({"name": "digits"})
    needed = room_needed(experiment, task)
    outputs = 8 * experiment.finals.seeds * len(task.test()[1]) * 10 * 4  # the winner and seven baselines
    assert needed == BASE + outputs
    check_room(tmp_path / "run", needed)

    def tiny(path: Path) -> Disk:
        return Disk(tmp_path, "ext4", 1000, 2**20, False)

    monkeypatch.setattr("symloss.running.storage.room.disk_of", tiny)
    with pytest.raises(DiskError, match=r"cannot hold a run: it takes up to .* MiB, and .* are free on .* --out"):
        check_room(tmp_path / "run", needed)


def test_a_write_protected_place_is_refused_before_a_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symloss.running.storage.room.disk_of", lambda path: Disk(tmp_path, "ext4", 2**40, 2**40, True))
    with pytest.raises(RunError, match=r"cannot be made a run directory: .* is write-protected. Name another one"):
        check_room(tmp_path / "run", BASE)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "lustre", "cifs", "smb3", "beegfs"])
def test_a_network_file_system_is_told_in_one_line(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("symloss.running.storage.room.disk_of", lambda path: Disk(tmp_path, kind, 2**40, 2**40, False))
    tell_network(tmp_path / "run")
    assert [record.getMessage().partition(": that")[0] for record in caplog.records] == [
        f"symloss: {tmp_path}/run lies on a network file system ({kind})"
    ]


def test_a_local_disk_is_not_worth_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tell_network(tmp_path)
    assert not caplog.records


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_said_to_be_one(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*asked: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    said = "Its file system keeps no locks, so a second driver could not be kept out"
    with pytest.raises(RunError, match=said), RunDirectory(tmp_path).locked():
        raise AssertionError("it was taken for locked")
    assert not RunDirectory(tmp_path).is_driven()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(RunError, match="cannot be used as a run directory"), RunDirectory(tmp_path).locked():
        raise AssertionError("it was followed")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_full_disk_keeps_no_lock_from_being_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*asked: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", refuse)
    with RunDirectory(tmp_path).locked():
        assert RunDirectory(tmp_path).is_driven()


def test_without_a_home_a_tilde_is_a_name_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda user: {}[user])  # a user whom the system does not know
    assert directory("~/data") == Path("~/data")


def test_a_loss_file_with_lone_surrogates_is_told_and_exported(tmp_path: Path) -> None:
    path = tmp_path / "x.loss.json"
    write_loss(path, parse("-t*log(p)"), {"verdict": "\ud800", "task": {"name": "\udfff"}})
    assert read_loss(path).evidence["verdict"] == "\ud800"
    for kind in ("torch", "jax", "loss"):
        write_export(find_target(str(path)), kind, tmp_path / f"x.{kind}")
