"""The command line with eyes: it says which evaluations it ran, and when it comes to where it is to be killed.

As a program: `python -m tests.chaos.driver LEDGER PLACE NTH TOLD HELD -- search ...`.
"""

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

NOWHERE = "nowhere"

_STORE = "symloss.running.storage.store"

# Place in a driver's life -> the functions that begin it, as module and name.
PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "start-up": (
        ("symloss.running.run", "make_directory"), ("symloss.running.run", "set_up"),
        ("symloss.running.run", "write_whole"), ("symloss.running.session", "plan_search"),
        ("symloss.running.session", "opened_pool"), ("symloss.running.run", "search_run"),
    ),
    "screening": (("symloss.judging.screen", "Screen.check"), (_STORE, "RunStore.write_batch")),
    "training": (("symloss.judging.desk", "judge"), (_STORE, "RunStore.write_outcomes")),
    "commit": ((_STORE, "RunStore._commit"),),
    "telling": ((_STORE, "RunStore.write_told"),),
    "finals": (("symloss.running.run", "run_finals"), (_STORE, "RunStore.write_trial")),
    "winner": (("symloss.running.run", "_keep"), ("symloss.running.run", "write_loss")),
    "report": (("symloss.telling.report.keeper", "write_report"), ("symloss.cli.searching", "tell")),
}  # fmt: skip


@dataclass
class Traps:
    """Counts how often a driver comes to each place, and says so at the one where it is to be killed.

    Args:
        place: in PLACES, or NOWHERE.
        nth: time at which it is told, from 0.
        told: file descriptor on which the byte goes out.
        held: file descriptor whose other end must be closed before it goes on; -1: it goes on at once.
    """

    place: str
    nth: int
    told: int
    held: int = -1
    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PLACES, 0))

    def set(self) -> None:
        """Wrap the functions of all places."""
        for place, functions in PLACES.items():
            for module, name in functions:
                owner: Any = import_module(module)
                *inside, last = name.split(".")
                owner = functools.reduce(getattr, inside, owner)
                setattr(owner, last, self._watched(place, getattr(owner, last)))

    def _watched(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            if place == self.place and self.passed[place] == self.nth:
                self._tell()
            self.passed[place] += 1
            return function(*arguments, **named)

        return watched

    def _tell(self) -> None:
        os.write(self.told, b"x")
        while self.held >= 0 and os.read(self.held, 1):
            pass


class Ledger:
    """A pool that writes down what it was given, what ended, and what its driver has stored; a line each, at once."""

    def __init__(self, pool: Any, path: Path) -> None:
        self._pool = pool
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def run(self, jobs: Iterable[Any], stop: Any) -> Iterator[Any]:
        """See Pool.run."""
        yield from self._noted(self._pool.run(jobs, stop), lambda job, ended: [str(each.candidate) for each in ended])

    def run_with_outputs(self, jobs: Iterable[Any], stop: Any) -> Iterator[Any]:
        """See Pool.run_with_outputs; only the finals call it, whose jobs are named by what decides them."""
        from symloss.language.formula import parse
        from symloss.running.proof.trials import job_name

        def names(job: Any, ended: Any) -> list[str]:
            return [job_name(parse(text, slot), job.plan) for _, text, slot in job.candidates]

        yield from self._noted(self._pool.run_with_outputs(jobs, stop), names)

    def _noted(self, ended: Iterator[Any], names: Callable[[Any, Any], list[str]]) -> Iterator[Any]:
        for job, result in ended:
            self._note("trained", names(job, result))
            yield job, result
            self._note("stored", names(job, result))

    def _note(self, what: str, names: list[str]) -> None:
        os.write(self._file, f"{what} {time.time()} {' '.join(names)}\n".encode())


def drive(ledger: Path, traps: Traps, arguments: list[str]) -> None:
    """Run the command line in this process; it exits."""
    import symloss.running.session
    from symloss.cli import main
    from symloss.judging import stand_in

    stand_in.is_harmless = lambda spec: False  # where there are workers, it is they who are tried

    make = symloss.running.session.make_pool
    symloss.running.session.make_pool = lambda *asked: Ledger(make(*asked), ledger)
    traps.set()
    try:
        main(arguments)
    finally:
        if traps.place == NOWHERE and traps.told >= 0:
            os.write(traps.told, json.dumps(traps.passed).encode())


if __name__ == "__main__":
    _, path, place, nth, told, held, _, *rest = sys.argv
    drive(Path(path), Traps(place, int(nth), int(told), int(held)), rest)
