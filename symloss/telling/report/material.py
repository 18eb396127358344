"""What a report is made of: everything that a run directory holds, read once and put beside each other.

Read from the run store alone, also while a driver is writing it; a file that is missing is told, and stops nothing.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from symloss.errors import RunError, SymlossError
from symloss.language.candidate import TRAINED, Outcome, State
from symloss.language.formula import Formula, parse
from symloss.running.rundir import RunDirectory, find_run, read_text
from symloss.running.store import RunStore, StoredBatch, StoredCandidate
from symloss.searching.fitness import FAILED, Judge
from symloss.telling.analysis import CLASSES
from symloss.telling.ranking import Ranked, front_of, rank, scores_of
from symloss.telling.show import shorten, visible

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
        return "in training" if self.outcome is None else self.outcome.state.value.replace("_", " ")


@dataclass(frozen=True)
class Material:
    """A run as it was at one moment.

    Args:
        live: whether a driver is at work, so that there is more to come.
        read_at: seconds since the epoch.
        facts: about the run, by name.
        classes: of the task's outputs, where finals have seen them; else as everywhere.
        rows: all candidates by number.
        experiment, grammar: the texts of the run's files, or why they cannot be read.
    """

    run: RunDirectory
    live: bool
    read_at: float
    facts: Mapping[str, Any]
    batches: tuple[StoredBatch, ...]
    classes: int
    rows: tuple[Row, ...]
    ranked: tuple[Ranked, ...]
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
    def slot(self) -> str:
        """The slot of the run's formulas."""
        return str(self.facts["slot"])

    @property
    def finals(self) -> Mapping[str, Any] | None:
        """The document of the finals; None before they ended."""
        return self.facts.get("finals")

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many candidates ended in each way, the commonest first."""
        return dict(Counter(row.ending for row in self.rows).most_common())

    @cached_property
    def trained(self) -> list[Row]:
        """The candidates that were trained, in order."""
        return [row for row in self.rows if row.place is not None]

    @cached_property
    def front(self) -> list[Ranked]:
        """The Pareto front of fitness against complexity, simplest first."""
        return front_of(list(self.ranked))

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
        """The winner of the finals, or the best of the search before them; None while nothing was scored."""
        chosen = None if self.finals is None else self.finals.get("winner")
        found = next((each for each in self.ranked if each.formula == chosen), None)
        return found or (self.ranked[0] if self.ranked else None)

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
        judge = Judge(facts["metric"], facts["maximise"])
        candidates, outcomes = list(store.candidates()), store.outcomes()
        width = store.width() if facts["slot"] == "classification" else None
        per_seed = _per_seed(store, str(facts["metric"])) if facts.get("finals") else {}
    scores = scores_of(outcomes, judge)
    return Material(
        run=run,
        live=run.is_driven() if live is None else live,
        read_at=time.time(),
        facts=facts,
        batches=batches,
        classes=CLASSES if width is None or width < 2 else width,
        rows=tuple(_rows(candidates, outcomes, scores, 1 if judge.maximise else -1)),
        ranked=tuple(rank(candidates, outcomes, scores, str(facts["slot"]), judge.maximise)),
        experiment=_text(run.experiment),
        grammar=_text(run.grammar),
        per_seed=per_seed,
    )


def _rows(
    candidates: list[StoredCandidate], outcomes: Mapping[int, Outcome], scores: Mapping[int, float], sign: int
) -> list[Row]:
    rows, place = [], 0
    for each in candidates:
        outcome = outcomes.get(each.number)
        trained = outcome is not None and outcome.state in TRAINED
        place += trained
        first = each.number if outcome is None or outcome.twin is None else outcome.twin
        score = scores.get(first, FAILED)
        fitness = None if score == FAILED else sign * score
        rows.append(Row(each, outcome, fitness, place if trained else None))
    return rows


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
