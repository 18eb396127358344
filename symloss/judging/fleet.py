"""The workers as the driver sees them: who is ready, who has what in line, who is late, who is replaced.

The driver owns time limits and retries; nothing that happens to a worker changes what comes out.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from symloss.errors import ExperimentError, RunError
from symloss.judging.actors import Actors, LostError
from symloss.judging.drain import Drain, Stop, never
from symloss.judging.evaluate import Job, Judged
from symloss.judging.mishaps import Mishaps
from symloss.judging.nodes import check_same_versions, versions_here
from symloss.judging.pool import Finished, given_up
from symloss.judging.suspicion import Errand, Sentence, Suspicion
from symloss.judging.waiting import Waiting

AHEAD = 2  # jobs in flight per worker: one at work, one waiting, so that no worker waits for the driver
GRACE = 2.0  # seconds past a job's hard limit before its worker is killed, for messages on their way
STARTUP = 120.0  # seconds a worker may take to get a place, and again to import torch and make its task
STARTS = 5  # workers in a row that may die in one place before they are ready
STARTS_LATER = 30  # the same, where others have been ready with the same task
REST = 1.0  # seconds since it answered after which a worker is asked whether it lives before it gets work
POLL = 0.2  # seconds between two looks at `stop`
AWAY = 5.0  # seconds without a look after which this process was stopped, or its machine; workers may have been, too
LOOK = 0.5  # seconds between two looks for workers that hang
RECYCLE_JOBS = 5000  # jobs after which a worker is replaced
RECYCLE_BYTES = 2**31  # growth of a worker's memory since its first job after which it is replaced

OWN_FILES = (
    " Every machine of the cluster needs a task's file, and what it reads, at the same path: keep them in a shared "
    "folder, or hand in the whole search with `ray job submit --working-dir`."
)
CHANGED = (
    "symloss, or a package that it works with, was changed on disk since this process began, so that new workers would "
    "compute something else. Nothing is lost: go on with `symloss resume`."
)

Settled = tuple[Errand, list[Judged]]


class Stage(Enum):
    """How far a worker is."""

    GREETING = "greeting"  # it has no place yet, or has not said what is installed there
    PREPARING = "preparing"
    READY = "ready"


@dataclass(eq=False)
class Hand:
    """A worker as the driver sees it.

    Args:
        actor: its handle.
        asked: what it was asked before it is ready, then what shows that it lives before it gets work after a rest.
        entering: what it was asked beside that: to make its task.
        since: when the first of the line, or of `asked`, began.
        starts: workers tried for this place, this one included, since one was ready.
        line: (what was asked, errand) in the order in which the worker takes them.
        node: name of its machine.
        jobs: that it has answered.
        answered: when it last answered anything since jobs are handed out.
        first: bytes of memory that it took after its first job.
        resident: bytes that it takes now.
    """

    actor: Any
    asked: Any
    entering: Any
    since: float
    starts: int = 1
    stage: Stage = Stage.GREETING
    line: deque[tuple[Any, Errand]] = field(default_factory=deque)
    node: str = ""
    jobs: int = 0
    answered: float = -math.inf
    first: int = 0
    resident: int = 0

    def head(self) -> Any:
        """Return what the worker will answer next; None when it has nothing to do."""
        return self.asked if self.asked is not None else (self.line[0][0] if self.line else None)

    @property
    def tired(self) -> bool:
        """Whether it has worked so long, or grown so much, that it is to be replaced."""
        return self.jobs >= RECYCLE_JOBS or self.resident - self.first >= RECYCLE_BYTES


class Fleet:
    """So many workers with one task; one that dies, hangs or is worn out is replaced.

    Args:
        actors: where workers come from.
        size: number of workers.
        spec: each makes its own task of it.
        crowd: workers that share a machine's memory; None for as many as it has cores.
        data: digest that the task's data must have; empty for that of the first worker.
        place: begins what is said about a worker's machine; empty where there is only this one.
    """

    def __init__(
        self, actors: Actors, size: int, spec: Mapping[str, Any], crowd: int | None, data: str = "", place: str = ""
    ) -> None:
        self.mishaps = Mishaps()
        self.hands: list[Hand] = []
        self._actors = actors
        self._size = size
        self._spec = dict(spec)
        self._crowd = crowd
        self._data = data
        self._place = place
        self._versions = versions_here()
        self._suspicion = Suspicion()
        self._accused: list[Errand] = []
        self._proven = False
        self._looked, self._seen = -LOOK, math.inf

    def fill(self) -> None:
        """Take on workers in the place of those that are missing."""
        self.hands += [self._new_hand() for _ in range(self._size - len(self.hands))]

    def run(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[Finished]:
        """Judge jobs, see Pool.run_with_outputs."""
        self.fill()
        for hand in self.hands:
            hand.answered = -math.inf
        errands = (Errand(job, job) for job in jobs)
        # Of what may have no end the next is asked for when a worker is free; of a list more is sent ahead.
        waiting = deque(errands) if isinstance(jobs, Sequence) else Waiting(errands)
        drain, self._accused = Drain(stop), []
        try:
            while waiting or self._accused or any(hand.line for hand in self.hands):
                if not drain.begun():
                    self._hand_out(waiting)
                elif not any(hand.line for hand in self.hands) or drain.over():
                    return
                for errand, judged in [*self._collect(waiting), *self._decide(waiting)]:
                    yield errand.parent, judged
        finally:
            self._abandon()

    def is_awake(self) -> bool:
        """Whether a worker has made its task, or has said why it cannot, or is gone."""
        return bool(self._actors.wait([hand.entering for hand in self.hands], 0))

    def dismiss(self) -> None:
        """Kill all workers."""
        for hand in self.hands:
            self._actors.kill(hand.actor)
        self.hands = []

    # Handing out.

    def _hand_out(self, waiting: deque[Errand]) -> None:
        """Send jobs to those who have least to do; a suspect has a worker to itself."""
        for room in range(AHEAD):
            for hand in self.hands:
                if len(hand.line) != room or hand.stage is not Stage.READY or hand.asked is not None or hand.tired:
                    continue
                if not waiting or (room and len(waiting) <= len(self.hands)):  # the last go to whoever is free first
                    return
                if room and (waiting[0].suspect or any(errand.suspect for _, errand in hand.line)):
                    continue
                if self._rested(hand):
                    continue
                self._send(hand, waiting.popleft())

    def _send(self, hand: Hand, errand: Errand) -> None:
        if not hand.line:
            hand.since = self._actors.now()
        hand.line.append((self._actors.ask(hand.actor, "judge", errand.job), errand))

    def _rested(self, hand: Hand) -> bool:
        """Ask a worker that had no work for a while whether it lives; nobody is to blame if it does not."""
        now = self._actors.now()
        if hand.line or now - hand.answered <= REST:
            return False
        hand.asked, hand.since = self._actors.ask(hand.actor, "ping"), now
        return True

    # Collecting.

    def _collect(self, waiting: deque[Errand]) -> list[Settled]:
        """Wait a moment for answers; replace workers that died or hang. Returns what is settled."""
        busy = {head: hand for hand in self.hands if (head := hand.head()) is not None}
        settled: list[Settled] = []
        self._see()
        answered = self._actors.wait(list(busy), POLL)
        self._see()
        for asked in answered:
            settled += self._take(busy[asked], asked, waiting)
        if self._actors.now() - self._looked >= LOOK:
            self._looked = self._actors.now()
            settled += self._look(waiting)
        return settled

    def _see(self) -> None:
        """Give workers the time again in which nobody looked."""
        now = self._actors.now()
        away, self._seen = now - self._seen, now
        for hand in self.hands if away > AWAY else ():
            hand.since += away

    def _look(self, waiting: deque[Errand]) -> list[Settled]:
        """Replace workers that hang; complain when none has a place."""
        busy = [hand for hand in self.hands if hand.head() is not None]
        late = [hand for hand in busy if self._looked - hand.since > self._limit(hand)]
        hung = [hand for hand in late if not self._actors.wait([hand.head()], 0)]
        self._check_places()
        return [one for hand in hung for one in self._late(hand, waiting)]

    def _limit(self, hand: Hand) -> float:
        """Return the seconds that the next answer may take; a worker without a place does no harm."""
        if hand.stage is Stage.GREETING:
            return float("inf")
        return STARTUP if hand.asked is not None else hard_limit(hand.line[0][1].job) + GRACE

    def _take(self, hand: Hand, asked: Any, waiting: deque[Errand]) -> list[Settled]:
        try:
            answer = self._actors.answer(asked)
        except LostError as error:
            return self._died(hand, str(error), waiting)
        hand.since = hand.answered = self._actors.now()
        if asked is hand.asked:
            self._answered(hand, answer)
            return []
        _, errand = hand.line.popleft()
        self._suspicion.cleared(errand.numbers)
        self._wear(hand, answer)
        report = answer.report
        if report.unfinished:
            return self._sentenced(errand, self._suspicion.unfinished(errand, report.state, report.unfinished), waiting)
        return [(errand, list(report.judged))]

    def _answered(self, hand: Hand, answer: Any) -> None:
        """Take what a worker says that has judged nothing yet."""
        if hand.stage is Stage.GREETING:
            self._greeted(hand, answer)
        elif hand.stage is Stage.PREPARING:
            self._prepared(hand, answer)
        else:
            hand.asked = None

    def _greeted(self, hand: Hand, facts: Mapping[str, Any]) -> None:
        """Look at what is installed where a worker is, before anything is sent there."""
        hand.node = str(facts["node"])
        if not self._place and facts["versions"] != self._versions:
            raise RunError(CHANGED)
        check_same_versions(f"The machine {hand.node} of the Ray cluster", facts["versions"], self._versions)
        hand.asked, hand.stage = hand.entering, Stage.PREPARING

    def _prepared(self, hand: Hand, ready: Any) -> None:
        where = f"{self._place} {hand.node}: " if self._place else ""
        if ready.fault:
            hint = OWN_FILES if self._place and "factory" in self._spec else ""
            raise ExperimentError(f"{where}{ready.fault}{hint}")
        self._data = self._data or ready.data
        if ready.data != self._data:
            raise ExperimentError(
                f"{where}[task] gives other data in a worker than in this process, or in another worker, so results "
                "would mean nothing. Data must be the same each time that the task is made: seed whatever is drawn, "
                "e.g. by torch.manual_seed(0), and let files be the same on all machines."
            )
        hand.stage, hand.asked, hand.starts, self._proven = Stage.READY, None, 1, True

    def _wear(self, hand: Hand, answer: Any) -> None:
        """Count a worker's work, and replace it when it is worn out and has nothing in line."""
        hand.jobs, hand.resident, hand.first = hand.jobs + 1, answer.resident, hand.first or answer.resident
        self.mishaps.heard_limit(answer.limit)
        if hand.tired and not hand.line:
            self.mishaps.recycled += 1
            self._replace(hand)

    # What goes wrong.

    def _died(self, hand: Hand, cause: str, waiting: deque[Errand]) -> list[Settled]:
        self.mishaps.lost += 1
        if hand.stage is not Stage.READY:
            self._suspicion.died_idle()
            self._start_again(hand, f"died ({cause})" if cause else "died")
            return []
        if hand.asked is not None:
            self._suspicion.died_idle()
            self._replace(hand)
            return []
        errand = self._freed(hand, waiting)
        return self._sentenced(errand, self._suspicion.died(errand), waiting)

    def _late(self, hand: Hand, waiting: deque[Errand]) -> list[Settled]:
        self.mishaps.killed += 1
        if hand.stage is not Stage.READY:
            self._start_again(hand, f"hung for {STARTUP:g} s and was killed")
            return []
        if hand.asked is not None:
            self._replace(hand)
            return []
        limit = self._limit(hand)
        errand = self._freed(hand, waiting)
        return self._sentenced(errand, self._suspicion.hung(errand, limit), waiting)

    def _freed(self, hand: Hand, waiting: deque[Errand]) -> Errand:
        """Replace a worker; return what it was at, and put back what it had in line besides."""
        (_, errand), *others = hand.line
        self._replace(hand)
        waiting.extendleft(other for _, other in reversed(others))
        return errand

    def _decide(self, waiting: deque[Errand]) -> list[Settled]:
        """Decide about the accused once all others are judged."""
        if waiting or any(hand.line for hand in self.hands):
            return []
        accused, self._accused = self._accused, []
        return [one for each in accused for one in self._sentenced(each, self._suspicion.verdict(each), waiting)]

    def _sentenced(self, errand: Errand, sentence: Sentence, waiting: deque[Errand]) -> list[Settled]:
        if sentence.accused is not None:
            self._accused.append(sentence.accused)
            return []
        if sentence.again:
            self.mishaps.retried += len(sentence.again)
            waiting.extendleft(reversed(sentence.again))
            return []
        if sentence.reason.startswith("quarantined"):
            self.mishaps.quarantined += 1
            self._suspicion.guilty(errand.numbers[0])
        return [(errand, [given_up(errand.job, sentence.state, sentence.reason)])]

    def _start_again(self, hand: Hand, what: str) -> None:
        """Replace a worker that ended before it was ready, as a machine short of memory makes it; not for ever."""
        most = STARTS_LATER if self._proven else STARTS
        if hand.starts >= most:
            raise RunError(
                f"A Ray worker {what} before it was ready, {most} times in a row. "
                "--workers 0 shows why, in this process."
            )
        self._replace(hand, hand.starts + 1)

    def _replace(self, hand: Hand, starts: int = 1) -> None:
        self._actors.kill(hand.actor)
        self.hands[self.hands.index(hand)] = self._new_hand(starts)

    def _new_hand(self, starts: int = 1) -> Hand:
        actor = self._actors.new()
        greeting = self._actors.ask(actor, "hello")
        return Hand(
            actor, greeting, self._actors.ask(actor, "enter", self._spec, self._crowd), self._actors.now(), starts
        )

    def _check_places(self) -> None:
        """End a run for which no worker finds a place; while some work, the others may wait."""
        if any(hand.stage is not Stage.GREETING for hand in self.hands):
            return
        now = self._actors.now()
        if all(now - hand.since > STARTUP for hand in self.hands):
            raise RunError(
                f"No Ray worker found a place within {STARTUP:g} s. The cluster has {self._actors.places()} cores; is "
                "it at other work? --workers 0 works without Ray, in this process."
            )

    def _abandon(self) -> None:
        """Kill workers still at work when nobody waits for them; the process may be ending, so no new ones yet."""
        for hand in [hand for hand in self.hands if hand.line]:
            self._actors.kill(hand.actor)
            self.hands.remove(hand)


def hard_limit(job: Job) -> float:
    """Return the seconds that a job may take: a candidate blamed for its time limit leaves the others as much again."""
    return job.time_limit * (1 if len(job.candidates) == 1 else 2)
