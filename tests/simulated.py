"""Workers that are not there: actors in simulated time, which take as long as they are told, die and hang as told.

The fleet drives them as it drives Ray's. What the driver itself spends can be counted in: its real time.
"""

import heapq
import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symloss.judging.actors import LostError
from symloss.judging.evaluate import Job, Judged, Report
from symloss.judging.nodes import facts_of_node
from symloss.judging.worker import Answer, Ready

NEVER = float("inf")
FACTS = {**facts_of_node()(), "node": "10.0.0.1 (somewhere)"}


@dataclass(eq=False)
class Asked:
    """Something that an actor was asked.

    Args:
        ends: when it is answered.
        answer: then.
        lost: whether the actor died before.
    """

    actor: "Actor"
    ends: float
    answer: Any
    done: bool = False
    lost: bool = False


@dataclass(eq=False)
class Actor:
    """An actor, and what it has been asked.

    Args:
        free: when it will have answered everything.
    """

    free: float
    dead: bool = False
    line: list[Asked] = field(default_factory=list)
    busy: float = 0.0


class SimulatedActors:
    """Actors with a clock of their own.

    Args:
        score: what a candidate comes to: (number, text, job) -> Judged.
        seconds: how long a job takes.
        deadly: texts of candidates that kill their worker half through.
        hanging: texts of candidates that do not end.
        startup: seconds from taking on an actor until it is ready.
        mail: seconds that an answer is under way; what is under way when its actor dies is lost.
        killer: seconds between two kills of a random actor, drawn one after the other; none without.
        places: actors that have room; others wait for ever.
        counting: whether the real time that the driver takes passes, too.
        facts: what an actor says of its machine; number of the actor -> facts.
        ready: what it says when its task is made.
        resident: number of jobs done -> bytes of memory.
    """

    def __init__(
        self,
        score: Callable[[int, str, Job], Judged],
        seconds: Callable[[Job], float] = lambda job: 1.0,
        deadly: Sequence[str] = (),
        hanging: Sequence[str] = (),
        startup: float = 3.0,
        mail: float = 0.0,
        killer: Iterator[float] | None = None,
        places: int = 10**6,
        counting: bool = False,
        facts: Callable[[int], Mapping[str, Any]] = lambda number: FACTS,
        ready: Callable[[int], Ready] = lambda number: Ready("", "data"),
        resident: Callable[[int], int] = lambda jobs: 0,
        seed: int = 0,
    ) -> None:
        self.score, self.seconds, self.deadly, self.hanging = score, seconds, deadly, hanging
        self.startup, self.mail, self.room, self.counting = startup, mail, places, counting
        self.facts, self.ready, self.resident = facts, ready, resident
        self.asked: list[Any] = []  # jobs
        self.kills = self.taken = 0
        self.killed: list[tuple[float, Any]] = []  # by the driver: when, and the job at work
        self.living: dict[Actor, None] = {}
        self._jobs: dict[Actor, int] = {}
        self._skipped = 0.0
        self._began = time.perf_counter()
        self._events: list[tuple[float, int, Any]] = []
        self._order = itertools.count()
        self._random = random.Random(seed)
        self._killer = killer
        self._plan_kill()

    # What the fleet asks for, see Actors.

    def now(self) -> float:
        return self._skipped + (time.perf_counter() - self._began if self.counting else 0.0)

    def places(self) -> int:
        return self.room

    def new(self) -> Actor:
        actor = Actor(self.now() if len(self.living) < self.room else NEVER)
        self.taken += 1
        self.living[actor] = None
        self._jobs[actor] = 0
        return actor

    def ask(self, actor: Actor, method: str, *arguments: Any) -> Asked:
        answer: Any = None
        takes = 0.0
        if method == "hello":
            answer, takes = self.facts(self.taken), self.startup / 2
        elif method == "enter":
            answer, takes = self.ready(self.taken), self.startup / 2
        elif method == "judge":
            answer, takes = self._judged(actor, arguments[0])
        begins = max(actor.free, self.now())
        asked = Asked(actor, begins + takes, answer, lost=actor.dead, done=actor.dead)
        if not actor.dead:
            actor.line.append(asked)
            actor.free = asked.ends
            if asked.ends < NEVER:
                self._plan(asked.ends + self.mail, asked)
        return asked

    def wait(self, asked: Sequence[Asked], timeout: float) -> list[Asked]:
        until = self.now() + timeout
        while True:
            self._catch_up()
            done = [each for each in asked if each.done]
            if done or self.now() >= until:
                return done
            then = min(until, self._events[0][0] if self._events else NEVER)
            self._skipped += max(0.0, then - self.now()) + 1e-9

    def answer(self, asked: Asked) -> Any:
        assert asked.done
        if asked.lost:
            raise LostError("simulated")
        return asked.answer

    def charge(self, seconds: float) -> None:
        """Let time pass that the driver would have taken."""
        self._skipped += seconds

    def kill(self, actor: Actor) -> None:
        if not actor.dead and actor.line:
            self.killed.append((self.now(), actor.line[0]))
        self.die(actor)

    # The inside.

    def die(self, actor: Actor) -> None:
        actor.dead = True
        self.living.pop(actor, None)
        for each in actor.line:
            each.done = each.lost = True
        actor.line = []

    def _judged(self, actor: Actor, job: Job) -> tuple[Answer | None, float]:
        self.asked.append(job)
        texts, takes = [text for _, text, _ in job.candidates], self.seconds(job)
        if any(text in self.deadly for text in texts):
            self._plan(max(actor.free, self.now()) + takes / 2, actor)
            return None, NEVER
        if any(text in self.hanging for text in texts):
            return None, NEVER
        self._jobs[actor] += 1
        actor.busy += takes
        judged = tuple(self.score(number, text, job) for number, text, _ in job.candidates)
        return Answer(Report(judged), self.resident(self._jobs[actor]), 10**9), takes

    def _plan(self, when: float, what: Any) -> None:
        heapq.heappush(self._events, (when, next(self._order), what))

    def _plan_kill(self) -> None:
        pause = next(self._killer, None) if self._killer is not None else None
        if pause is not None:
            self._plan(self.now() + pause, "kill")

    def _catch_up(self) -> None:
        while self._events and self._events[0][0] <= self.now():
            _, _, what = heapq.heappop(self._events)
            if isinstance(what, Actor):
                self.die(what)
            elif what == "kill":
                if self.living:
                    self.kills += 1
                    self.die(self._random.choice(list(self.living)))
                self._plan_kill()
            elif not what.lost:
                what.done = True
                what.actor.line.remove(what)
