"""What a report is made of: everything that a run directory holds, read once and put beside each other.

Read from the run store alone, also while a driver is writing it; a file that is missing is told, and stops nothing.
"""

from __future__ import annotations

import functools
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.errors import RunError, SymlossError, visible
from symloss.language.candidate import Outcome, State
from symloss.language.formula import Formula, parse
from symloss.running.proof.entrants import searched_as
from symloss.running.reached import Reached
from symloss.running.storage.recollection import Standings
from symloss.running.storage.rundir import RunDirectory, find_run, read_text
from symloss.running.storage.store import RunStore, StoredBatch, StoredCandidate
from symloss.telling.analysis import CLASSES
from symloss.telling.ranking import Ranked, Ranking, rank, stand
from symloss.telling.report.choice import choose
from symloss.telling.show import shorten

IN_TRAINING = "in training"
BEST = 200  # formulas by fitness that are looked at
NAME = 60  # characters of a name that a task's file gives


@dataclass(frozen=True)
class Row:
    """A candidate and how it ended.

    Args:
        outcome: None while it is trained.
        fitness: in the metric's own units; None where it has none.
        place: of its training, counted from 1 in the order of candidates; None where it was not trained.
    """

    candidate: StoredCandidate
    outcome: Outcome | None
    fitness: float | None
    place: int | None

    @property
    def number(self) -> int:
        """The candidate's number."""
        return self.candidate.number

    @property
    def shown(self) -> str:
        """Its formula's text, or its tree's where it has no formula."""
        return visible(self.candidate.formula if self.candidate.formula is not None else self.candidate.text)

    @property
    def ending(self) -> str:
        """Its state in words."""
        return IN_TRAINING if self.outcome is None else self.outcome.state.value.replace("_", " ")


@dataclass(frozen=True)
class Material:
    """A run as it was at one moment.

    Args:
        live: whether a driver is at work, so that there is more to come.
        read_at: seconds since the epoch.
        facts: about the run, by name.
        classes: of the task's outputs, where finals have seen them; else as everywhere.
        standings: how all candidates stand that have ended.
        total: candidates that the search has issued.
        counts: how many candidates ended in each way, the commonest first.
        endings: see `RunStore.endings`.
        mean_seconds: of training a candidate.
        reached: how far trainings were measured.
        rows: candidates by number: all, or of a large run those that a report may hold.
        experiment, grammar: the texts of the run's files, or why they cannot be read.
    """

    run: RunDirectory
    live: bool
    read_at: float
    facts: Mapping[str, Any]
    batches: tuple[StoredBatch, ...]
    classes: int
    standings: Standings
    total: int
    counts: Mapping[str, int]
    endings: Sequence[tuple[str, str, int]]
    mean_seconds: float
    reached: Reached
    rows: tuple[Row, ...]
    ranking: Ranking
    experiment: str
    grammar: str
    per_seed: Mapping[str, tuple[float, ...]]

    @property
    def metric(self) -> str:
        """The metric that candidates are judged by, as it is shown."""
        return shorten(str(self.facts["metric"]), NAME)

    @property
    def maximise(self) -> bool:
        """Whether more of the metric is better."""
        return bool(self.facts["maximise"])

    @property
    def unit(self) -> str:
        """What the search asked for at once; the batches of an asynchronous one are no generations."""
        return "batch" if self.facts.get("asynchronous") else "generation"

    @property
    def slot(self) -> str:
        """The slot of the run's formulas."""
        return str(self.facts["slot"])

    @property
    def finals(self) -> Mapping[str, Any] | None:
        """The document of the finals; None before they ended."""
        return self.facts.get("finals")

    @cached_property
    def trained(self) -> int:
        """How many candidates were trained."""
        return int(self.standings.trained.sum())

    @cached_property
    def scored(self) -> NDArray[np.float64]:
        """Fitness of the trained candidates that have one, in the metric's own units and in order."""
        fitness = self.standings.fitness[self.standings.trained]
        return (1 if self.maximise else -1) * fitness[np.isfinite(fitness)]

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """The best formulas, best first."""
        return self.ranking.best

    @property
    def front(self) -> tuple[Ranked, ...]:
        """The Pareto front of fitness against complexity, simplest first."""
        return self.ranking.front

    @cached_property
    def seconds(self) -> float:
        """Seconds searched, all sessions together."""
        return float(sum(each["seconds"] for each in self.sessions))

    @cached_property
    def sessions(self) -> list[dict[str, Any]]:
        """The facts about the run's sessions; `seconds` is a number, whatever the store says."""
        found = [dict(each) for each in self.facts["sessions"] if isinstance(each, Mapping)]
        for each in found:
            seconds = each.get("seconds")
            each["seconds"] = float(seconds) if isinstance(seconds, int | float) else 0.0
        return found

    @cached_property
    def winner(self) -> Ranked | None:
        """The winner of the finals, or the best of the search before them; None while nothing was scored.

        A polished winner has its own formula, and the number and fitness of the candidate that it was.
        """
        best = self.ranking.named or (self.ranked[0] if self.ranked else None)
        formula = self.parsed(self.finals["winner"]) if self.is_polished and self.finals else None
        return replace(best, formula=formula.text, complexity=formula.complexity) if best and formula else best

    @property
    def is_polished(self) -> bool:
        """Whether the winner's numbers were tuned once more after the search."""
        return self.finals is not None and searched_as(self.finals) != self.finals["winner"]

    @cached_property
    def formula(self) -> Formula | None:
        """The winner's formula; None where there is none, or its text is damaged."""
        return None if self.winner is None else self.parsed(self.winner.formula)

    def parsed(self, text: str) -> Formula | None:
        """Read a stored formula; None where the store's text is damaged."""
        return _parsed(text, self.slot)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str, slot: str) -> Formula | None:
    try:
        return parse(text, slot)
    except SymlossError:
        return None


def gather(path: str | Path, live: bool | None = None) -> Material:
    """Read a run.

    Args:
        path: its directory.
        live: whether its driver is at work; None to look.

    Raises:
        RunError: there is no run, or its store is damaged.
    """
    run = find_run(path)
    with RunStore.read(run.store) as store:
        facts, batches = store.meta(), tuple(store.batches())
        standings, total, counts = stand(store), store.issued(), store.counts()
        finals = facts.get("finals")
        ranking = rank(store, standings, BEST, None if finals is None else searched_as(finals))
        width = store.width() if facts["slot"] == "classification" else None
        per_seed = _per_seed(store, str(facts["metric"])) if finals else {}
        return Material(
            run=run,
            live=run.is_driven() if live is None else live,
            read_at=time.time(),
            facts=facts,
            batches=batches,
            classes=CLASSES if width is None or width < 2 else width,
            standings=standings,
            total=total,
            counts=_in_words(counts, total),
            endings=store.endings(),
            mean_seconds=store.seconds(),
            reached=store.reached(),
            rows=tuple(_rows(store, choose(store, standings, ranking, total), standings, facts["maximise"])),
            ranking=ranking,
            experiment=_text(run.experiment),
            grammar=_text(run.grammar),
            per_seed=per_seed,
        )


def _in_words(counts: Mapping[State, int], total: int) -> dict[str, int]:
    named = Counter({state.value.replace("_", " "): count for state, count in counts.items()})
    named.update({IN_TRAINING: total - sum(counts.values())})
    return {name: count for name, count in named.most_common() if count > 0}


def _rows(store: RunStore, numbers: Sequence[int], standings: Standings, maximise: bool) -> Iterator[Row]:
    places = np.cumsum(standings.trained)
    sign = 1 if maximise else -1
    for candidate, outcome in store.some(numbers):
        at = int(np.searchsorted(standings.numbers, candidate.number))
        known = at < len(standings) and standings.numbers[at] == candidate.number
        fitness = sign * float(standings.fitness[at]) if known else math.nan
        place = int(places[at]) if known and standings.trained[at] else None
        yield Row(candidate, outcome, fitness if math.isfinite(fitness) else None, place)


def _per_seed(store: RunStore, metric: str) -> dict[str, tuple[float, ...]]:
    """Return formula text -> the metric on the test set, one number a seed."""
    found = {}
    for formula, outcome in store.tested():
        if outcome.state is State.SCORED:
            last = max(each.step for each in outcome.measurements)
            final = [each.values for each in outcome.measurements if each.step == last]
            found[formula] = tuple(values[metric] for values in final if metric in values)
    return found


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except RunError as error:
        return f"# {error}"
