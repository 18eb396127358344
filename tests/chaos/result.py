"""All that a run comes to, as one hash: everything but timings, sessions and the machine."""

import hashlib
import json
from pathlib import Path
from typing import Any

from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from symloss.telling.ranking import rank_run

LEARNT = ("told", "SELECT * FROM told ORDER BY batch"), ("batches", "SELECT number, candidates, best FROM batches")
FACTS = ("name", "slot", "metric", "maximise", "ended", "finals", "free_tests", "reached")


def parts_of(folder: Path) -> dict[str, str]:
    """Return part of a run -> hash, so that what differs can be named."""
    run = RunDirectory(folder)
    with RunStore.read(run.store) as store:
        ranking, meta = rank_run(store), store.meta()
        parts = {name: _hash([repr(row) for row in store.look(query)]) for name, query in LEARNT}
        parts |= {"store": store.digest(), "facts": _hash({name: meta.get(name) for name in FACTS})}
        parts |= {"hall of fame": _hash(repr(ranking.best)), "front": _hash(repr(ranking.front))}
    parts["winner"] = _hash(_without_machine(run.winner.read_text()) if run.winner.exists() else None)
    parts["experiment"] = _hash(run.experiment.read_text() + run.grammar.read_text())
    return parts


def digest_of(folder: Path) -> str:
    """Return one hash of everything that a run comes to."""
    return _hash(parts_of(folder))


def _without_machine(text: str) -> Any:
    table = json.loads(text)
    table.get("evidence", {}).get("trial", {}).pop("environment", None)
    return table


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
