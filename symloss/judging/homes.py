"""Homes of Rays of our own: each is marked, locked by its driver and watched, so that none outlives its driver.

The lock tells a later driver which homes are abandoned, should a watcher have been killed with its driver.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from symloss.judging import watcher
from symloss.judging.environment import variable

LOCK = "driver.lock"
HOME = "symloss-"  # begins the name of a home, which tempfile completes by 8 letters
PARTING = 3.0  # seconds that a watcher may take to see that there is nothing left to do


@dataclass
class _Held:
    """What a driver holds of a home: its lock, and its watcher with the pipe that keeps it waiting."""

    lock: int
    process: subprocess.Popen[bytes] | None


_HELD: dict[Path, _Held] = {}


def make(parent: str) -> Path:
    """Make a home in a directory, watched before it is there: a driver may be killed at any moment.

    Raises:
        OSError: it cannot be made.
    """
    home = Path(parent, HOME + secrets.token_hex(4))
    process = _watcher_of(home)
    try:
        home.mkdir(0o700)
        _HELD[home] = _Held(_locked(home), process)
    except BaseException as error:
        if isinstance(error, FileExistsError) and process is not None:
            process.kill()  # before it can clean what is somebody else's
        _part_with(process)
        raise
    return home


def _locked(home: Path) -> int:
    # Locked before it has its name, or a driver that sweeps at this moment would take the home for an abandoned one.
    part = home / f"{LOCK}.part"
    lock = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    part.rename(home / LOCK)
    return lock


def let_go(home: Path) -> None:
    """Give up a home; its watcher removes what is left of it, and ends."""
    held = _HELD.pop(home, None)
    if held is None:
        return
    os.close(held.lock)
    _part_with(held.process)


def _part_with(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PARTING)


def _watcher_of(home: Path) -> subprocess.Popen[bytes] | None:
    # In a session of its own, so that no signal to the driver's group reaches it; it holds no file of the driver's.
    command = [sys.executable, "-I", "-S", watcher.__file__, str(home)]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError:  # a machine without room for it; the next driver sweeps
        return None


def marked(home: Path) -> AbstractContextManager[None]:
    """Let the processes that the block starts, and theirs, carry the home's mark."""
    return variable(watcher.MARK, str(home))


def sweep(parent: str) -> None:
    """Remove, beside everything else, the homes in a directory whose drivers are gone."""
    if abandoned := [home for home in Path(parent).glob(f"{HOME}*") if _is_abandoned(home)]:
        threading.Thread(target=_clean, args=(abandoned,), name="symloss-sweep", daemon=True).start()


def _clean(homes: list[Path]) -> None:
    for home in homes:
        watcher.clean(str(home), patience=0.0)


def _is_abandoned(home: Path) -> bool:
    """Whether a home is this user's, and its driver has ended; one without a lock is not known to be anybody's."""
    with suppress(OSError):
        if home.is_symlink() or home.stat().st_uid != os.geteuid() or home in _HELD:
            return False
        lock = os.open(home / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        finally:
            os.close(lock)
    return False
