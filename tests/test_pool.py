"""Pools: the same bits from both, and an outcome for everything that a candidate can do to its worker."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import ray

import symloss
from symloss.errors import ExperimentError, RunError
from symloss.judging import cluster, drain, memory_limit, stand_in, suspicion
from symloss.judging import fleet as fleets
from symloss.judging import ray_pool as pools
from symloss.judging.evaluate import Job, Report
from symloss.judging.plan import Plan
from symloss.judging.pools import make_pool
from symloss.judging.ray_pool import RayPool
from symloss.judging.serial_pool import SerialPool
from symloss.language.candidate import State
from tests.evil_task import (
    CHATTERS,
    DIES,
    EXITS,
    FAILS_BACK,
    GROWS,
    HOARDS,
    IS_DEAF,
    IS_NAN,
    IS_STEEP,
    RAISES,
    SEGFAULTS,
    SLEEPS,
    SMEARS,
    SPINS,
    STOPS,
    WRITES,
)

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
    found = {}
    try:
        for job, outcomes in pool.run(given, **options):  # a job whose worker died comes back bit by bit
            found[job.number] = [*found.get(job.number, []), *(replace(each, seconds=0.0) for each in outcomes)]
    finally:
        pool.close()
    return {number: sorted(outcomes, key=lambda each: each.candidate) for number, outcomes in found.items()}


def states(found):
    return {number: [o.state.value for o in outcomes] for number, outcomes in found.items()}


@pytest.fixture(autouse=True)
def workers_alone(monkeypatch):
    """Let nobody stand in for workers: it is they who are tried here."""
    monkeypatch.setattr(stand_in, "is_harmless", lambda spec: False)


@pytest.fixture(scope="module")
def expected():
    return results(SerialPool(DIGITS), COHORTS)


def test_in_process_every_candidate_has_an_outcome(expected):
    assert states(expected) == {0: ["scored"] * 2, 1: ["scored"], 2: ["scored", "rejected", "scored"]}


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


# What a model may do, and how its candidate ends: alike in every pool.
EVIL_ENDS = {
    RAISES: ("crashed", "ValueError: evil"),
    FAILS_BACK: ("crashed", "ValueError: evil backwards"),
    EXITS: ("crashed", "SystemExit: 3"),
    SMEARS: ("crashed", "ValueError: the model writes into its inputs; let it make new ones, as in `x = x - 1`"),
    WRITES: ("crashed", "the data of its task were written into while it trained"),
    IS_NAN: ("diverged", "loss, weights or metrics were not finite at any learning rate by step 6"),
    IS_STEEP: ("diverged", "loss, weights or metrics were not finite at any learning rate by step 6"),
    SPINS: ("timed_out", "one step of its training did not end within the time limit"),
}
# What only a process of its own survives.
DEAD, STUCK = (
    "quarantined: its worker died each time that it trained alone",
    "quarantined: it did not end, and its worker",
)
HARMFUL_ENDS = {
    HOARDS: ("crashed", "RuntimeError: [enforce fail at alloc_cpu.cpp"),
    GROWS: ("crashed", "RuntimeError: [enforce fail at alloc_cpu.cpp"),
    CHATTERS: ("scored", ""),
    DIES: ("crashed", DEAD),
}
DEADLY_ENDS = {
    SEGFAULTS: ("crashed", DEAD),
    SLEEPS: ("timed_out", STUCK),
    STOPS: ("timed_out", STUCK),
    IS_DEAF: ("timed_out", STUCK),
}


@pytest.fixture(scope="module")
def good():
    """What good candidates come to on the evil task."""
    found = results(SerialPool(EVIL), jobs(["tanh(x)", "tanh(x)", "tanh(x)"], slot="activation"))
    return found[0][0].measurements


def check_end(outcome, deed, ends):
    assert (outcome.state.value, outcome.reason[: len(ends[deed][1])]) == ends[deed], deed


def check_ends(found, ends, good):
    for job, deed in enumerate(ends):
        before, culprit, after = found[job]
        check_end(culprit, deed, ends)
        assert before.measurements == after.measurements == good, deed


def in_company(ends):
    """Return a job for each deed; only those that time out have little time: a busy machine takes long for others."""
    given = jobs(*[["tanh(x)", deed, "tanh(x)"] for deed in ends], slot="activation")
    limits = {SPINS: 3.0, **dict.fromkeys(DEADLY_ENDS, 1.0)}
    return [replace(job, time_limit=limits.get(deed, 60.0)) for job, deed in zip(given, ends, strict=True)]


def test_evil_in_this_process(good):
    check_ends(results(SerialPool(EVIL), in_company(EVIL_ENDS)), EVIL_ENDS, good)


@pytest.mark.usefixtures("cluster")
def test_evil_in_a_worker(good, monkeypatch):
    monkeypatch.setattr(suspicion, "LIVES", 1)  # each worker that must be replaced takes seconds
    monkeypatch.setattr(suspicion, "HANGS", 1)
    monkeypatch.setattr(fleets, "GRACE", 1.0)
    before, pool = written(), RayPool(3, EVIL)
    ends = EVIL_ENDS | HARMFUL_ENDS
    # One numbering for all: a candidate that came through clears its number of a death, and another's with it.
    given = in_company(ends | DEADLY_ENDS)
    friendly, deadly = given[: len(ends)], [replace(job, candidates=job.candidates[1:2]) for job in given[len(ends) :]]
    found = results(pool, [*friendly, *deadly])
    check_ends(found, ends, good)
    for job, deed in zip(deadly, DEADLY_ENDS, strict=True):
        check_end(found[job.number][0], deed, DEADLY_ENDS)
    facts = pool.facts()
    assert facts["quarantined"] == 5
    # On a busy machine an answer may be lost with a worker that has gone on to its next job, and others may be late:
    # neither changes anything for them. Exact counts are in test_fleet.py, where time is simulated.
    assert facts["lost"] >= 2 + 1 + 1  # twice in company, once alone; and the segmentation fault
    assert facts["killed"] >= 3
    assert 2**31 < facts["limit"] < memory_limit.machine_memory()
    assert written() - before < 50_000_000  # of a gigabyte that was printed


def written():
    """Return how many bytes Ray has written."""
    home = Path(ray._private.worker._global_node.get_session_dir_path())
    return sum(path.lstat().st_size for path in home.rglob("*") if path.is_file())


def test_a_job_that_nobody_can_be_blamed_for_is_tried_candidate_by_candidate(monkeypatch):
    asked = []

    def judge(job, task, stop=None):
        asked.append([number for number, _, _ in job.candidates])
        return Report((), "training did not end within 1 s", State.TIMED_OUT)

    monkeypatch.setattr("symloss.judging.desk.judge", judge)
    found = results(SerialPool(DIGITS), jobs(["-t*log(p)", "(t - p)**2"]))
    assert asked[-3:] == [[0, 1], [0], [1]]  # the desk has warmed up before
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
    assert 1 <= len(seen) <= 1 + fleets.AHEAD


@pytest.mark.usefixtures("cluster")
def test_what_does_not_end_in_time_is_left_behind(monkeypatch):
    monkeypatch.setattr(drain, "DRAIN", 0.5)
    pool = RayPool(1, EVIL)
    given = jobs(["tanh(x)"], [SPINS], slot="activation", limit=100.0)
    seen = []
    for job, _ in pool.run(given, stop=lambda: bool(seen)):
        seen.append(job.number)
    assert seen == [0]
    again = {job.number for job, _ in pool.run(jobs(["sin(x)"], slot="activation"))}
    pool.close()
    assert again == {0}


class Clock:
    """A stop that is asked from `after` questions on, and remembers what it was asked."""

    def __init__(self, after):
        self.after, self.asked = after, 0

    def __call__(self):
        self.asked += 1
        return self.asked > self.after


@pytest.mark.parametrize("way", ["stacked", "single"])
def test_in_process_a_job_at_work_is_left_undone_once_its_time_is_over(way, monkeypatch):
    monkeypatch.setattr(drain, "DRAIN", 0.1)
    long = Plan(10_000, (0.01,), (0,), stack=way)
    given = jobs(["-t*log(p)"], ["(t - p)**2"], plan=long)
    assert results(SerialPool(DIGITS), given, stop=Clock(after=2)) == {}


def test_in_process_a_job_at_work_may_end_while_the_pool_drains():
    assert [*results(SerialPool(DIGITS), COHORTS, stop=Clock(after=1))] == [0]


def test_a_stop_may_end_the_process_while_the_pool_drains():
    asked = []

    def stop():
        asked.append(1)
        if len(asked) > 3:
            raise SystemExit(130)
        return len(asked) > 1

    given = jobs(["-t*log(p)"], plan=Plan(10_000, (0.01,), (0,), stack="stacked"))
    with pytest.raises(SystemExit) as caught:
        results(SerialPool(DIGITS), given, stop=stop)
    assert caught.value.code == 130


def test_an_exit_that_a_library_swallows_in_training_is_no_failure_of_the_candidate(monkeypatch):
    class ClumsyError(Exception):
        """What a library makes of an exit that is raised within it."""

    def train(functions, task, plan, stop):
        try:
            stop()
        except SystemExit as ended:
            raise ClumsyError from ended
        return []

    asked = []

    def stop():
        asked.append(1)
        if len(asked) > 1:
            raise SystemExit(143)
        return False

    monkeypatch.setattr("symloss.judging.evaluate.train_cohort", train)
    with pytest.raises(SystemExit) as caught:
        list(SerialPool(DIGITS).run(COHORTS[1:2], stop))
    assert caught.value.code == 143


def test_the_time_to_end_counts_from_the_first_yes(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(drain.time, "monotonic", lambda: now[0])
    clock = Clock(after=2)
    ending = drain.Drain(clock)
    assert not ending.begun()
    assert not ending.over()
    assert not ending.over()  # too soon to ask again
    assert clock.asked == 2
    assert ending.begun()
    now[0] += drain.DRAIN
    assert not ending.over()
    now[0] += 1
    assert ending.over()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_task_that_cannot_be_made_is_one_clear_error(workers, request):
    if workers:
        request.getfixturevalue("cluster")
    pool = make_pool(workers, {"name": "digts"})
    with pytest.raises(ExperimentError, match=r"unknown task 'digts'\. Did you mean 'digits'\?"):
        list(pool.run(COHORTS))
    pool.close()


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_dies_before_it_is_ready_is_replaced(tmp_path):
    spec = {**EVIL, "factory": "evil_task.py:deadly_at_first", "folder": EVIL["folder"], "marks": str(tmp_path)}
    found = results(RayPool(1, spec), jobs(["tanh(x)"], ["sin(x)"], slot="activation"))
    assert states(found) == {0: ["scored"], 1: ["scored"]}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_task_that_exits_is_one_clear_error(workers, request):
    if workers:
        request.getfixturevalue("cluster")
    pool = make_pool(workers, {**EVIL, "factory": "evil_task.py:exits"})
    with pytest.raises(ExperimentError, match=r"evil_task\.py:exits raised SystemExit: 3\."):
        list(pool.run(COHORTS))
    pool.close()


@pytest.mark.usefixtures("cluster")
def test_a_task_that_kills_its_worker_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(fleets, "STARTS", 2)
    pool = RayPool(1, {**EVIL, "factory": "evil_task.py:deadly"})
    with pytest.raises(RunError, match="died before it was ready, 2 times in a row"):
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
from symloss.judging import stand_in
from symloss.judging.evaluate import Job, Report
from symloss.judging.pools import make_pool
from symloss.judging.plan import Plan

waits = {waits}
if waits:
    stand_in.is_harmless = lambda spec: False
pool = make_pool(1, {{"name": "digits", "hidden": [8]}})
pool.start()
plan = Plan(3, (0.01,), (0,), stack="stacked")
(_, outcomes), = pool.run([Job(0, ((0, "-t*log(p)", "classification"),), plan, 60.0)])
import ray
addresses = {{node["NodeManagerAddress"] for node in ray.nodes()}} if waits else "none yet"
pool.close()
import os
import psutil
files = os.listdir(os.environ["RAY_TMPDIR"])
left = [child.name() for child in psutil.Process().children(recursive=True) if child.status() != "zombie"]
print(outcomes[0].state, addresses, left, files)
"""


@pytest.mark.parametrize(("waits", "addresses"), [(True, "{'127.0.0.1'}"), (False, "none yet")])
def test_a_cluster_of_ones_own_is_quiet_stays_on_this_machine_and_leaves_nothing_behind(waits, addresses, short_folder):
    """Also where all is judged in this process before Ray is up, which then is closed while it starts."""
    done = run_alone(OWN_CLUSTER.format(waits=waits), short_folder)
    assert done.stdout == f"scored {addresses} [] []\n", done.stderr
    assert done.stderr == ""
    assert list(short_folder.iterdir()) == []


@pytest.fixture
def short_folder():
    """A folder whose path leaves room for Ray's sockets, which pytest's own does not."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def run_alone(code, folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(symloss.__file__).parent.parent), "RAY_TMPDIR": str(folder)}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


PRIORITIES = """
import psutil
from symloss.judging import stand_in
from symloss.judging.cluster import BEHIND, WORKERS_BEHIND
from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.pools import make_pool

stand_in.is_harmless = lambda spec: False
here = psutil.Process()
before = here.nice()
pool = make_pool(1, {"name": "digits", "hidden": [8]})
plan = Plan(3, (0.01,), (0,), stack="stacked")
list(pool.run([Job(0, ((0, "-t*log(p)", "classification"),), plan, 60.0)]))
found = {"this process": here.nice() - before}
for child in here.children(recursive=True):
    for name, behind in {"raylet": BEHIND, "SymlossWorker": WORKERS_BEHIND}.items():
        if name in " ".join(child.cmdline()[:1]):
            found[name] = child.nice() - min(19, before + behind)
pool.close()
print(found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own")
def test_ray_gives_way_to_this_process_and_workers_to_all_others(short_folder):
    done = run_alone(PRIORITIES, short_folder)
    assert done.stdout == "{'this process': 0, 'raylet': 0, 'SymlossWorker': 0}\n", done.stderr


FAILED_START = """
import ray
from symloss.errors import RunError
from symloss.judging.pools import make_pool

def fail(*rest, **options):
    init(*rest, **options)
    raise OSError("no more files")

init, ray.init = ray.init, fail
pool = make_pool(1, {"name": "digits", "hidden": [8]})
try:
    list(pool.run([]))
except RunError as error:
    print(error)
pool.close()
"""


def test_a_failed_start_leaves_nothing_behind(short_folder):
    done = run_alone(FAILED_START, short_folder)
    assert done.stdout.startswith("Ray cannot be used: no more files."), done.stderr
    assert list(short_folder.iterdir()) == []


NEVER_CLOSED = """
from symloss.judging.pools import make_pool

pool = make_pool(1, {"name": "digits", "hidden": [8]})
list(pool.run([]))
"""


def test_a_pool_that_nobody_closed_leaves_nothing_behind(short_folder):
    done = run_alone(NEVER_CLOSED, short_folder)
    assert done.returncode == 0, done.stderr
    assert list(short_folder.iterdir()) == []


def test_a_home_is_removed_alone_and_a_long_path_is_passed_over(short_folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + "long" * 20)
    mine, other = cluster.make_home(), cluster.make_home()
    (mine / "sockets").mkdir()
    cluster.remove_home(mine)
    assert list(short_folder.iterdir()) == [other]


def test_without_room_for_sockets_the_error_names_the_way_out(monkeypatch):
    monkeypatch.setattr(cluster, "ROOM", 1)
    with pytest.raises(RunError, match=r"path of at most 1 bytes.*Set TMPDIR.*--workers 0"):
        cluster.make_home()


@pytest.fixture
def free_port():
    """A port on which nothing listens: it is bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_cluster_that_is_not_there_is_one_clear_error(free_port, monkeypatch):
    monkeypatch.setattr(pools, "load_ray", lambda address: pytest.fail("Ray would try for minutes"))
    pool = RayPool(1, DIGITS, f"127.0.0.1:{free_port}")
    with pytest.raises(RunError, match=rf"No Ray cluster can be reached at 127\.0\.0\.1:{free_port}: .*refused"):
        list(pool.run(COHORTS))
    pool.close()


@pytest.mark.parametrize("address", ["localhost", "local", "foo:", ":1", "foo:bar", "foo:0", "foo:65536", "foo:²"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ExperimentError, match=r"--address must be host:port, ray://host:port or auto, got"):
        cluster.check_reachable(address)


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:1"])
def test_other_addresses_are_left_to_ray(address):
    cluster.check_reachable(address)


def test_a_port_that_listens_will_do():
    with socket.create_server(("127.0.0.1", 0)) as server:
        cluster.check_reachable(f"127.0.0.1:{server.getsockname()[1]}")


@pytest.fixture
def stuck(monkeypatch):
    """A Ray that does not come up until the test is over."""
    release = threading.Event()

    def start(address):
        release.wait()
        raise RunError("too late")

    monkeypatch.setattr(pools, "load_ray", start)
    monkeypatch.setattr(pools, "PARTING", 0.01)
    yield
    release.set()


@pytest.mark.usefixtures("stuck")
def test_a_stop_is_heard_while_ray_starts():
    clock = Clock(after=1)
    assert results(RayPool(1, DIGITS), COHORTS, stop=clock) == {}
    assert clock.asked == 2


@pytest.mark.usefixtures("stuck")
def test_formulas_are_judged_in_this_process_while_ray_starts(expected, monkeypatch):
    monkeypatch.setattr(stand_in, "is_harmless", lambda spec: True)
    assert results(RayPool(1, DIGITS), COHORTS) == expected


@pytest.mark.usefixtures("stuck")
@pytest.mark.parametrize(
    ("address", "words", "hint"),
    [(None, "Ray cannot", ""), ("auto", "The Ray cluster at auto cannot", "RAY_AUTH_MODE=token")],
)
def test_a_start_that_does_not_end_is_one_clear_error(address, words, hint, monkeypatch):
    monkeypatch.setattr(pools, "LAUNCH", 0.3)
    monkeypatch.setattr(pools, "JOIN", 0.3)
    pool = RayPool(1, DIGITS, address)
    with pytest.raises(RunError, match=rf"{words} be used: it did not answer within 0\.3 s\..*{hint}.*--workers 0"):
        list(pool.run(COHORTS))
    pool.close()


@pytest.mark.usefixtures("cluster")
def test_a_stop_does_not_wait_for_workers_that_are_not_ready_yet(monkeypatch):
    monkeypatch.setattr(drain, "DRAIN", 1000.0)
    monkeypatch.setattr(fleets, "STARTUP", 1000.0)
    pool = RayPool(1, {**EVIL, "factory": "evil_task.py:endless"})
    assert results(pool, COHORTS, stop=Clock(after=3)) == {}
