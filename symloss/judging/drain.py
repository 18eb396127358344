"""How a pool ends early: no job is begun any more, and those in flight have a little time to end."""

import time
from collections.abc import Callable

DRAIN = 10.0  # seconds that jobs in flight may take to end once the run is to stop
PAUSE = 0.05  # seconds between two questions: a training step asks thousands of times

Stop = Callable[[], bool]


class LeftUndoneError(Exception):
    """A job was still in flight when the time to end was over; its candidates have no outcome."""


def never() -> bool:
    """Go on to the end."""
    return False


class Drain:
    """Asks whether to stop, and counts the time since then.

    Args:
        stop: true once the run is to end. It is asked on, because it may end the process instead: a second Ctrl-C.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._since: float | None = None
        self._next = 0.0

    def begun(self) -> bool:
        """Whether the run is to end: no further job is begun."""
        if self._stop() and self._since is None:
            self._since = time.monotonic()
        return self._since is not None

    def over(self) -> bool:
        """Whether jobs in flight have had their time; cheap enough to be asked at every training step."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + PAUSE
        return self.begun() and self._since is not None and now - self._since > DRAIN
