"""The fleet in simulated time: lost workers cost an evaluation and change nothing, deadly candidates are found out."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import ExperimentError, RunError
from symloss.judging import fleet as fleets
from symloss.judging.evaluate import Job, Judged
from symloss.judging.fleet import GRACE, LOOK, POLL, Fleet
from symloss.judging.plan import Plan
from symloss.judging.suspicion import LIVES
from symloss.judging.worker import Ready
from symloss.language.candidate import Measurement, Outcome, State
from tests.simulated import FACTS, SimulatedActors

PLAN = Plan(1, (0.01,), (0,), stack="stacked")
SHOT = 1.0  # seconds that Ray gives a stopped process, see RAY_kill_worker_timeout_milliseconds


def score(number: int, text: str, job: Job) -> Judged:
    measured = (Measurement(1, 0.01, 0, {"accuracy": number / 1000}),)
    return Judged(Outcome(number, State.SCORED, measurements=measured))


def jobs(count: int, size: int = 4, limit: float = 60.0, odd: dict[int, str] | None = None) -> list[Job]:
    texts = {number: (odd or {}).get(number, f"good {number}") for number in range(count * size)}
    return [
        Job(first, tuple((n, texts[n], "classification") for n in range(first, first + size)), PLAN, limit)
        for first in range(0, count * size, size)
    ]


def crew(actors: SimulatedActors, size: int = 2, **options: Any) -> Fleet:
    return Fleet(actors, size, {"name": "digits"}, size, **options)


def ends(fleet: Fleet, given: list[Job]) -> dict[int, tuple[State, str]]:
    found = [(one.outcome.candidate, one.outcome) for _, judged in fleet.run(given) for one in judged]
    assert len(found) == len(dict(found))
    return {number: (outcome.state, outcome.reason) for number, outcome in sorted(found)}


def every(low: float, high: float, seed: int = 0) -> Iterator[float]:
    draws = random.Random(seed)
    while True:
        yield draws.uniform(low, high)


FINE = dict.fromkeys(range(80), (State.SCORED, ""))


def test_an_undisturbed_fleet_judges_each_job_once() -> None:
    actors = SimulatedActors(score)
    fleet = crew(actors)
    assert ends(fleet, jobs(20)) == FINE
    assert len(actors.asked) == 20
    assert fleet.mishaps.facts() == {"limit": 10**9}


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.2, 0.7, 1.5]))
def test_a_killer_changes_nothing_and_nobody_is_blamed(seed: int, size: int, takes: float) -> None:
    actors = SimulatedActors(
        score, lambda job: takes * (1 + len(job.candidates)) / 5, startup=1.0, killer=every(1, 3, seed), seed=seed
    )
    fleet = crew(actors, size)
    assert ends(fleet, jobs(20)) == FINE
    assert fleet.mishaps.lost <= actors.kills <= fleet.mishaps.lost + size
    assert fleet.mishaps.quarantined == 0


def test_a_lost_worker_costs_one_evaluation() -> None:
    actors = SimulatedActors(score, killer=iter([5.5]))
    fleet = crew(actors, 2)
    assert ends(fleet, jobs(20)) == FINE
    assert (fleet.mishaps.lost, fleet.mishaps.retried) == (1, 1)
    assert len(actors.asked) <= 22  # the job at work is judged again; one that waited in line behind it is sent again
    assert all(len(job.candidates) == 4 for job in actors.asked)


def test_two_deaths_in_company_blame_nobody() -> None:
    actors = SimulatedActors(score, lambda job: 10.0 if len(job.candidates) > 1 else 0.1, killer=iter([5, 10]))
    fleet = crew(actors, 1)
    assert ends(fleet, jobs(1)) == {number: FINE[number] for number in range(4)}
    assert [len(job.candidates) for job in actors.asked] == [4, 4, 1, 1, 1, 1]


def test_a_deadly_candidate_is_quarantined_and_its_neighbours_are_not() -> None:
    actors = SimulatedActors(score, deadly=["deadly"])
    fleet = crew(actors, 2)
    found = ends(fleet, jobs(20, odd={9: "deadly"}))
    assert found == {**FINE, 9: (State.CRASHED, "quarantined: its worker died each time that it trained alone")}
    assert fleet.mishaps.lost == 2 + LIVES
    assert fleet.mishaps.quarantined == 1


def test_what_ended_beside_a_deadly_candidate_is_given_at_once() -> None:
    run = crew(SimulatedActors(score, deadly=["deadly"])).run(jobs(20, odd={9: "deadly"}))
    given = [{one.outcome.candidate for one in judged} for _, judged in run]
    alone = [{8}, {10}, {11}]
    assert all(each in given[:-1] for each in alone)
    assert given[-1] == {9}
    assert len(given) == 19 + 4


class Stopped(SimulatedActors):
    """Now and then all is stopped for a while, this process as well as the workers."""

    def wait(self, asked: Any, timeout: float) -> Any:
        self.looks = getattr(self, "looks", 0) + 1
        if self.looks in (9, 30, 31, 60):
            self._skipped += 100.0
            self._events = [(at + 100.0, *rest) for at, *rest in self._events]
            for actor in self.living:
                actor.free += 100.0
        return super().wait(asked, timeout)


def test_nobody_is_late_for_the_time_in_which_all_was_stopped() -> None:
    fleet = crew(Stopped(score, lambda job: 1.5), 2)
    assert ends(fleet, jobs(20, limit=2.0)) == FINE
    assert (fleet.mishaps.killed, fleet.mishaps.lost) == (0, 0)
    # What is stopped by itself is late still.
    hangs = crew(SimulatedActors(score, hanging=["hangs"]), 2)
    assert ends(hangs, jobs(20, limit=2.0, odd={9: "hangs"}))[9][0] is State.TIMED_OUT


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_a_deadly_candidate_ends_alike_under_a_killer(seed: int) -> None:
    def run(killer: Iterator[float] | None) -> tuple[dict[int, Any], Fleet]:
        takes = SimulatedActors(score, lambda job: 0.5, ["deadly"], ["hangs"], 1.0, killer=killer, seed=seed)
        fleet = crew(takes, 3)
        return ends(fleet, jobs(20, limit=2.0, odd={9: "deadly", 30: "hangs"})), fleet

    calm, _ = run(None)
    found, fleet = run(every(1, 3, seed))
    assert calm[30][0] is State.TIMED_OUT
    # What never ends may be killed from outside each time, before its own limit: it is at fault in either case.
    assert found[30][1].startswith("quarantined")
    assert {**found, 30: None} == {**calm, 30: None}
    assert found[9][0] is State.CRASHED
    assert fleet.mishaps.quarantined == 2


def test_where_workers_die_of_something_else_a_candidate_has_more_lives() -> None:
    # The first kill hits a job that comes through later, so that it is known to be from outside; three hit another one.
    kills = iter([3.2, 5.8, 6.0, 6.0])
    actors = SimulatedActors(score, lambda job: 0.5 if job.number == 0 else 5.0, killer=kills)
    fleet = crew(actors, 1)
    assert set(ends(fleet, jobs(2, size=1)).values()) == {(State.SCORED, "")}
    assert [job.number for job in actors.asked if job.number] == [1] * (LIVES + 2)
    assert fleet.mishaps.lost == 1 + LIVES + 1


@pytest.mark.parametrize("size", [1, 4])
def test_a_job_that_ignores_the_soft_limit_is_dead_within_five_seconds_of_its_hard_limit(size: int) -> None:
    actors = SimulatedActors(score, hanging=["hangs"])
    fleet = crew(actors, 2)
    found = ends(fleet, jobs(3, size=size, limit=7.0, odd={0: "hangs"}))
    limits = [7.0 * (1 if size == 1 else 2), 7.0]
    reason = f"quarantined: it did not end, and its worker was killed after {7 + GRACE:g} s"
    assert found[0] == (State.TIMED_OUT, reason)
    assert {end for number, end in found.items() if number} == {(State.SCORED, "")}
    begun = [when - actors.startup for when, _ in actors.killed]
    assert fleet.mishaps.killed == len(begun) == 2
    assert limits[0] < begun[0] <= limits[0] + GRACE + LOOK + POLL
    assert GRACE + LOOK + POLL + SHOT < 5


def test_a_worker_that_dies_at_rest_harms_no_job() -> None:
    actors = SimulatedActors(score)
    fleet = crew(actors, 1)
    ends(fleet, jobs(1))
    for actor in list(actors.living):
        actors.die(actor)
    assert ends(fleet, jobs(20)) == FINE
    assert (fleet.mishaps.lost, fleet.mishaps.retried) == (1, 0)


@pytest.mark.parametrize(
    ("count", "lost"),
    [
        (1, LIVES),
        # Its neighbour's answer is lost, which seems to be at fault until it comes through: that death is nobody's.
        (20, 1 + 2 * LIVES),
    ],
)
def test_who_kills_before_the_answer_before_it_is_sent_is_found_out(count: int, lost: int) -> None:
    deadly = count // 2
    actors = SimulatedActors(score, lambda job: 0.0 if job.number == deadly else 1.0, ["deadly"], mail=0.01)
    fleet = crew(actors, 2)
    found = ends(fleet, jobs(count, size=1, odd={deadly: "deadly"}))
    assert {number for number, end in found.items() if end != FINE[number]} == {deadly}
    assert found[deadly] == (State.CRASHED, "quarantined: its worker died each time that it trained alone")
    assert (fleet.mishaps.lost, fleet.mishaps.quarantined) == (lost, 1)


def test_a_fleet_goes_on_when_half_of_its_places_are_gone() -> None:
    actors = SimulatedActors(score)
    fleet = crew(actors, 4)
    run = fleet.run(jobs(40))
    next(run)
    actors.room = 2
    for actor in list(actors.living)[:2]:
        actors.die(actor)
    assert len(list(run)) == 39
    assert sum(hand.stage is fleets.Stage.GREETING for hand in fleet.hands) == 2


def test_no_place_at_all_is_one_clear_error() -> None:
    with pytest.raises(RunError, match=r"No Ray worker found a place within 120 s\. The cluster has 0 cores"):
        ends(crew(SimulatedActors(score, places=0), 2), jobs(1))


def test_workers_that_die_before_they_are_ready_are_replaced_but_not_for_ever() -> None:
    with pytest.raises(RunError, match="died \\(simulated\\) before it was ready, 5 times in a row"):
        ends(crew(SimulatedActors(score, startup=3.0, killer=every(1, 1)), 1), jobs(1))


def test_workers_are_recycled_after_so_many_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "RECYCLE_JOBS", 5)
    actors = SimulatedActors(score)
    fleet = crew(actors, 2)
    assert ends(fleet, jobs(20)) == FINE
    assert fleet.mishaps.recycled == 2
    assert len(actors.asked) == 20


def test_workers_are_recycled_after_so_much_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "RECYCLE_BYTES", 300)
    fleet = crew(SimulatedActors(score, resident=lambda jobs: 1000 + 100 * jobs), 1)
    assert ends(fleet, jobs(20)) == FINE
    assert fleet.mishaps.recycled == 4  # when what was in line at the fourth job is done


@pytest.mark.parametrize(
    ("package", "version", "said"),
    [
        (
            "torch",
            "2.0.0",
            r"has torch 2\.0\.0, and this process torch .*: results would differ\. Run `pip install 'torch==",
        ),
        ("torch", "missing", r"has no torch, and this process torch .*Run `pip install 'torch=="),
        ("python", "3.1.4", r"has python 3\.1\.4, and this process python .*Use Python 3"),
        ("symloss", "of code 0", r"has symloss of code 0, .*Install the same symloss there, or leave that machine out"),
        ("extra", "1.0", r"has extra 1\.0, and this process no extra: .*Uninstall extra there"),
    ],
)
def test_a_machine_with_other_versions_is_refused_by_name(package: str, version: str, said: str) -> None:
    def facts(number: int) -> dict[str, Any]:
        versions = FACTS["versions"] | ({package: version} if number == 2 else {})
        return {"node": f"10.0.0.{number} (n{number})", "versions": versions}

    with pytest.raises(RunError, match=rf"The machine 10\.0\.0\.2 \(n2\) of the Ray cluster {said}"):
        ends(crew(SimulatedActors(score, facts=facts), 2, place="On"), jobs(8))
    # On one machine it is the same machine's other moment.
    with pytest.raises(RunError, match=r"was changed on disk since this process began.* `symloss resume`"):
        ends(crew(SimulatedActors(score, facts=facts), 2), jobs(8))


def test_a_worker_with_other_data_is_refused_by_name() -> None:
    actors = SimulatedActors(score, ready=lambda number: Ready("", "mine" if number == 1 else "other"))
    with pytest.raises(ExperimentError, match=r"On 10\.0\.0\.1 \(somewhere\): \[task\] gives other data in a worker"):
        ends(crew(actors, 2, place="On"), jobs(8))
    actors = SimulatedActors(score)
    with pytest.raises(ExperimentError, match=r"^\[task\] gives other data .* seed whatever is drawn"):
        ends(crew(actors, 2, data="mine"), jobs(8))


def test_a_task_file_that_a_machine_lacks_is_one_clear_error() -> None:
    actors = SimulatedActors(score, ready=lambda number: Ready("[task] factory names the file x.py, which is missing."))
    fleet = Fleet(actors, 1, {"factory": "x.py:task"}, None, place="On")
    with pytest.raises(ExperimentError, match=r"On 10\.0\.0\.1 .* same path: .* `ray job submit --working-dir`"):
        ends(fleet, jobs(1))


def test_who_has_just_answered_is_not_asked_whether_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    actors, methods = SimulatedActors(score), list[str]()
    ask = actors.ask
    monkeypatch.setattr(
        actors, "ask", lambda actor, method, *rest: (methods.append(method), ask(actor, method, *rest))[1]
    )
    fleet = crew(actors)
    list(fleet.run(iter(jobs(20))))
    assert (methods.count("judge"), methods.count("ping")) == (20, 0)
    actors.charge(60)
    list(fleet.run(iter(jobs(20))))
    assert (methods.count("judge"), methods.count("ping")) == (40, 2)


def test_jobs_without_an_end_are_asked_for_when_a_worker_is_free() -> None:
    asked: list[int] = []

    def endless() -> Iterator[Job]:
        for job in jobs(1000):
            asked.append(job.number)
            yield job

    done = list(islice(crew(SimulatedActors(score), 3).run(endless()), 10))
    assert len({job.number for job, _ in done}) == 10
    assert len(asked) <= 10 + 3 + 1
