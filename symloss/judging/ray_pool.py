"""The pool of Ray workers, which may crash and hang without harm: Ray is started or joined, and a fleet works in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from symloss.errors import RunError, SymlossError
from symloss.judging.actors import RayActors
from symloss.judging.cluster import (
    check_reachable,
    join_ray,
    load_ray,
    make_home,
    remove_home,
    start_ray_behind,
    stop_ray,
)
from symloss.judging.drain import Stop, never
from symloss.judging.evaluate import Job
from symloss.judging.fleet import POLL, Fleet
from symloss.judging.pool import Finished, outcomes_of
from symloss.judging.seal import data_digest
from symloss.judging.stand_in import StandIn
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome

LAUNCH = 120.0  # seconds that Ray may take to start on this machine
JOIN = 30.0  # seconds that a running cluster may take to let this process in
TOKEN = " If it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) here, too."
PARTING = 5.0  # seconds that a pool waits, when closed, for a Ray that is still starting


_STARTING = threading.Lock()  # one Ray at a time starts or ends in this process


class RayPool:
    """Judges jobs in long-lived Ray workers; one that dies or hangs is replaced, and its candidates are tried alone.

    Until they are ready, this process stands in for the workers of a Ray of its own, see `StandIn`.

    Args:
        workers: number of workers.
        task_spec: each worker makes its own task of it.
        address: of a running cluster; None starts one on this machine, reachable from this machine alone.
    """

    def __init__(self, workers: int, task_spec: Mapping[str, Any], address: str | None = None) -> None:
        self._workers = workers
        self._spec = dict(task_spec)
        self._address = address
        self._data = ""
        self._fleet: Fleet | None = None
        self._starter: threading.Thread | None = None
        self._started, self._closing = threading.Event(), threading.Event()
        self._fault: BaseException | None = None
        self._owns_cluster = False
        self._home: Path | None = None
        self._deadline = 0.0
        self._stand_in = StandIn(self._spec, self._is_ready) if address is None else None  # until workers take over

    def start(self) -> None:
        """Start Ray and the workers in the background; the first run waits for them."""
        if self._starter is None:
            self._started.clear()
            self._closing.clear()
            self._fault = None
            self._deadline = time.monotonic() + (JOIN if self._address else LAUNCH)
            self._starter = threading.Thread(target=self._launch, name="symloss-ray", daemon=True)
            self._starter.start()

    def run(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[tuple[Job, list[Outcome]]]:
        """See Pool.run."""
        return outcomes_of(self.run_with_outputs(jobs, stop))

    def run_with_outputs(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[Finished]:
        """See Pool.run_with_outputs."""
        if self._stand_in is not None:
            self.start()
            yield from self._stand_in.run(jobs, stop)
            jobs = self._stand_in.left
            if self._stand_in.is_done:
                return
        if not self._wait_for_start(stop):
            return
        assert self._fleet is not None, "Ray has started"
        self._stand_in = None
        yield from self._fleet.run(jobs, stop)

    def _is_ready(self) -> bool:
        """Whether the workers can take over, or cannot start at all."""
        if time.monotonic() > self._deadline:
            return True
        if not self._started.is_set():
            return False
        try:
            return self._fault is not None or self._fleet is None or self._fleet.is_awake()
        except Exception:  # Ray has ended; who waits for the workers will hear of it
            return True

    def expect(self, task: Task) -> None:
        """See Pool.expect."""
        self._data = data_digest(task)
        if self._stand_in is not None:
            self._stand_in.expect(task)

    def facts(self) -> dict[str, Any]:
        """See Pool.facts."""
        return self._fleet.mishaps.facts() if self._fleet else {}

    def close(self) -> None:
        """Kill the workers, and Ray where this pool started it, with all that it has written.

        A Ray that is still starting is waited for a little; after that it ends with this process.
        """
        if self._starter is None:
            return
        self._closing.set()
        self._starter.join(None if self._started.is_set() else PARTING)
        if not self._starter.is_alive() and self._home is not None:
            remove_home(self._home)
            self._home = None
        self._starter = None

    # Starting

    def _launch(self) -> None:
        # The thread lives as long as the pool: Linux kills Ray's processes when the thread that started them ends.
        with _STARTING:
            try:
                self._begin()
            except Exception as error:
                self._fault = error
            if self._closing.is_set():  # nobody waits for it any more, and the next pool must not find it
                self._end()
        self._started.set()
        self._closing.wait()
        with _STARTING:
            self._end()

    def _end(self) -> None:
        if self._fleet is not None:
            self._fleet.dismiss()
        if self._owns_cluster:
            stop_ray(load_ray(), self._home)
            self._owns_cluster = False

    def _begin(self) -> None:
        if self._address:
            check_reachable(self._address)
        else:
            self._home = make_home()  # before Ray is imported: at exit, Ray ends first, and its home goes then
        ray = load_ray(self._address)
        if not ray.is_initialized():
            self._owns_cluster = True
            self._start_or_join(ray)
        crowd, place = (None, "On") if self._address else (self._workers, "")
        self._fleet = Fleet(RayActors(ray), self._workers, self._spec, crowd, self._data, place)
        self._fleet.fill()

    def _start_or_join(self, ray: Any) -> None:
        if self._address:
            join_ray(ray, self._address)
        else:
            assert self._home is not None
            start_ray_behind(ray, self._workers, self._home)

    def _wait_for_start(self, stop: Stop) -> bool:
        """Return whether Ray has started; false when the run is to stop before."""
        self.start()
        while not self._started.wait(POLL):  # in short waits, so that a signal is heard
            if stop():
                return False
            if time.monotonic() > self._deadline:
                self._refuse(f"it did not answer within {JOIN if self._address else LAUNCH:g} s", None)
        if isinstance(self._fault, SymlossError):
            raise self._fault
        if self._fault is not None:
            self._refuse(str(self._fault).rstrip("."), self._fault)
        return True

    def _refuse(self, why: str, cause: BaseException | None) -> NoReturn:
        where, hint = (f"The Ray cluster at {self._address}", TOKEN) if self._address else ("Ray", "")
        raise RunError(
            f"{where} cannot be used: {why}.{hint} --workers 0 works without Ray, in this process."
        ) from cause
