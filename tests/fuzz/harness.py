"""Feeds damaged files to their readers, and looks at how each ends: loaded or refused in words, in time and memory."""

import os
import random
import resource
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.kinds import EXPECTED, KINDS, OWN, PREPARED, Kind
from tests.fuzz.watch import Watch

SECONDS = 0.1  # of the processor, that reading may take
MEMORY = 20 * 2**20  # bytes beyond what the interpreter has
PATIENCE = 20.0  # seconds of the processor after which reading or telling is ended
TRIES = 5  # a machine at work counts some of its own work: the quickest of so many
TOLD = 5  # of so many inputs that were loaded, one is told in full


@dataclass
class Count:
    """How the inputs of a kind ended.

    Args:
        slowest: seconds, and the input's number.
        failures: number -> what was wrong.
    """

    kind: str
    ends: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, 0)
    failures: dict[int, str] = field(default_factory=dict)

    def line(self) -> str:
        """Say it in a line."""
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.most_common())
        slow = f"slowest {1000 * self.slowest[0]:.0f} ms (input {self.slowest[1]})"
        return f"{self.kind:10}  {self.ends.total():6} inputs: {ends}; {slow}; {len(self.failures)} failures"


class TooSlowError(BaseException):
    """Reading or telling did not end."""


def fuzz(name: str, numbers: range, seed: int, folder: Path, watch: Watch) -> Iterator[Count]:
    """Feed a kind's inputs; give the count after each one.

    Args:
        numbers: of the inputs: each is a function of seed, kind and number.
        folder: for files; those that fail stay in `failures`.
    """
    kind, count = KINDS[name], Count(name)
    folder.mkdir(parents=True, exist_ok=True)
    if not PREPARED.runs:
        PREPARED.prepare(folder / "prepared")
    warm_up(kind, folder, seed)
    for number in numbers:
        path = written(kind, name, number, seed, folder)
        (folder / "at").write_text(str(number))
        said = once(kind, path, watch, count, number)
        if said:
            count.failures[number] = said
            keep(path, folder / "failures" / f"{name}-{number}")
        yield count


def written(kind: Kind, name: str, number: int, seed: int, folder: Path) -> Path:
    """Write an input."""
    return kind.write(random.Random(f"{seed} {name} {number}"), folder)


def warm_up(kind: Kind, folder: Path, seed: int) -> None:
    """Read inputs unwatched, so that what is imported and cached once is there."""
    for number in range(-40, 0):
        path = written(kind, "warm up", number, seed, folder)
        with suppress(Exception):  # what is wrong with it is told when it is an input
            kind.read(path)


def once(kind: Kind, path: Path, watch: Watch, count: Count, number: int) -> str:
    """Read one input and say what is wrong with how that went; empty when nothing is."""
    with watch.over((path.parent, *OWN)) as deeds:
        end, said, spent = attempt(kind.read, path, MEMORY)
        if not said and end == "loaded" and kind.tell is not None and number % TOLD == 0:
            _, said, _ = attempt(kind.tell, path, None)
    for _ in range(TRIES if spent > SECONDS else 0):
        spent = min(spent, attempt(kind.read, path, MEMORY)[2])
    count.ends[end] += 1
    count.slowest = max(count.slowest, (spent, number))
    if said:
        return said
    if deeds:
        return f"it did what no file may do: {'; '.join(deeds[:5])}"
    return f"it took {spent:.2f} s; allowed: {SECONDS} s" if spent > SECONDS else ""


def attempt(step: Any, path: Path, memory: int | None) -> tuple[str, str, float]:
    """Return how a step ended, what is wrong with that, and its seconds of the processor."""
    began = time.process_time()
    try:
        with limited(memory):
            step(path)
    except EXPECTED as error:
        text = str(error)
        spent = time.process_time() - began
        return "refused", "" if 0 < len(text) < 4000 else f"a message of {len(text)} characters: {text[:200]}", spent
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "failed", "".join(traceback.format_exception(error)[-6:])[-3000:], time.process_time() - began
    return "loaded", "", time.process_time() - began


@contextmanager
def limited(memory: int | None) -> Iterator[None]:
    """Bound the block's memory, by that of the process, and its time."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"it did not end within {PATIENCE} s of the processor")

    before, limit = signal.signal(signal.SIGPROF, late), resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_now() + memory, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def keep(path: Path, place: Path) -> None:
    """Keep an input that failed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    if path.is_dir():
        shutil.copytree(path, place)
    else:
        place.with_suffix(path.suffix).write_bytes(path.read_bytes())


_STATM = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def memory_now() -> int:
    """Return the process's size in bytes."""
    return int(os.pread(_STATM, 100, 0).split()[0]) * resource.getpagesize()
