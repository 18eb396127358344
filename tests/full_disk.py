"""Runs on disks of their own, small or write-protected: `python -m tests.full_disk FOLDER` in a mount namespace.

FOLDER lies on a tmpfs of a few MiB that this program may fill. Prints JSON that tests/test_run_disk.py looks at.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import symloss.running.run
import symloss.running.session
from symloss.errors import SymlossError
from symloss.judging.stacking import Decision
from symloss.running.observer import Progress, Silent
from symloss.running.run import resume, search
from symloss.running.storage import room
from symloss.running.storage.store import RunStore
from symloss.telling.report.report import write_report
from symloss.telling.summary import summarise_run
from tests.fakes import FakePool
from tests.test_run import TABLE, TARGETS


class Filler(Silent):
    """Fills the disk to the last byte once so many batches are done."""

    def __init__(self, path: Path, batches: int) -> None:
        self.path, self.batches = path, batches

    def batch_done(self, progress: Progress) -> None:
        if progress.generation == self.batches:
            fill(self.path)


def fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in (2**16, 2**12, 2**9, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def said(deed: Callable[[], Any]) -> list[str]:
    try:
        deed()
    except SymlossError as error:
        return [type(error).__name__, str(error)]
    return ["", "done"]


def digest(run: Path) -> str:
    with RunStore.read(run / "run.sqlite") as store:
        return store.digest()


def main(folder: Path) -> dict[str, Any]:
    symloss.running.session.make_pool = lambda *asked: FakePool(targets=TARGETS)  # type: ignore[attr-defined]
    symloss.running.run.choose_stacking = lambda *asked: Decision("single", "told so")  # type: ignore[attr-defined]
    found: dict[str, Any] = {"small": said(lambda: search(TABLE, folder / "small"))}
    found["left"] = sorted(os.listdir(folder))
    room.BASE = 0
    search(TABLE, folder / "whole")
    found["digest"] = digest(folder / "whole")
    filler, run = folder / "filler", folder / "run"
    found["paused"] = said(lambda: search(TABLE, run, observer=Filler(filler, 1)))
    found["again"] = said(lambda: resume(run))
    found["report"] = said(lambda: write_report(run))
    filler.unlink()
    found["resumed"] = said(lambda: resume(run))
    found["same"] = digest(run) == found["digest"]
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    found["read_only"] = said(lambda: search(TABLE, folder / "new"))
    found["read_only_resume"] = said(lambda: resume(run))
    found["read_only_show"] = summarise_run(run)["batches"]
    found["read_only_report"] = said(lambda: write_report(run))
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
