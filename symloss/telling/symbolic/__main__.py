"""The child's side: one question after the other, each answer written as a line of JSON as soon as it is there.

Started by `child.py`; it ends by itself when whoever started it is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from symloss.language.formula import parse
from symloss.telling.symbolic.child import LIMIT
from symloss.telling.symbolic.questions import QUESTIONS, TooLongError

_SHARE = 0.3  # of the time limit that one question may take, so that a hard one leaves time for the others
_MEMORY = 4 * 2**30  # bytes
_AGAIN = 1.0  # seconds after which it is said again: Python drops what is raised inside a destructor


def main() -> None:
    """Read one line of JSON from stdin, {text, slot, classes, questions, limit}, and answer each question."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    order = json.loads(sys.stdin.readline())
    limit = float(order.get("limit", LIMIT))
    _end_by_itself(limit)
    formula = parse(order["text"], order["slot"])
    print(json.dumps({"ready": True}), flush=True)
    for name in order["questions"]:
        print(json.dumps({"question": name, **_answered(name, formula, order["classes"], limit * _SHARE)}), flush=True)


def _answered(name: str, formula: Any, classes: int, seconds: float) -> dict[str, Any]:
    try:
        with _at_most(seconds):
            return {"answer": QUESTIONS[name](formula, classes)}
    except TooLongError:
        return {"fault": f"no answer within {seconds:.3g} s"}
    except (
        Exception,
        RecursionError,
    ) as error:  # whatever algebra stumbles over is no answer, and no end of the others
        return {"fault": f"{type(error).__name__}: {error}"[:200]}


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise in whatever is computed when the time is over, where the system has timers."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise TooLongError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _end_with(starter: int) -> None:
    """End when whoever started this process is gone, also by a kill."""
    while os.getppid() == starter:
        time.sleep(0.5)
    os._exit(1)


def _end_by_itself(limit: float) -> None:
    """End after the limit although nobody stops this process, and before it takes all memory."""
    faulthandler.dump_traceback_later(2 * limit, exit=True, file=open(os.devnull, "w"))  # noqa: SIM115 - open to the end
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
