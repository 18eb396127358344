"""Makes a golden run directory with the symloss that is imported: `python -m tests.golden.make tests/golden/NAME`.

A few KiB to 100 KiB: a search of two generations on diabetes, its finals, and what anybody must be able to read of it
for ever, in `expected.json`. The name is the store's version; golden files are added, and never made again. Those of an
earlier version are made by its own code, `git archive COMMIT | tar -x -C OLD`, with PYTHONPATH=OLD.
"""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from symloss.running.run import search
from symloss.telling.summary import summarise_run

EXPERIMENT: dict[str, Any] = {
    "name": "golden",
    "seed": 5,
    "grammar": "regression",
    "task": {"name": "diabetes", "hidden": [8]},
    "search": {"population": 16, "elites": 2},
    "budget": {"steps": 30, "seeds": 1, "cohort": 8, "stack": "stacked", "learning_rates": [0.003, 0.01]},
    "stop": {"generations": 2},
    "finals": {"seeds": 2, "top": 2, "resamples": 100, "learning_rates": [0.01], "baselines": ["mse", "l1"]},
}
TOLD = ("name", "slot", "metric", "maximise", "batches", "candidates", "evaluated", "counts", "front", "finals")


def make(folder: Path) -> None:
    """Write the run, and what it says."""
    search(EXPERIMENT, folder / "run", workers=0)
    (folder / "run" / "run.lock").unlink()
    connection = sqlite3.connect(folder / "run" / "run.sqlite")
    connection.execute("VACUUM")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    summary = summarise_run(folder / "run")
    told = {key: summary[key] for key in TOLD} | {"version": version, "winner": summary["winner"]["formula"]}
    (folder / "expected.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
