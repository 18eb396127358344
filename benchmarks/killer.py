"""A run whose workers are killed, against the same run undisturbed: `python -m benchmarks.killer`.

A killer shoots a random worker every 1 to 3 seconds (`--between`) while the run goes, or `--kills` times. With
`--nodes` the run works on a Ray cluster of several nodes on this machine, started as on several machines; one of them
dies after the first generation. Exits with 1 when the two runs' digests differ.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from symloss.judging.cluster import RAY_ENVIRONMENT
from symloss.running.observer import Progress, Silent
from symloss.running.run import search
from symloss.running.storage.store import RunStore
from symloss.telling.summary import run_text, summarise_run

NAME = "SymlossWorker"  # as Ray shows workers in the list of processes
ROOM = 80_000_000  # bytes of a node's object store, nearly the smallest


def experiment(generations: int, steps: int) -> dict[str, Any]:
    """Return a search of noisy digits whose evaluations take some tenths of a second each."""
    return {
        "grammar": "compact",
        "task": {"name": "digits", "noise": 0.4, "hidden": [16]},
        "search": {"population": 24, "elites": 4},
        "budget": {"steps": steps, "cohort": 2, "seeds": 2, "rungs": [], "stack": "stacked"},
        "stop": {"generations": generations},
        "finals": {"seeds": 2, "steps": 50, "top": 2, "resamples": 100},
    }


class Killer(Silent):
    """An observer that begins to kill when the first generation is done.

    Args:
        most: kills; 0 for as long as the run goes.
        between: seconds from kill to kill, at least and at most.
        first: is called once, before the first kill.
    """

    def __init__(self, most: int, between: tuple[float, float], first: Callable[[], None]) -> None:
        self.kills = 0
        self._most = most
        self._between = between
        self._first = first
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._shoot)

    def batch_done(self, progress: Progress) -> None:
        """Begin after the first generation."""
        print(f"generation {progress.generation} after {progress.seconds:.0f} s, {self.kills} kills", flush=True)
        if progress.generation == 1:
            self._first()
            self._thread.start()

    def stop(self) -> None:
        """Let the rest live."""
        self._over.set()
        self._thread.join()

    def _shoot(self) -> None:
        draw = random.Random(1)
        while not self._over.wait(draw.uniform(*self._between)) and (not self._most or self.kills < self._most):
            found = [
                each
                for each in psutil.process_iter(["cmdline"])
                if f"ray::{NAME}" in "".join(each.info["cmdline"] or ())
            ]
            if found:
                draw.choice(found).kill()
                self.kills += 1


@contextmanager
def cluster_of(nodes: int) -> Iterator[tuple[str | None, Callable[[], None]]]:
    """Start a cluster; yield its address, and what makes its last node die. Of no nodes, symloss starts Ray itself."""
    if not nodes:
        yield None, lambda: None
        return
    os.environ.update(RAY_ENVIRONMENT)
    from ray.cluster_utils import Cluster

    fast = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
    head = {"num_cpus": 1, "object_store_memory": ROOM, "_system_config": fast}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    others = [cluster.add_node(num_cpus=1, object_store_memory=ROOM) for _ in range(nodes - 1)]
    try:
        yield cluster.address, lambda: cluster.remove_node(others[-1], allow_graceful=False)
    finally:
        cluster.shutdown()


def fate(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return a run's digest, and what happened to its workers."""
    with RunStore.read(folder / "run.sqlite") as store:
        return store.digest(), store.meta()["sessions"][-1].get("mishaps", {})


def main() -> None:
    """Run both, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=0, help="of a cluster, the last of which dies; 0 for none")
    parser.add_argument("--kills", type=int, default=0, help="at most; 0 for as long as the run goes")
    parser.add_argument("--between", type=float, nargs=2, default=(1.0, 3.0), help="seconds from kill to kill")
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1000)
    asked = parser.parse_args()
    table = experiment(asked.generations, asked.steps)
    with tempfile.TemporaryDirectory() as folder, cluster_of(asked.nodes) as (address, lose):
        calm, shot = Path(folder) / "calm", Path(folder) / "shot"
        search(table, out=calm, workers=0, observer=Silent())
        killer, began = Killer(asked.kills, tuple(asked.between), lose), time.monotonic()
        search(table, out=shot, workers=asked.workers, address=address, observer=killer)
        killer.stop()
        (expected, _), (found, happened) = fate(calm), fate(shot)
        row = next(line for line in run_text(summarise_run(shot)).splitlines() if line.startswith("mishaps"))
        print(f"{killer.kills} kills in {time.monotonic() - began:.0f} s, a node lost: {bool(asked.nodes)}")
        print(row)
        print(f"digests {expected[:12]} {found[:12]}, {'equal' if found == expected else 'DIFFERENT'}; {happened}")
    sys.exit(found != expected)


if __name__ == "__main__":
    main()
