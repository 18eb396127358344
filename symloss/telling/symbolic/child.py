"""Asking computer algebra with a time limit: a process of its own, stopped for good when the time is over.

sympy's solvers and simplifiers have no upper bound. The formula's text goes in and texts come out; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import symloss
from symloss.language.formula import Formula

LIMIT = 5.0  # seconds that algebra may take
START = 20.0  # seconds that the process may take to load it, before it counts
_COMMAND = (sys.executable, "-P", "-m", "symloss.telling.symbolic")


class Child:
    """A process that answers questions of a formula; leaving the `with` block stops it, whatever it is doing.

    Args:
        formula: what is asked about.
        questions: names in `questions.QUESTIONS`, the most wanted first.
        classes: number of classes.
        limit: seconds from its first question to its end.
        command: the program; another one in tests.

    Example:
        >>> with Child(zoo["baikal"], ["optimum"], classes=10) as child:
        ...     child.answers()["optimum"]
        ['-1/sqrt(C)', '1/sqrt(C)']
    """

    def __init__(
        self,
        formula: Formula,
        questions: Sequence[str],
        classes: int,
        limit: float = LIMIT,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self.limit = limit
        self.ended_early = False
        self._end = time.monotonic() + START
        order = {"text": formula.text, "slot": formula.slot, "classes": classes, "questions": list(questions)}
        self._process = subprocess.Popen(
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": _path()},
        )
        self.pid = self._process.pid
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self._send(json.dumps(order | {"limit": limit}) + "\n")

    def _send(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError), self._process.stdin as stdin:  # it may have ended before it read
                stdin.write(line)

    def _listen(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as stdout:
                for line in stdout:
                    self._lines.put(line)
        self._lines.put(None)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answers(self) -> dict[str, Any]:
        """Wait until all questions are answered or the time is over, and return question -> answer.

        A question without an answer is missing; `ended_early` says whether the time was over.
        """
        found: dict[str, Any] = {}
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, self._end - time.monotonic()))
            except queue.Empty:
                self.ended_early = True
                self.stop()
                return found
            if line is None:
                return found
            said = _read(line)
            if "ready" in said:
                self._end = time.monotonic() + self.limit
            elif "answer" in said:
                found[str(said.get("question"))] = said["answer"]

    def stop(self) -> None:
        """End the process and collect it, so that nothing of it is left."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()


def _path() -> str:
    """Return where the child finds this very package, also when it is not installed."""
    return os.pathsep.join(filter(None, [str(Path(symloss.__file__).parent.parent), os.environ.get("PYTHONPATH")]))


def _read(line: str) -> Mapping[str, Any]:
    """Read a line; one that was cut when the process was stopped says nothing."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}
