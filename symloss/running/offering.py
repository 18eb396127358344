"""A run whose formulas somebody else proposes: a person, a script, a language model.

What is offered takes the course of any other candidate: free tests, duplicates, training, store, hall of fame, finals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symloss.errors import FormulaError, GrammarError, RunError
from symloss.language.candidate import Candidate, State
from symloss.language.tree import Tree
from symloss.running.config import Experiment
from symloss.running.course import Course
from symloss.running.observer import Observer, Silent
from symloss.running.planning import is_asynchronous
from symloss.running.proof.finals import Finals
from symloss.running.run import hold_finals, kept_work, new_work, pausing
from symloss.running.session import Crew, Session, opened
from symloss.running.stream import Stream
from symloss.searching.archive import Entry
from symloss.searching.fitness import FAILED
from symloss.searching.told import Told


@dataclass(frozen=True)
class Answer:
    """What became of a proposed formula.

    Args:
        text: as it was proposed.
        formula: canonical text; None where nobody has read it, as of one that a free test refused.
        state: how it ended, e.g. `scored`, `rejected`, `duplicate`.
        reason: why it was not scored, in words; empty for one that was.
        fitness: on validation, in the metric's own units; of a duplicate its twin's. None for a failure.
        complexity: nodes.
        number: of the candidate in the run; None for a text that is no formula, which the run does not keep.
    """

    text: str
    formula: str | None
    state: str
    reason: str
    fitness: float | None
    complexity: int | None
    number: int | None


class OpenRun:
    """A run that is open for offers. Get it from `open_run`, and use it in a `with` block.

    Example:
        >>> with open_run("noisy_digits", workers=2) as run:
        ...     for answer in run.offer(["-t*log(p)", "t/p - log(p)"]):
        ...         print(answer.text, answer.state, answer.fitness, answer.reason)
        ...     run.step()                    # a generation of the experiment's own search, which learns from both
        ...     print(run.best(3), run.finals().sentence)
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        kind = Stream if is_asynchronous(session.work.experiment) else Course
        self._course = kind(session, session.ending())
        self._sign = 1 if session.work.task.metric.maximise else -1
        while self._course.recall() or self._taken(self._course.stored()):
            pass

    @property
    def directory(self) -> Path:
        """Where the run is kept."""
        return self._session.work.run.path

    def offer(self, formulas: Iterable[str]) -> list[Answer]:
        """Judge formulas; what is kept already, or has the gradient of an earlier one, is not trained again.

        Args:
            formulas: texts over the task's slot; one that is no formula is answered as rejected, and not kept.

        Returns:
            One answer each, in order.

        Raises:
            RunError: the run was interrupted; what was judged so far is kept, and `open_run(directory)` goes on.
        """
        read = [self._read(text) for text in formulas]
        trees = [tree for _, tree in read if isinstance(tree, Tree)]
        answers = iter(self._answers(self._session.search.offer(trees)) if trees else [])
        return [
            replace(next(answers), text=text)
            if isinstance(tree, Tree)
            else Answer(text, None, State.REJECTED.value, tree, None, None, None)
            for text, tree in read
        ]

    def step(self, n: int | None = None) -> list[Answer]:
        """Let the experiment's own search propose, and judge that.

        Args:
            n: how many candidates; None for one generation.
        """
        return self._answers(self._session.search.ask(n))

    def best(self, k: int = 1) -> list[Entry]:
        """Return the k fittest formulas, fittest first; their `fitness` is larger for better ones."""
        return self._session.search.archive.best(k)

    def front(self) -> list[Entry]:
        """Return the Pareto front of fitness against complexity, simplest first."""
        return self._session.search.archive.front()

    def finals(self) -> Finals | None:
        """Hold the finals as the experiment plans them; None when they were interrupted, or none are planned."""
        self._session.store.write_meta({"ended": "the offers are over"})
        return hold_finals(self._session)

    def _read(self, text: str) -> tuple[str, Tree | str]:
        """Return a text with its tree, or with why it has none."""
        try:
            return text, self._session.search.read(text)
        except (FormulaError, GrammarError) as error:
            return text, f"no formula: {error}"

    def _taken(self, candidates: Sequence[Candidate]) -> list[Told]:
        if not candidates:
            return []
        told = self._course.take(candidates)
        if told is None:
            raise RunError(f"{self.directory}: the run was interrupted; open_run('{self.directory}') goes on with it.")
        return told

    def _answers(self, candidates: Sequence[Candidate]) -> list[Answer]:
        told = self._taken(candidates)
        kept = self._session.store.outcomes(told[0].number, told[-1].number) if told else {}
        return [self._answer(each, kept[each.number].reason) for each in told]

    def _answer(self, told: Told, reason: str) -> Answer:
        formula = None if told.formula is None else told.formula.text
        fitness = None if told.fitness == FAILED else self._sign * told.fitness
        return Answer(told.text, formula, told.state.value, reason, fitness, told.complexity, told.number)


@contextmanager
def open_run(
    experiment: str | Path | Mapping[str, Any] | Experiment,
    out: str | Path | None = None,
    workers: int | None = None,
    overrides: Iterable[str] = (),
    address: str | None = None,
    observer: Observer | None = None,
) -> Iterator[OpenRun]:
    """Open a run for offers: a new one of an experiment, or one that is there.

    Args:
        experiment: as `search` takes it; or the directory of a run, to go on with it.
        out, workers, overrides, address, observer: as `search` takes them; an open run changes nothing of its own.

    Raises:
        ExperimentError: the experiment cannot be run.
        RunError: the directory cannot be used, or the pool fails.
        PausedError: the disk takes no more; what was written stays.
    """
    crew, watching = Crew(workers, address), observer or Silent()
    is_run = isinstance(experiment, str | Path) and (Path(experiment) / "run.sqlite").exists()
    work = kept_work(str(experiment)) if is_run else new_work(experiment, out, overrides, address)
    with work as kept, pausing(kept), opened(kept, crew, watching) as session:
        watching.started(kept.run.path, kept.experiment, bool(session.earlier))
        yield OpenRun(session)
