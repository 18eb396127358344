"""Whom to blame when a worker dies or hangs: a candidate, or whatever kills workers from outside.

A death tells on a candidate only while it trained alone. What died in company is tried once more as it was, which
costs one evaluation, then candidate by candidate. A candidate whose worker died `LIVES` times while it trained alone is
accused, and its case waits until all others are judged. By then it is known how many workers died through nobody's
fault: for each it may come to `LIVES` more deaths, up to `UNDER_FIRE`; then it is quarantined.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from symloss.judging.evaluate import Job, alone
from symloss.language.candidate import State

IN_COMPANY = 2  # deaths of its worker after which a job of several is cut into one per candidate
LIVES = 2  # deaths of its worker, alone, after which a candidate is accused
UNDER_FIRE = 20  # after which it is quarantined at last, where workers are known to die without any candidate's fault
HANGS = 2  # times that it may hold up its worker beyond the hard limit, alone or in company


@dataclass(frozen=True)
class Errand:
    """A job, or one candidate of it alone, on its way to a worker.

    Args:
        job: what is sent.
        parent: the job that the driver gave.
        deaths: workers that died over it, as it is now.
        hangs: workers that were killed because it did not end.
        suspect: it has failed before, or is a part of what has.
    """

    job: Job
    parent: Job
    deaths: int = 0
    hangs: int = 0
    suspect: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of its candidates."""
        return tuple(number for number, _, _ in self.job.candidates)

    @property
    def single(self) -> bool:
        """Whether a candidate is alone in it."""
        return len(self.job.candidates) == 1

    def split(self, hangs: int = 0) -> list["Errand"]:
        """Return an errand for each candidate alone."""
        return [Errand(job, self.parent, 0, hangs, suspect=True) for job in alone(self.job)]


@dataclass(frozen=True)
class Sentence:
    """What is done about an errand that failed.

    Args:
        again: what is sent instead.
        accused: what is decided when all others are judged.
        state: the end of its candidate, when nothing is sent again.
        reason: why.
    """

    again: tuple[Errand, ...] = ()
    accused: Errand | None = None
    state: State = State.CRASHED
    reason: str = ""


class Suspicion:
    """Judges failures, and remembers the deaths that nobody is to blame for yet.

    Attributes:
        outside: deaths of workers that no candidate can be blamed for: those at work then have come through since, or
            nobody was at work.
    """

    def __init__(self) -> None:
        self.outside = 0
        self._open: list[set[int]] = []

    def died(self, errand: Errand) -> Sentence:
        """Say what becomes of an errand whose worker died."""
        self._open.append(set(errand.numbers))
        worse = replace(errand, deaths=errand.deaths + 1, suspect=True)
        if not errand.single:
            return Sentence((worse,) if worse.deaths < IN_COMPANY else tuple(errand.split()))
        return Sentence((worse,)) if worse.deaths < LIVES else Sentence(accused=worse)

    def verdict(self, accused: Errand) -> Sentence:
        """Say what becomes of an accused candidate, now that all others are judged."""
        if accused.deaths < min(UNDER_FIRE, LIVES * (1 + self.outside)):
            return Sentence((accused,))
        return Sentence(reason="quarantined: its worker died each time that it trained alone")

    def hung(self, errand: Errand, seconds: float) -> Sentence:
        """Say what becomes of an errand that was killed because it did not end within some seconds."""
        worse = replace(errand, hangs=errand.hangs + 1, suspect=True)
        if not errand.single:
            return Sentence(tuple(errand.split(worse.hangs)))
        if worse.hangs < HANGS:
            return Sentence((worse,))
        why = f"quarantined: it did not end, and its worker was killed after {seconds:g} s"
        return Sentence(state=State.TIMED_OUT, reason=why)

    def unfinished(self, errand: Errand, state: State, reason: str) -> Sentence:
        """Say what becomes of an errand whose worker lives, and cannot say whose fault it is."""
        if errand.single:
            return Sentence(state=state, reason=reason)
        return Sentence(tuple(errand.split(errand.hangs)))

    def died_idle(self) -> None:
        """A worker died that judged nothing."""
        self.outside += 1

    def cleared(self, numbers: Collection[int]) -> None:
        """These candidates came through: they have not killed anybody."""
        for each in self._open:
            each.difference_update(numbers)
        self.outside += sum(not each for each in self._open)
        self._open = [each for each in self._open if each]

    def guilty(self, number: int) -> None:
        """This candidate is quarantined: the deaths around it are explained."""
        self._open = [each for each in self._open if number not in each]
