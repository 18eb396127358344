"""The pool of Ray workers, which may crash and hang without harm: one that does is replaced.

The driver owns time limits and retries; a job whose worker died is tried again, one candidate at a time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from symloss.errors import ExperimentError, RunError, SymlossError
from symloss.judging.cluster import check_reachable, join_ray, load_ray, make_home, remove_home, start_ray, stop_ray
from symloss.judging.drain import Drain, Stop, never
from symloss.judging.evaluate import Job, Judged, Report, alone, in_order, judge
from symloss.judging.pool import Finished, given_up, outcomes_of
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome, State

AHEAD = 2  # jobs in flight per worker: one at work, one waiting, so that no worker waits for the driver
GRACE = 10.0  # seconds past a job's time limits before its worker is killed
LAUNCH = 120.0  # seconds that Ray may take to start on this machine
JOIN = 30.0  # seconds that a running cluster may take to let this process in
PARTING = 5.0  # seconds that a pool waits, when closed, for a Ray that is still starting
STARTUP = 120.0  # seconds a worker may take to import torch and make its task
STARTS = 3  # workers in a row that may die before they are ready
POLL = 0.2  # seconds between two looks at the clock and at `stop`
REASON = ", also when tried alone"


class Worker:
    """What runs in a Ray worker; its methods never raise, so that a fault is a value there."""

    def __init__(self, task_spec: Mapping[str, Any]) -> None:
        self._spec = task_spec
        self._task: Task | None = None

    def prepare(self) -> str:
        """Make the task; return why that failed, or nothing."""
        torch.set_num_threads(1)
        try:
            self._task = make_task(self._spec)
        except SymlossError as error:
            return str(error)
        except Exception as error:
            return f"the task cannot be made: {type(error).__name__}: {error}"
        return ""

    def judge(self, job: Job) -> Report:
        """Judge a job."""
        assert self._task is not None, "prepare comes first"
        return judge(job, self._task)


@dataclass
class Errand:
    """A job, or one candidate of it alone, on its way to a worker.

    Args:
        job: what is sent.
        parent: the job that the driver gave.
        lives: workers that it may still cost.
    """

    job: Job
    parent: Job
    lives: int


@dataclass
class Hand:
    """A worker as the driver sees it.

    Args:
        actor: Ray's handle.
        ready: Ray's reference to the worker's first answer; None once it is there.
        line: (reference, errand) in the order in which the worker takes them.
        since: when the first of the line, or the worker's start, began.
        starts: workers tried for this place, this one included, since one was ready.
    """

    actor: Any
    ready: Any
    line: deque[tuple[Any, Errand]] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    starts: int = 1

    def head(self) -> Any:
        """Return the reference that the worker will answer next; None when it has nothing to do."""
        return self.ready if self.ready is not None else (self.line[0][0] if self.line else None)

    def limit(self) -> float:
        """Return the seconds that the next answer may take. A job may use its own limit twice, see `time_limit`."""
        return STARTUP if self.ready is not None else 2 * self.line[0][1].job.time_limit + GRACE


class RayPool:
    """Judges jobs in long-lived Ray workers; one that dies or hangs is replaced, and its candidates are tried alone.

    Args:
        workers: number of workers.
        task_spec: each worker makes its own task of it.
        address: of a running cluster; None starts one on this machine, reachable from this machine alone.
    """

    def __init__(self, workers: int, task_spec: Mapping[str, Any], address: str | None = None) -> None:
        self._workers = workers
        self._spec = dict(task_spec)
        self._address = address
        self._hands: list[Hand] = []
        self._starter: threading.Thread | None = None
        self._started, self._closing = threading.Event(), threading.Event()
        self._fault: BaseException | None = None
        self._owns_cluster = False
        self._home: Path | None = None
        self._deadline = 0.0

    def start(self) -> None:
        """Start Ray and the workers in the background; the first run waits for them."""
        if self._starter is None:
            self._started.clear()
            self._closing.clear()
            self._fault = None
            self._deadline = time.monotonic() + (JOIN if self._address else LAUNCH)
            self._starter = threading.Thread(target=self._launch, name="symloss-ray", daemon=True)
            self._starter.start()

    def run(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[tuple[Job, list[Outcome]]]:
        """See Pool.run."""
        return outcomes_of(self.run_with_outputs(jobs, stop))

    def run_with_outputs(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[Finished]:
        """See Pool.run_with_outputs."""
        if not self._wait_for_start(stop):
            return
        self._fill()
        waiting = deque(Errand(job, job, 2) for job in jobs)
        done: dict[int, dict[int, Judged]] = {errand.job.number: {} for errand in waiting}
        drain = Drain(stop)
        try:
            while waiting or any(hand.line for hand in self._hands):
                if not drain.begun():
                    self._hand_out(waiting)
                elif not any(hand.line and hand.ready is None for hand in self._hands) or drain.over():
                    return
                for errand, judged in self._collect(waiting):
                    parts = done[errand.parent.number]
                    parts |= {one.outcome.candidate: one for one in judged}
                    if len(parts) == len(errand.parent.candidates):
                        yield errand.parent, in_order(errand.parent, parts)
        finally:
            self._abandon()

    def close(self) -> None:
        """Kill the workers, and Ray where this pool started it, with all that it has written.

        A Ray that is still starting is waited for a little; after that it ends with this process.
        """
        if self._starter is None:
            return
        self._closing.set()
        self._starter.join(None if self._started.is_set() else PARTING)
        if not self._starter.is_alive() and self._home is not None:
            remove_home(self._home)
            self._home = None
        self._starter = None

    # Starting

    def _launch(self) -> None:
        # The thread lives as long as the pool: Linux kills Ray's processes when the thread that started them ends.
        try:
            self._begin()
        except Exception as error:
            self._fault = error
        self._started.set()
        self._closing.wait()
        if self._owns_cluster or self._hands:
            self._end(load_ray())

    def _begin(self) -> None:
        if self._address:
            check_reachable(self._address)
        else:
            self._home = make_home()  # before Ray is imported: at exit, Ray ends first, and its home goes then
        ray = load_ray(self._address)
        if not ray.is_initialized():
            self._owns_cluster = True
            self._start_or_join(ray)
        self._hands = [self._new_hand(ray) for _ in range(self._workers)]

    def _start_or_join(self, ray: Any) -> None:
        if self._address:
            join_ray(ray, self._address)
        else:
            assert self._home is not None
            start_ray(ray, self._workers, self._home)

    def _end(self, ray: Any) -> None:
        for hand in self._hands:
            kill(ray, hand)
        self._hands = []
        if self._owns_cluster:
            stop_ray(ray, self._home)
            self._owns_cluster = False

    def _wait_for_start(self, stop: Stop) -> bool:
        """Return whether Ray has started; false when the run is to stop before."""
        self.start()
        while not self._started.wait(POLL):  # in short waits, so that a signal is heard
            if stop():
                return False
            if time.monotonic() > self._deadline:
                self._refuse(f"it did not answer within {JOIN if self._address else LAUNCH:g} s", None)
        if isinstance(self._fault, SymlossError):
            raise self._fault
        if self._fault is not None:
            self._refuse(str(self._fault).rstrip("."), self._fault)
        return True

    def _refuse(self, why: str, cause: BaseException | None) -> NoReturn:
        where = f"The Ray cluster at {self._address}" if self._address else "Ray"
        raise RunError(f"{where} cannot be used: {why}. --workers 0 works without Ray, in this process.") from cause

    def _new_hand(self, ray: Any, starts: int = 1) -> Hand:
        # Restarts and retries are the driver's: Ray's own would run a hanging job again.
        actor_class = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Worker)
        actor = actor_class.remote(self._spec)
        return Hand(actor, actor.prepare.remote(), starts=starts)

    # Working

    def _hand_out(self, waiting: deque[Errand]) -> None:
        """Send jobs to the workers with the shortest lines; a job on its own trial never waits behind another."""
        while waiting:
            hand = min(self._hands, key=lambda hand: len(hand.line))
            suspect = waiting[0].lives < 2 or any(errand.lives < 2 for _, errand in hand.line)
            if len(hand.line) >= (1 if suspect else AHEAD):
                return
            errand = waiting.popleft()
            if not hand.line and hand.ready is None:
                hand.since = time.monotonic()
            hand.line.append((hand.actor.judge.remote(errand.job), errand))

    def _collect(self, waiting: deque[Errand]) -> list[tuple[Errand, list[Judged]]]:
        """Wait a moment for answers; replace workers that died or hang. Returns what is settled."""
        ray = load_ray()
        busy = {hand.head(): hand for hand in self._hands if hand.head() is not None}
        answered, _ = ray.wait(list(busy), num_returns=1, timeout=POLL)
        settled: list[tuple[Errand, list[Judged]]] = []
        for reference in answered:
            settled += self._take(ray, busy[reference], reference, waiting)
        for hand in [hand for hand in busy.values() if hand in self._hands and hand.head() is not None]:
            if time.monotonic() - hand.since > hand.limit() and not ray.wait([hand.head()], timeout=0)[0]:
                what = f"hung for {hand.limit():g} s and was killed"
                settled += self._replace(ray, hand, State.TIMED_OUT, what, waiting)
        return settled

    def _take(self, ray: Any, hand: Hand, reference: Any, waiting: deque[Errand]) -> list[tuple[Errand, list[Judged]]]:
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayError as error:
            return self._replace(ray, hand, State.CRASHED, f"died ({type(error).__name__})", waiting)
        hand.since = time.monotonic()
        if hand.ready is not None:
            hand.ready = None
            if answer:
                raise ExperimentError(answer)
            return []
        _, errand = hand.line.popleft()
        if answer.unfinished:
            return self._blame(errand, answer.state, answer.unfinished, waiting, again=len(errand.job.candidates) > 1)
        return [(errand, list(answer.judged))]

    def _replace(
        self, ray: Any, hand: Hand, state: State, what: str, waiting: deque[Errand]
    ) -> list[tuple[Errand, list[Judged]]]:
        """Kill a worker and take on a new one; only the job at work is to blame, those in line go back."""
        if hand.ready is not None:
            self._start_again(ray, hand, what, waiting)
            return []
        kill(ray, hand)
        self._hands[self._hands.index(hand)] = self._new_hand(ray)
        (_, culprit), *innocent = hand.line
        waiting.extendleft(errand for _, errand in reversed(innocent))
        return self._blame(culprit, state, f"its worker {what}", waiting, again=culprit.lives > 1)

    def _start_again(self, ray: Any, hand: Hand, what: str, waiting: deque[Errand]) -> None:
        """Replace a worker that ended before it was ready, as a machine short of memory makes it; not for ever."""
        if hand.starts >= STARTS:
            raise RunError(
                f"A Ray worker {what} before it was ready, {STARTS} times in a row. "
                "--workers 0 shows why, in this process."
            )
        kill(ray, hand)
        self._hands[self._hands.index(hand)] = self._new_hand(ray, hand.starts + 1)
        waiting.extendleft(errand for _, errand in reversed(hand.line))

    def _blame(
        self, errand: Errand, state: State, reason: str, waiting: deque[Errand], again: bool
    ) -> list[tuple[Errand, list[Judged]]]:
        """Try each candidate of a failed job alone, once; one that fails alone has its outcome."""
        if again:
            waiting.extendleft(Errand(job, errand.parent, errand.lives - 1) for job in alone(errand.job)[::-1])
            return []
        return [(errand, [given_up(errand.job, state, f"{reason}{REASON}")])]

    def _fill(self) -> None:
        """Take on workers in the place of those that an earlier run has left at work."""
        missing = self._workers - len(self._hands)
        self._hands += [self._new_hand(load_ray()) for _ in range(missing)]

    def _abandon(self) -> None:
        """Kill workers still at work when nobody waits for them; the process may be ending, so no new ones yet."""
        ray = load_ray()
        for hand in [hand for hand in self._hands if hand.line]:
            kill(ray, hand)
            self._hands.remove(hand)


def kill(ray: Any, hand: Hand) -> None:
    """Kill a worker; one that is dead already will do."""
    with suppress(ray.exceptions.RayError, ValueError):
        ray.kill(hand.actor, no_restart=True)
