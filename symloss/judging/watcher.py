"""The watcher: a tiny process that outlives the driver, and ends and removes what a killed driver leaves behind.

Run as a script, with the standard library alone: `python -I -S watcher.py HOME`, standard input a pipe whose other end
the driver holds. The kernel closes that end however the driver ends; then the watcher cleans up, and ends.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

MARK = "SYMLOSS_HOME"  # in the environment of every process that Ray starts for us, with the home for its value
TITLE = b"ray::"  # begins the titles that Ray's processes give themselves
PATIENCE = 1.0  # seconds that processes may take to end by themselves
LIMIT = 60.0  # seconds after which the watcher gives up
PAUSE = 0.05


def clean(home: str, patience: float = PATIENCE) -> None:
    """End the processes of a home whose driver is gone, and remove it; returns when nothing is left.

    Args:
        patience: seconds that they may take to end by themselves.
    """
    began, quiet = time.monotonic(), 0
    while time.monotonic() - began < LIMIT:
        left = list(processes_of(home))
        quiet = 0 if left else quiet + 1
        if not left:
            shutil.rmtree(home, ignore_errors=True)
            if quiet > 1 and not os.path.lexists(home):  # twice: one may just have been starting another
                return
        elif time.monotonic() - began >= patience:
            for pid in left:
                with suppress(OSError):  # it has ended in the meantime
                    os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE)


def processes_of(home: str) -> Iterator[int]:
    """Find the living processes of a home, by its mark or by their files; none on systems without /proc."""
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdecimal() and int(name) != os.getpid() and (_is_marked(name, home) or _is_titled(name, home)):
            yield int(name)


def _is_marked(name: str, home: str) -> bool:
    with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
        return os.fsencode(f"{MARK}={home}") in file.read().split(b"\0")
    return False


def _is_titled(name: str, home: str) -> bool:
    """Whether it is one of Ray's, which write a title over their arguments, and over the mark, with files in the home.

    Files alone say too little: a driver that lives on holds some, and so does whatever it has forked.
    """
    with suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
        if file.read(len(TITLE)) == TITLE:
            inside, folder = os.path.join(os.path.realpath(home), ""), f"/proc/{name}/fd"
            return any(_target(os.path.join(folder, each)).startswith(inside) for each in os.listdir(folder))
    return False


def _target(descriptor: str) -> str:
    with suppress(OSError):
        return os.readlink(descriptor)
    return ""  # closed in the meantime


def main(home: str) -> None:
    """Wait for the driver's end, then clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):  # meant for the driver
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    while os.read(0, 4096):
        pass
    clean(home)


if __name__ == "__main__":
    main(sys.argv[1])
