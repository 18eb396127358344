"""Who is to blame when a candidate's own computation raises or does not end, and the words for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from symloss.errors import visible
from symloss.judging.drain import LeftUndoneError
from symloss.language.candidate import State

FAULTS = (Exception, SystemExit)  # what a user's code may raise: `sys.exit()` there must not end symloss silently

Failures = dict[int, tuple[State, str]]  # position of a candidate in its cohort -> how it ended, and why


class OutOfTimeError(Exception):
    """The soft time limit; raised by the alarm, wherever training is.

    Args:
        patience: seconds that a candidate must have held things up to be blamed.

    Attributes:
        heard: whether it has come to who decides whom to blame.
    """

    def __init__(self, patience: float) -> None:
        super().__init__("out of time")
        self.patience, self.heard = patience, False


@contextmanager
def blamed(candidate: int, failures: Failures, what: str = "one step of its training") -> Iterator[None]:
    """Let a candidate's own computation fail without its neighbours.

    Args:
        what: is computed, as the reason names it.
    """
    started = time.monotonic()
    try:
        yield
    except OutOfTimeError as late:
        late.heard = True
        if time.monotonic() - started < late.patience:
            raise
        failures[candidate] = (State.TIMED_OUT, f"{what} did not end within the time limit")
    except LeftUndoneError:
        raise
    except FAULTS as error:
        failures[candidate] = (State.CRASHED, in_words(error))


@contextmanager
def untouched(x: Tensor) -> Iterator[None]:
    """Refuse a model that writes into its inputs; nobody is blamed, because the others of its cohort see them after it.

    Raises:
        ValueError: it did.
    """
    before = x._version
    yield
    if x._version != before:
        raise ValueError("the model writes into its inputs; let it make new ones, as in `x = x - 1` for `x -= 1`")


def in_words(error: BaseException) -> str:
    """Word an error on one line, with its class; it may hold any text, such as a file's name that no encoding has."""
    try:
        said = str(error)
    except FAULTS as another:  # the user's own class of errors may fail, too
        said = f"its text cannot be made: {type(another).__name__}"
    return f"{visible(type(error).__name__)}: {visible(' '.join(said[:10_000].split()))[:300]}"
