"""One sitting of a driver at a run: what is run, and the open things that it works with.

A run may take many sessions; what they have in common is on disk.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from symloss.interrupts import Interrupts
from symloss.judging.pool import Pool
from symloss.judging.pools import make_pool, trains_on_gpu
from symloss.judging.stacking import Decision
from symloss.judging.tasks.task import Task
from symloss.language.grammar import Grammar
from symloss.running.config import Experiment
from symloss.running.machine import count_workers, machine_facts
from symloss.running.observer import Observer
from symloss.running.planning import plan_search
from symloss.running.stopping import Ending
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from symloss.searching.searches import Search


@dataclass(frozen=True)
class Crew:
    """Who trains: so many workers, on this machine or on a Ray cluster; it changes no result.

    Args:
        workers: None for one per core, 0 for this process.
        address: of a Ray cluster; None for this machine.
    """

    workers: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Work:
    """What a run works on: its directory, its resolved experiment, and what that names."""

    run: RunDirectory
    experiment: Experiment
    grammar: Grammar
    task: Task


@dataclass(frozen=True)
class Session:
    """A session at work.

    Args:
        search: new; it learns what the store holds by being told it again.
        stacking: how cohorts train, as decided when the run began.
        earlier: facts about the sessions before.
        facts: about this one.
    """

    work: Work
    search: Search
    stacking: Decision
    store: RunStore
    pool: Pool
    interrupts: Interrupts
    observer: Observer
    crew: Crew
    earlier: tuple[Mapping[str, Any], ...]
    facts: Mapping[str, Any]

    def ending(self) -> Ending:
        """Return what decides when the search ends."""
        spent = sum(float(each.get("seconds", 0.0)) for each in self.earlier)
        sign = 1 if self.work.task.metric.maximise else -1
        told, settle = len(self.store.batches()), self.store.settle
        return Ending(self.work.experiment.stop, sign, told, spent, self.interrupts, settle)

    def keep_time(self, seconds: float) -> None:
        """Keep how long this session has searched, for the stop of all sessions together."""
        self.store.write_meta(self.time(seconds))

    def keep_mishaps(self) -> None:
        """Keep what happened to workers since, in the finals."""
        *earlier, last = self.store.meta()["sessions"]
        if happened := self.pool.facts():
            self.store.write_meta({"sessions": [*earlier, {**last, "mishaps": happened}]})

    def time(self, seconds: float) -> dict[str, Any]:
        """Return how long this session has searched, and what happened to its workers, as a fact to keep."""
        happened = self.pool.facts()
        facts = {**self.facts, "seconds": seconds} | ({"mishaps": happened} if happened else {})
        return {"sessions": [*self.earlier, facts]}


@contextmanager
def opened(work: Work, crew: Crew, observer: Observer) -> Iterator[Session]:
    """Open a session: listen to signals, open the store, start the pool.

    Raises:
        RunError: the store is damaged, or the pool cannot be closed in order.
    """
    search = plan_search(work.experiment, work.grammar, work.task)
    # The signals first, so that they are heard until the pool is closed.
    with (
        Interrupts() as interrupts,
        RunStore.open(work.run.store) as store,
        opened_pool(work.experiment.task, crew, work.task) as pool,
    ):
        meta = store.meta()
        earlier, facts = tuple(meta["sessions"]), machine_facts(crew.workers)
        # Runs from before stacks had a size of their own say nothing about it: then one candidate makes a stack.
        stacking = Decision(meta["stack"], str(meta.get("stack_reason", "")), meta.get("stack_members", 1))
        session = Session(work, search, stacking, store, pool, interrupts, observer, crew, earlier, facts)
        session.keep_time(0.0)
        yield session


@contextmanager
def opened_pool(task_spec: Mapping[str, Any], crew: Crew, task: Task | None = None) -> Iterator[Pool]:
    """Make a pool, let it begin to get ready, and close it at the end; its workers must have the data of `task`."""
    workers = 0 if crew.workers is None and trains_on_gpu(task_spec) else count_workers(crew.workers)
    pool = make_pool(workers, task_spec, crew.address)
    if task is not None:
        pool.expect(task)
    try:
        pool.start()
        yield pool
    finally:
        pool.close()


def withdraw_finals(run: RunDirectory, store: RunStore) -> None:
    """Forget the finals of a run that goes on: their winner is not the longer run's."""
    if run.winner.exists() or store.meta().get("finals") is not None:
        run.winner.unlink(missing_ok=True)
        store.write_meta({"finals": None})
