"""What runs in a Ray worker: a task made once, then job after job, with its memory held to a limit.

Its methods never raise, so that a fault is a value there.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from symloss.errors import SymlossError
from symloss.judging.desk import Desk
from symloss.judging.evaluate import Job, Report
from symloss.judging.failures import in_words
from symloss.judging.memory_limit import held_memory, limit_for, memory_limit, resident_memory
from symloss.judging.seal import data_digest
from symloss.language.candidate import State


@dataclass(frozen=True)
class Ready:
    """A worker's first answer.

    Args:
        fault: why its task cannot be made; empty when it is there.
        data: digest of the task's data.
    """

    fault: str = ""
    data: str = ""


@dataclass(frozen=True)
class Answer:
    """A worker's answer to a job.

    Args:
        resident: bytes of memory that the worker takes.
        limit: bytes of its own that it may hold while it judges; 0 where the system has no such limit.
    """

    report: Report
    resident: int = 0
    limit: int = 0


class Worker:
    """Judges jobs on a task of its own.

    Args:
        spec: of the task, as `make_task` reads it.
        crowd: workers that share the machine's memory; None for one for each core.
    """

    def __init__(self, spec: Mapping[str, Any], crowd: int | None = None) -> None:
        self._spec = spec
        self._crowd = crowd or os.cpu_count() or 1
        self._desk: Desk | None = None
        self._held = 0

    def prepare(self) -> Ready:
        """Make the task, once for all jobs."""
        silence()
        torch.set_num_threads(1)
        try:
            self._desk = Desk(self._spec)
            data = data_digest(self._desk.task)
        except SymlossError as error:
            return Ready(str(error))
        except Exception as error:
            return Ready(f"the task cannot be made: {in_words(error)}")
        self._held = held_memory()
        return Ready("", data)

    def judge(self, job: Job) -> Answer:
        """Judge a job."""
        assert self._desk is not None, "prepare comes first"
        limit = limit_for(self._held, job.plan.memory, self._crowd) if self._held else 0
        with memory_limit(limit):
            report = self._judged(self._desk, job)
        return Answer(report, resident_memory(), limit)

    def _judged(self, desk: Desk, job: Job) -> Report:
        try:
            return desk.judge(job)
        except SystemExit as error:  # of a user's model: Ray would take it for the end of the worker
            return Report((), in_words(error), State.CRASHED)


def silence() -> None:
    """Drop what a user's code prints: nobody reads it here, and a gigabyte of it would be in Ray's logs."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the worker lives
