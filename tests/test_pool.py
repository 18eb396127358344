"""Pools: the same bits from both, and an outcome for everything that a candidate can do to its worker."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import symloss
from symloss.errors import ExperimentError, RunError
from symloss.judging import ray_pool as pools
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.pools import make_pool
from symloss.judging.ray_pool import RayPool
from symloss.judging.serial_pool import SerialPool
from symloss.language.candidate import State
from tests.evil_task import DIES, RAISES, SLEEPS, SPINS

PLAN = Plan(6, (0.003, 0.01), (0, 1), stack="stacked")
DIGITS = {"name": "digits", "noise": 0.4, "hidden": [16]}
EVIL = {"factory": "evil_task.py:task", "folder": str(Path(__file__).parent)}


def jobs(*cohorts, slot="classification", limit=60.0, plan=PLAN):
    number, made = 0, []
    for cohort in cohorts:
        candidates = tuple((number + i, text, slot) for i, text in enumerate(cohort))
        made.append(Job(len(made), candidates, plan, limit))
        number += len(cohort)
    return made


COHORTS = jobs(["-t*log(p)", "(t - p)**2"], ["t*(1 - p)"], ["t*(1 - p - log(p))", "nonsense", "-t*log(p)*(1 - p)"])


def results(pool, given, **options):
    try:
        found = dict(pool.run(given, **options))
    finally:
        pool.close()
    return {job.number: [replace(outcome, seconds=0.0) for outcome in found[job]] for job in found}


def states(found):
    return {number: [o.state.value for o in outcomes] for number, outcomes in found.items()}


@pytest.fixture(scope="module")
def expected():
    return results(SerialPool(DIGITS), COHORTS)


def test_in_process_every_candidate_has_an_outcome(expected):
    assert states(expected) == {0: ["scored"] * 2, 1: ["scored"], 2: ["scored", "crashed", "scored"]}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_the_same_bits_as_this_process(workers, expected):
    assert results(RayPool(workers, DIGITS), COHORTS) == expected


@pytest.mark.usefixtures("cluster")
def test_outputs_on_the_test_part_are_the_same_bits():
    given = jobs(["-t*log(p)"], ["(t - p)**2"], plan=Plan(6, (0.01,), (0, 1), measure=("test",), stack="stacked"))
    found = []
    for pool in (SerialPool(DIGITS), RayPool(2, DIGITS)):
        found.append({job.number: judged[0].outputs.tobytes() for job, judged in pool.run_with_outputs(given)})
        pool.close()
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_evil_in_this_process():
    found = results(SerialPool(EVIL), jobs(["tanh(x)", RAISES, SPINS], ["sin(x)"], slot="activation", limit=1.0))
    assert states(found) == {0: ["scored", "crashed", "timed_out"], 1: ["scored"]}


@pytest.mark.usefixtures("cluster")
def test_evil_in_a_worker(monkeypatch):
    monkeypatch.setattr(pools, "GRACE", 1.0)
    cohorts = (["tanh(x)", DIES, "cos(x)"], [RAISES, SPINS, "sin(x)"], [SLEEPS], ["x*sigmoid(x)"])
    found = results(RayPool(2, EVIL), jobs(*cohorts, slot="activation", limit=4.0))
    assert states(found) == {
        0: ["scored", "crashed", "scored"],
        1: ["crashed", "timed_out", "scored"],
        2: ["timed_out"],
        3: ["scored"],
    }
    assert found[0][1].reason == "its worker died (ActorDiedError), also when tried alone"
    assert found[1][0].reason == "ValueError: evil"
    assert found[2][0].reason == "its worker hung for 9 s and was killed, also when tried alone"
    alone = results(SerialPool(EVIL), jobs(["tanh(x)"], slot="activation", limit=4.0))
    assert found[0][0] == alone[0][0]


def test_a_job_that_nobody_can_be_blamed_for_is_tried_candidate_by_candidate(monkeypatch):
    asked = []

    def judge(job, task):
        asked.append([number for number, _, _ in job.candidates])
        return pools.Report((), "training did not end within 1 s", State.TIMED_OUT)

    monkeypatch.setattr("symloss.judging.serial_pool.judge", judge)
    found = results(SerialPool(DIGITS), jobs(["-t*log(p)", "(t - p)**2"]))
    assert asked == [[0, 1], [0], [1]]
    assert states(found) == {0: ["timed_out"] * 2}


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_begins_once_it_is_to_stop(workers, request):
    if workers:
        request.getfixturevalue("cluster")
    assert results(make_pool(workers, DIGITS), COHORTS, stop=lambda: True) == {}


@pytest.mark.usefixtures("cluster")
def test_what_is_in_flight_is_drained():
    pool, seen = RayPool(1, DIGITS), []
    given = jobs(*[["-t*log(p)"]] * 8)
    for job, _ in pool.run(given, stop=lambda: bool(seen)):
        seen.append(job.number)
    pool.close()
    assert 1 <= len(seen) <= 1 + pools.AHEAD


@pytest.mark.usefixtures("cluster")
def test_what_does_not_end_in_time_is_left_behind(monkeypatch):
    monkeypatch.setattr(pools, "DRAIN", 0.5)
    pool = RayPool(1, EVIL)
    given = jobs(["tanh(x)"], [SPINS], slot="activation", limit=100.0)
    seen = []
    for job, _ in pool.run(given, stop=lambda: bool(seen)):
        seen.append(job.number)
    assert seen == [0]
    again = {job.number for job, _ in pool.run(jobs(["sin(x)"], slot="activation"))}
    pool.close()
    assert again == {0}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_task_that_cannot_be_made_is_one_clear_error(workers, request):
    if workers:
        request.getfixturevalue("cluster")
    pool = make_pool(workers, {"name": "digts"})
    with pytest.raises(ExperimentError, match=r"unknown task 'digts'\. Did you mean 'digits'\?"):
        list(pool.run(COHORTS))
    pool.close()


@pytest.mark.usefixtures("cluster")
def test_a_task_that_kills_its_worker_is_one_clear_error():
    pool = RayPool(1, {**EVIL, "factory": "evil_task.py:deadly"})
    with pytest.raises(RunError, match="before it was ready"):
        list(pool.run(COHORTS))
    pool.close()


def test_without_ray_the_error_names_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    pool = RayPool(1, DIGITS)
    with pytest.raises(RunError, match="--workers 0"):
        list(pool.run(COHORTS))
    pool.close()
    assert states(results(make_pool(0, DIGITS), COHORTS[1:2])) == {1: ["scored"]}


@pytest.mark.parametrize(("workers", "address"), [(-1, None), (0, "192.0.2.1:6379")])
def test_a_number_of_workers_that_makes_no_sense_is_refused(workers, address):
    with pytest.raises(ExperimentError, match="--workers must be at least 0"):
        make_pool(workers, DIGITS, address)


OWN_CLUSTER = """
import sys
from symloss.judging.evaluate import Job
from symloss.judging.pools import make_pool
from symloss.judging.plan import Plan

pool = make_pool(1, {"name": "digits", "hidden": [8]})
pool.start()
plan = Plan(3, (0.01,), (0,), stack="stacked")
(_, outcomes), = pool.run([Job(0, ((0, "-t*log(p)", "classification"),), plan, 60.0)])
import ray
addresses = {node["NodeManagerAddress"] for node in ray.nodes()}
pool.close()
import psutil
left = [child.name() for child in psutil.Process().children(recursive=True) if child.status() != "zombie"]
print(outcomes[0].state, addresses, left)
"""


def test_a_cluster_of_ones_own_is_quiet_stays_on_this_machine_and_leaves_nothing_behind():
    environment = {**os.environ, "PYTHONPATH": str(Path(symloss.__file__).parent.parent)}
    command = [sys.executable, "-W", "error", "-c", OWN_CLUSTER]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "scored {'127.0.0.1'} []\n", done.stderr
    assert done.stderr == ""
