"""A few damaged files of every kind in one process, and proof that the harness sees what it looks for.

`python -m tests.fuzz.sample FOLDER COUNT` prints JSON: the line and the failures of each kind, and of planted faults.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from symloss.errors import RunError
from tests.fuzz.harness import Count, fuzz, once
from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.watch import Watch


def _spin(path: Path) -> None:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass


def _wordy(path: Path) -> None:
    raise RunError("x" * 5000)


def _delete(path: Path) -> None:
    with suppress(OSError):
        os.remove("/nonexistent/file")


PLANTED: dict[str, Callable[[Path], Any]] = {
    "eval": lambda path: eval(path.read_text()),  # noqa: S307 - a planted fault
    "exec": lambda path: exec(path.read_text()),  # noqa: S102 - a planted fault
    "import": lambda path: __import__("tests.packages"),
    "open": lambda path: open("/etc/hostname").close(),
    "subprocess": lambda path: subprocess.run(["true"], check=True),
    "system": lambda path: os.system("true"),  # noqa: S605 - a planted fault
    "socket": lambda path: socket.socket().close(),
    "delete": _delete,
    "error": lambda path: {}["x"],
    "memory": lambda path: bytearray(200 * 2**20),
    "slow": _spin,
    "wordy": _wordy,
    "harmless": lambda path: path.read_text(),
}


def main(folder: Path, inputs: int) -> dict[str, Any]:
    """Fuzz every kind, then the planted faults."""
    watch, found = Watch(), {}
    for name in KINDS:
        counts = list(fuzz(name, range(inputs), 0, folder / name, watch))
        found[name] = {"line": counts[-1].line(), "failures": {str(k): v for k, v in counts[-1].failures.items()}}
    file = folder / "one.txt"
    file.write_text("1")
    planted = {name: once(Kind(1, _same, read), file, watch, Count(name), 1) for name, read in PLANTED.items()}
    return {"kinds": found, "planted": planted}


def _same(rng: Any, folder: Path) -> Path:
    return folder


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
