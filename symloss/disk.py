"""What a path stands on: the disk's kind, how much room it has, and the words for a disk that takes no more.

Only the system's own tables are asked; nothing is written.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from symloss.errors import DiskError, RunError

MOUNTS = Path("/proc/self/mountinfo")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room, a quota used up, a limit on a file's size reached
BROKEN = (errno.EIO, errno.ESTALE, errno.ENODEV, errno.EROFS)  # gone, or write-protected by the system after a fault

# Kinds of file systems whose disks are other machines': locks and safety against a power cut are their servers'.
NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs",
    "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs",
}  # fmt: skip
UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "bytes"))


@dataclass(frozen=True)
class Disk:
    """The file system that a path lies on.

    Args:
        path: the nearest part of the path that is there.
        kind: of file system, e.g. `ext4`, `tmpfs`, `nfs4`; `unknown` where the system does not say.
        free: bytes that this user may still write.
        size: bytes in all.
        read_only: whether it is mounted so.
    """

    path: Path
    kind: str
    free: int
    size: int
    read_only: bool

    @property
    def is_network(self) -> bool:
        """Whether the disk is another machine's."""
        return self.kind in NETWORK


def disk_of(path: Path) -> Disk:
    """Return what a path stands on, whether it is there yet or not.

    Raises:
        OSError: the system does not say.
    """
    there = nearest(path)
    state = os.statvfs(there)
    read_only = bool(state.f_flag & os.ST_RDONLY)
    return Disk(there, _kind(there), state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize, read_only)


def nearest(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    whole = Path(os.path.abspath(path))
    return next((each for each in (whole, *whole.parents) if os.path.lexists(each)), Path("/"))


def size_words(count: float) -> str:
    """Word a number of bytes, e.g. `1.5 GiB`."""
    factor, unit = next((pair for pair in UNITS if abs(count) >= pair[0]), UNITS[-1])
    return f"{count / factor:.3g} {unit}" if factor > 1 else f"{count:.0f} bytes"


def room_words(path: Path) -> str:
    """Say how much room there is where a path lies, e.g. `12 KiB of 2 MiB are free`."""
    try:
        disk = disk_of(path)
    except OSError:
        return "how much is free is not known"
    return f"{size_words(disk.free)} of {size_words(disk.size)} are free on {mount_of(disk.path)}"


def mount_of(path: Path) -> Path:
    """Return the folder at which a path's disk is mounted."""
    whole = Path(os.path.realpath(path))
    return next((each for each in (whole, *whole.parents) if os.path.ismount(each)), whole)


def written_badly(path: Path, error: OSError) -> RunError:
    """Word why a file could not be written: a DiskError where its disk is full or gone, else a RunError."""
    if error.errno in FULL:
        return full_disk(path)
    if error.errno in BROKEN:
        return DiskError(f"{path} cannot be written: {error}. Is its disk write-protected, or gone?")
    return RunError(f"{path} cannot be written: {error}.")


def full_disk(path: Path) -> DiskError:
    """Word that a disk is full."""
    return DiskError(
        f"{path} cannot be written: its disk is full, or a quota or a limit on it is used up ({room_words(path)})."
    )


def _kind(path: Path) -> str:
    """Find the kind in the table of mounts: of the last one whose folder holds the path, as later ones hide earlier."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    mounts = [(fields[4].replace("\\040", " "), kind) for fields, kind in map(_parse, lines) if len(fields) > 4]
    whole = Path(os.path.realpath(path))
    holding = [(len(Path(at).parts), kind) for at, kind in mounts if whole.is_relative_to(at)]
    deepest = max((depth for depth, _ in holding), default=0)
    return next((kind for depth, kind in reversed(holding) if depth == deepest), "unknown")


def _parse(line: str) -> tuple[list[str], str]:
    head, _, tail = line.partition(" - ")
    return head.split(), (tail.split() or ["unknown"])[0]
