"""How long a job may train: a soft limit, raised by an alarm wherever training is, that counts only time at work."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from symloss.judging.failures import OutOfTimeError

TICK = 1.0  # seconds between two looks at how long a job has been at work, at most
SOON = 0.01  # seconds after which is looked again where the time is as good as over
AGAIN = 0.1  # seconds after which an alarm that nobody has heard is raised once more
LATE = 0.1  # seconds by which a look may be late without a reason
PATIENCE = 0.25  # of the time limit: a candidate that held things up for less is not blamed


class Stopwatch:
    """Counts seconds at work: while the process is stopped, as by Ctrl-Z, it is not at work.

    Attributes:
        seconds: up to the last look.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._wall, self._own = time.monotonic(), time.process_time()

    def look(self, due: float) -> None:
        """Count on.

        Args:
            due: seconds after the last look in which this one was to come. If it comes much later it was held up by a
                call into C, which shows as this process's own time, or the process was stopped, which does not.
        """
        wall, own = time.monotonic(), time.process_time()
        self.seconds += min(wall - self._wall, due + LATE + own - self._own)
        self._wall, self._own = wall, own


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError after some seconds, and for good after as many again.

    It is an alarm, which only a main thread hears: elsewhere there is no soft limit, only the pool's hard one. Python
    drops what is raised inside a destructor or a weak reference's callback, so it rings again until it is heard.
    """
    if threading.current_thread() is not threading.main_thread() or not math.isfinite(seconds):
        yield
        return
    watch, rings = Stopwatch(), 0
    due = min(TICK, seconds)
    last: OutOfTimeError | None = None

    def ring(signum: int, frame: FrameType | None) -> None:
        nonlocal rings, due, last
        watch.look(due)
        over = watch.seconds >= seconds * (rings + 1)
        rings += over
        raises = over or (last is not None and not last.heard)
        due = min(AGAIN if raises else TICK, max(SOON, seconds * (rings + 1) - watch.seconds))
        signal.setitimer(signal.ITIMER_REAL, due)
        if raises:
            last = OutOfTimeError(patience=seconds * PATIENCE if rings == 1 else math.inf)
            raise last

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, due)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
