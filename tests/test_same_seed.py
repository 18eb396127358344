"""The same seed gives the same result: for any number of workers, any delays, retries and kills, in any process."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import symloss.running.session
from symloss.judging import stand_in
from symloss.judging.evaluate import Job
from symloss.judging.ray_pool import RayPool
from symloss.running.run import search
from tests.chaos.__main__ import OPTIONS
from tests.chaos.result import parts_of
from tests.fakes import FakePool
from tests.test_run import TABLE, fake

ROOT = Path(__file__).parent.parent


class BusyPool:
    """So many workers that take two jobs each and end them in any order; some jobs are done again, and in parts."""

    def __init__(self, pool: FakePool, workers: int, seed: int, retries: bool) -> None:
        self._pool, self._workers, self._rng, self._retries = pool, workers, random.Random(seed), retries
        self.order: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def run(self, jobs: Iterable[Job], stop: Any = bool) -> Iterator[Any]:
        for job, judged in self.run_with_outputs(jobs, stop):
            yield job, [each.outcome for each in judged]

    def run_with_outputs(self, jobs: Iterable[Job], stop: Any = bool) -> Iterator[Any]:
        waiting, at_work = list(jobs), []
        while waiting or at_work:
            while waiting and len(at_work) < 2 * self._workers:
                at_work.append(waiting.pop(0))
            job = at_work.pop(self._rng.randrange(len(at_work)))
            if self._retries and self._rng.random() < 0.3:
                at_work.append(job)  # its worker died
                continue
            self.order.append(job.number)
            yield job, self._judged(job)

    def _judged(self, job: Job) -> list[Any]:
        parts = [Job(job.number, (each,), job.plan, job.time_limit) for each in job.candidates]
        alone = self._retries and self._rng.random() < 0.5
        self._rng.shuffle(parts)
        done = [
            one
            for each in (parts if alone else [job])
            for _, ones in self._pool.run_with_outputs([each])
            for one in ones
        ]
        places = [number for number, *_ in job.candidates]
        return sorted(done, key=lambda one: places.index(one.outcome.candidate))


@pytest.mark.parametrize("retries", [False, True])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_neither_workers_nor_delays_nor_retries_change_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, retries: bool
) -> None:
    monkeypatch.setattr(
        symloss.running.run, "choose_stacking", lambda *asked: symloss.running.run.Decision("single", "told so")
    )
    busy = BusyPool(fake(), workers, seed=10 * workers + retries, retries=retries)
    found = []
    for place, pool in enumerate([fake(), busy]):
        monkeypatch.setattr(symloss.running.session, "make_pool", lambda workers, spec, address, pool=pool: pool)
        search({**TABLE, "stop": {"generations": 4}}, out=tmp_path / str(place))
        found.append(parts_of(tmp_path / str(place)))
    assert busy.order != sorted(busy.order)
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("same") / "run"
    search("noisy_digits", folder, 0, OPTIONS)
    return parts_of(folder)


def test_another_process_with_another_hash_seed_comes_to_the_same(tmp_path: Path, calm: dict[str, str]) -> None:
    changes = [part for option in OPTIONS for part in ("--set", option)]
    command = [sys.executable, "-m", "symloss", "search", "noisy_digits", "--out", str(tmp_path / "run")]
    seed = str(1 + int(os.environ.get("PYTHONHASHSEED", "0").replace("random", "0")))
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    subprocess.run([*command, "--workers", "0", "--quiet", "--no-report", *changes],
                   cwd=ROOT, env=environment, check=True, capture_output=True)  # fmt: skip
    assert parts_of(tmp_path / "run") == calm


@pytest.mark.usefixtures("cluster")
def test_ray_workers_that_are_killed_come_to_the_same_as_this_process(
    tmp_path: Path, calm: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "is_harmless", lambda spec: False)  # it is workers that are to die
    killed = []

    class Victims(RayPool):
        def run(self, jobs: Iterable[Job], stop: Any = bool) -> Iterator[Any]:
            for place, (job, outcomes) in enumerate(super().run(jobs, stop)):
                yield job, outcomes
                if place == 1 and not killed:
                    killed.append(kill_a_worker())

    monkeypatch.setattr(symloss.running.session, "make_pool", lambda workers, spec, address: Victims(2, spec))
    search("noisy_digits", tmp_path / "run", 2, OPTIONS)
    assert any(killed)
    assert parts_of(tmp_path / "run") == calm


def kill_a_worker() -> int:
    """Kill a process that judges, as a machine short of memory does; return its number, 0 where there is none."""
    names = [each for each in psutil.Process().children(recursive=True) if each.name().startswith("ray::")]
    names = [each for each in names if "Worker" in " ".join(each.cmdline())]
    if not names:
        return 0
    os.kill(names[0].pid, signal.SIGKILL)
    return names[0].pid
