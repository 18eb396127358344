"""Starting a driver that is to be killed: as a fork of this process, which spares its imports, or as a program."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.driver import NOWHERE, Traps, drive

ROOT = Path(__file__).parent.parent.parent
LONGEST = 600.0  # seconds that a driver may take, on a busy machine too


@dataclass(frozen=True)
class Kill:
    """When a driver is killed.

    Args:
        place: that it comes to, in PLACES; NOWHERE to count from its start.
        nth: time that it comes there, from 0.
        delay: seconds after that.
    """

    place: str
    nth: int
    delay: float


@dataclass(frozen=True)
class Sitting:
    """How a driver ended.

    Args:
        killed: by us; otherwise it ended before.
        status: as the system tells it: minus the signal's number, or the exit status.
        seconds: that it took.
        at: time of the day, in seconds, at which it was killed, or had ended.
        passed: how often it came to each place; known where it was not to be killed.
    """

    killed: bool
    status: int
    seconds: float
    at: float
    passed: dict[str, int]


def sit(arguments: list[str], ledger: Path, log: Path, kill: Kill | None, forked: bool) -> Sitting:
    """Run a driver, and kill it where it is to be killed."""
    began = time.monotonic()
    told, tell = os.pipe()
    os.set_blocking(told, False)
    place, nth = (kill.place, kill.nth) if kill is not None else (NOWHERE, 0)
    traps = Traps(place, nth, tell)
    pid = _fork(ledger, traps, arguments, log) if forked else _spawn(ledger, traps, arguments, log)
    os.close(tell)
    try:
        killed = kill is not None and _kill(pid, kill, told)
        at = time.time()
        status = _ended(pid, began)
        said = b"" if kill is not None else _read(told)
    finally:
        os.close(told)
    passed = json.loads(said) if said else {}
    return Sitting(killed and status == -signal.SIGKILL, status, time.monotonic() - began, at, passed)


def _fork(ledger: Path, traps: Traps, arguments: list[str], log: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    with contextlib.suppress(BaseException):  # whatever happens, this is not the harness any more
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        try:
            drive(ledger, traps, arguments)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _spawn(ledger: Path, traps: Traps, arguments: list[str], log: Path) -> int:
    words = [str(ledger), traps.place, str(traps.nth), str(traps.told), str(traps.held), "--", *arguments]
    with log.open("ab") as output:
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.driver", *words],
            cwd=ROOT, stdout=output, stderr=output, pass_fds=[traps.told],
        )  # fmt: skip
    program.returncode = 0  # we wait for it ourselves
    return program.pid


def _kill(pid: int, kill: Kill, told: int) -> bool:
    while kill.place != NOWHERE and not _read(told):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.0005)
    time.sleep(kill.delay)
    os.kill(pid, signal.SIGKILL)  # it may have ended, but not been waited for
    return True


def _ended(pid: int, began: float) -> int:
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - began > LONGEST:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -1000
        time.sleep(0.005)


def _read(told: int) -> bytes:
    try:
        return os.read(told, 4096)
    except BlockingIOError:
        return b""
