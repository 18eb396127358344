"""Where files go: the disk of runs, the folder for temporary files, shared memory, and the home directory."""

import fcntl
import os
import tempfile
from pathlib import Path

from symloss.disk import Disk, disk_of, size_words
from symloss.judging.cluster import ROOM, STORE_BYTES
from symloss.running.storage.room import BASE
from symloss.telling.doctor.finding import Finding, Patient, fault, note, well

SHARED = Path("/dev/shm")
SCRATCH = 200 * 2**20  # bytes that Ray writes into the folder for temporary files


def check_disk(patient: Patient) -> list[Finding]:
    """Look at the disk that runs are kept on: room, kind, and whether locks hold."""
    folder = patient.run or patient.folder
    try:
        disk = disk_of(folder)
    except OSError as error:
        return [fault("disk", f"{folder} cannot be looked at: {error}", "name another folder with --out")]
    words, facts = _words(folder, disk), _facts(disk)
    if disk.read_only or not os.access(disk.path, os.W_OK):
        said = f"{words}; it is write-protected, so no run can be kept there"
        return [fault("disk", said, "name a folder on another disk with --out", **facts)]
    if disk.free < BASE:
        said = f"{words}; a run takes {size_words(BASE)} and more, and would be paused"
        return [fault("disk", said, "make room, or name a folder on another disk with --out", **facts)]
    try:
        held = locks_hold(disk.path)
    except OSError as error:  # no inode is left, or a quota is used up that the disk does not tell of
        return [
            fault("disk", f"{words}; no file can be made there: {error.strerror}", "name another folder with --out")
        ]
    if not held:
        said = f"{words}; it keeps no locks, so two drivers could not be kept apart"
        return [fault("disk", said, "name a folder on a local disk with --out", **facts)]
    if disk.is_network:
        said = f"{words}; that it survives a power cut is up to its server"
        return [note("disk", said, "a local disk is safer and quicker: --out names one", **facts)]
    return [well("disk", words, **facts)]


def check_temporary(patient: Patient) -> list[Finding]:
    """Look at the folder for temporary files, where Ray keeps its sockets and logs."""
    wished = os.environ.get("RAY_TMPDIR")
    try:
        folder = Path(os.path.abspath(wished)) if wished else Path(tempfile.gettempdir())
        disk = disk_of(folder)
    except OSError as error:
        return [fault("temporary files", f"there is no place for them: {error}", "set TMPDIR to a folder to write in")]
    words, facts = _words(folder, disk), _facts(disk) | {"folder": str(folder)}
    if len(os.fsencode(folder)) > ROOM:
        said = f"{words}; its path is too long for Ray's sockets (at most {ROOM} bytes), so /tmp is taken"
        return [note("temporary files", said, "set TMPDIR to a folder with a shorter path", **facts)]
    if disk.free < SCRATCH:
        said = f"{words}; Ray writes up to {size_words(SCRATCH)} there, and would not start"
        return [fault("temporary files", said, "make room, or set TMPDIR to another folder", **facts)]
    return [well("temporary files", words, **facts)]


def check_shared_memory(patient: Patient) -> list[Finding]:
    """Look at shared memory, where Ray's object store lies."""
    try:
        disk = disk_of(SHARED)
    except OSError:
        disk = None
    if disk is None or disk.path != SHARED or disk.free < STORE_BYTES:
        room = "there is none" if disk is None or disk.path != SHARED else f"{size_words(disk.free)} are free"
        said = f"{room}, and Ray wants {size_words(STORE_BYTES)}: it takes the folder for temporary files, more slowly"
        return [note("shared memory", said, "in a container, give it --shm-size=256m")]
    return [well("shared memory", _words(SHARED, disk), **_facts(disk))]


def check_home(patient: Patient) -> list[Finding]:
    """Look at the home directory, where libraries keep caches; symloss itself keeps nothing there."""
    try:
        home = Path.home()
    except RuntimeError:
        home = None
    if home is None or not os.access(home, os.W_OK | os.X_OK):
        said = "there is none that can be written to: libraries keep no caches, and start more slowly; nothing breaks"
        return [note("home", said, "set HOME, or NUMBA_CACHE_DIR and MPLCONFIGDIR, to a folder to write in")]
    return [well("home", str(home), path=str(home))]


def locks_hold(folder: Path) -> bool:
    """Whether a file there that one holds locked is locked for another."""
    with tempfile.TemporaryFile(dir=folder) as one:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            other = os.open(f"/proc/self/fd/{one.fileno()}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return not os.path.exists("/proc/self/fd")  # no second look at the file: what cannot be tried is believed
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(other)
        return False


def _words(folder: Path, disk: Disk) -> str:
    return f"{folder} on {disk.kind}, {size_words(disk.free)} of {size_words(disk.size)} free"


def _facts(disk: Disk) -> dict[str, str | int | bool]:
    return {"kind": disk.kind, "free": disk.free, "size": disk.size, "read_only": disk.read_only}
