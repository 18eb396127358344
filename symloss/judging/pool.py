"""What every pool promises: jobs in, outcomes out, in the order in which jobs end.

All pools give bit-identical results; the driver owns time limits and retries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from symloss.judging.drain import Stop, never
from symloss.judging.evaluate import Job, Judged
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome, State

Finished = tuple[Job, list[Judged]]


class Pool(Protocol):
    """Judges jobs. Make one with `make_pool`, and close it."""

    def start(self) -> None:
        """Begin to get ready; returns at once."""
        ...

    def run(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[tuple[Job, list[Outcome]]]:
        """Judge jobs and give outcomes back, one per candidate, in the order in which jobs end.

        What a job came to is given back at once, but for one whose worker died or hung: its candidates are tried
        alone, and each is given back, with the job, as soon as it has ended.

        Args:
            jobs: of the pool's task; of what is no sequence each is asked for when a worker is free, or one sooner.
            stop: asked often; once it is true no job is begun, and those in flight have 10 seconds to end. The rest
                never come back.

        Raises:
            ExperimentError: the task cannot be made.
            RunError: the workers cannot be started.
        """
        ...

    def run_with_outputs(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[Finished]:
        """Do as `run` does, and give the models' outputs on the test part as well."""
        ...

    def expect(self, task: Task) -> None:
        """Refuse workers whose task has other data than this one; called before the pool starts."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what happened to the workers so far, as plain JSON, see `Mishaps`; empty where nothing did."""
        ...

    def close(self) -> None:
        """Leave no process behind."""
        ...


def outcomes_of(finished: Iterator[Finished]) -> Iterator[tuple[Job, list[Outcome]]]:
    """Drop the outputs."""
    for job, judged in finished:
        yield job, [one.outcome for one in judged]


def given_up(job: Job, state: State, reason: str) -> Judged:
    """Word the end of a candidate that could not be judged even alone."""
    return Judged(Outcome(job.candidates[0][0], state, reason))
