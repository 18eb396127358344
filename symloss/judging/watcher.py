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
    """Find the living processes that carry a home's mark; none on systems that do not tell environments."""
    mark = os.fsencode(f"{MARK}={home}")
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdecimal() and int(name) != os.getpid():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    yield int(name)


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
