"""What happened to workers: counted, kept with the run, shown by `show` and in the report."""

from pathlib import Path

import pytest

from symloss.judging.mishaps import Mishaps, mishaps_in_words, mishaps_of
from symloss.running.run import search
from symloss.running.storage.store import RunStore
from symloss.telling.report.report import write_report
from symloss.telling.summary import run_text, summarise_run
from tests.fakes import FakePool
from tests.runs import FACTS, make_run
from tests.test_run import TABLE, fake

HAPPENED = {"lost": 3, "killed": 1, "retried": 5, "quarantined": 1, "recycled": 2, "limit": 7}
WORDS = (
    "workers: 4 lost, 1 hung and killed, 2 recycled; evaluations: 5 tried again, 1 quarantined; no result depends on it"
)


def test_facts_hold_what_happened_alone() -> None:
    assert Mishaps().facts() == {}
    mishaps = Mishaps(lost=2)
    for limit in (5, 0, 3, 9):
        mishaps.heard_limit(limit)
    assert mishaps.facts() == {"lost": 2, "limit": 3}


def test_sessions_are_added_up_whatever_a_store_holds() -> None:
    sessions = [
        {"mishaps": HAPPENED},
        {"mishaps": {"lost": 1}},
        {},
        "no session",
        {"mishaps": "x"},
        {"mishaps": {"lost": "y"}},
    ]
    assert mishaps_in_words(mishaps_of(sessions)) == WORDS
    assert mishaps_in_words(mishaps_of([])) == ""


@pytest.mark.parametrize("happened", [True, False])
def test_show_and_report_tell_of_them(tmp_path: Path, happened: bool) -> None:
    session = FACTS["sessions"][0] | ({"mishaps": HAPPENED | {"lost": 4}} if happened else {})
    folder = make_run(tmp_path / "run", sessions=[session])
    summary = summarise_run(folder)
    assert (WORDS in " ".join(run_text(summary).split())) == happened
    assert (WORDS in write_report(folder).file.read_text()) == happened
    assert summary["mishaps"].get("lost", 0) == 4 * happened


def test_a_run_keeps_them_finals_included(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool: FakePool = fake()
    pool.fate = {"lost": 1}
    monkeypatch.setattr("symloss.running.session.make_pool", lambda workers, spec, address: pool)
    original = pool.run_with_outputs

    def run(jobs, stop=bool):  # type: ignore[no-untyped-def]
        for job in original(jobs, stop):
            pool.fate["retried"] = len(pool.jobs)
            yield job

    monkeypatch.setattr(pool, "run_with_outputs", run)
    search(TABLE, out=tmp_path / "run", overrides=["budget.stack=single"])
    with RunStore.read(tmp_path / "run" / "run.sqlite") as store:
        assert store.meta()["sessions"][-1]["mishaps"] == {"lost": 1, "retried": len(pool.jobs)}
