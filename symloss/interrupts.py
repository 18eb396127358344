"""Signals that ask a process to end: Ctrl-C, SIGTERM, and SIGUSR1, which batch systems send before a time limit.

The first one asks for an orderly end, the second ends the process at once; the exit status is 128 and the number.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # the last by batch systems, some time before they kill


class Interrupts:
    """Listens to signals: the first asks for an orderly end, the second ends the process at once.

    A context manager that gives the old handlers back. Outside the main thread it hears nothing. One within another
    listens alone, and passes on what it has heard.

    Args:
        patient: the first signal is noted only; otherwise it raises KeyboardInterrupt, for whoever has nothing to save.
        heard: number of the first signal; None while none came.
        forced: number of the second signal. It is remembered, because libraries replace or swallow the exit that the
            handler raises within them: Ray makes an exit with status 1 of it.
    """

    def __init__(self, patient: bool = True) -> None:
        self.patient = patient
        self.heard: int | None = None
        self.forced: int | None = None
        self._before: dict[int, Any] = {}
        self._entered = False

    def __enter__(self) -> Self:
        self._entered = True
        self.listen()
        for outer in self._outer():  # it may have heard one whose KeyboardInterrupt a library has swallowed
            self.heard = outer.heard
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for outer in self._outer():
            outer.heard = outer.heard if self.heard is None else self.heard
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before, self._entered = {}, False
        self._leave_when_forced()

    def listen(self) -> None:
        """Install the handlers, again and again: Ray puts its own in place below Python, where no one can see it.

        Outside the `with` block no handler is touched: there is nobody to give the old ones back.

        Raises:
            SystemExit: a second signal came, and its exit was swallowed.
        """
        self._leave_when_forced()
        if not self._entered or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            current = signal.signal(number, self._handle)
            self._before.setdefault(number, current if current is not None else signal.SIG_DFL)

    def stop(self) -> bool:
        """Whether to end in order; asked often, it keeps listening."""
        self.listen()
        return self.heard is not None

    def status(self) -> int:
        """Return the exit status of a process that was asked to end; that of Ctrl-C where nothing was heard."""
        return 128 + (signal.SIGINT if self.heard is None else self.heard)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.heard is not None:
            self.forced = number
            self._leave_when_forced()
        self.heard = number
        if not self.patient:
            raise KeyboardInterrupt

    def _leave_when_forced(self) -> None:
        if self.forced is not None:
            raise SystemExit(128 + self.forced)

    def _outer(self) -> list["Interrupts"]:
        owners = {id(owner): owner for each in self._before.values() if (owner := getattr(each, "__self__", None))}
        return [owner for owner in owners.values() if isinstance(owner, Interrupts)]
