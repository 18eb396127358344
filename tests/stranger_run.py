"""What everybody does with a stranger's run, under an audit hook: `python -m tests.stranger_run FOLDER GOLDEN`.

Everything is done once with a run of our own, so that what is imported and compiled once is there. Prints JSON: deed ->
what the hook heard, and how long and how large it was.
"""

import json
import shutil
import site
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from symloss.plugins import KINDS, offers
from symloss.running.run import resume
from symloss.running.session import Crew
from symloss.telling.export import EXPORTS, FOLDERS, write_export
from symloss.telling.loading import load
from symloss.telling.report.report import write_report
from symloss.telling.summary import run_text, summarise_run
from symloss.telling.target import find_target
from symloss.telling.verification import verify_file
from tests.fuzz.kinds import OWN
from tests.fuzz.watch import Watch


def _export(run: Path) -> None:
    target = find_target(str(run))
    for kind in (*EXPORTS, *FOLDERS):
        write_export(target, kind, run / f"export.{kind}")


# What may be read: what is installed, and what the system says of itself.
INSTALLED = (
    *map(Path, {*site.getsitepackages(), sys.base_prefix}),
    Path("/proc/cpuinfo"),
    Path("/proc/self/mountinfo"),
)
ALLOWED = ("compile (b'Text'",)  # rich looks its own annotation up
DEEDS: dict[str, Callable[[Path], Any]] = {
    "load": lambda run: load(run),
    "load file": lambda run: load(run / "winner.loss.json"),
    "show": lambda run: run_text(summarise_run(run)),
    "export": _export,
    "report": lambda run: write_report(run),
    "verify": lambda run: verify_file(run, quick=True, crew=Crew(0)),
    "resume": lambda run: resume(run, ["stop.generations=3"], workers=0),
}


def main(folder: Path, golden: Path) -> dict[str, Any]:
    """Do everything with a run of our own, then with a stranger's."""
    for kind in KINDS:
        offers(kind)
    ours, strangers = (Path(shutil.copytree(golden, folder / name / "run")) for name in ("ours", "strangers"))
    for deed in DEEDS.values():
        deed(ours)
    watch, heard = Watch(), {}
    for name, deed in DEEDS.items():
        tracemalloc.start()
        began = time.process_time()
        with watch.over((strangers.parent, *OWN, *INSTALLED), ALLOWED) as deeds:
            deed(strangers)
        heard[name] = {
            "deeds": deeds[:10],
            "seconds": time.process_time() - began,
            "bytes": tracemalloc.get_traced_memory()[1],
        }
        tracemalloc.stop()
    return heard


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
