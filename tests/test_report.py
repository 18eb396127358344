"""Writing a report: where it goes, what it says of the run's state, and every way in which it cannot be written."""

import pytest

from symloss.errors import RunError
from symloss.running.storage.rundir import find_run
from symloss.telling.report.report import write_report
from tests.runs import finals, formula_of, make_run, set_fact


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", 60, finals=finals(formula_of(59)))


def test_it_goes_into_the_run_or_where_it_is_told(run, tmp_path):
    report = write_report(run)
    assert report.file == run / "report.html"
    assert report.size == report.file.stat().st_size
    assert (report.candidates, report.live) == (60, False)
    assert write_report(run, tmp_path / "else.html").file.read_text().startswith("<!doctype html>")


def test_a_run_with_a_driver_at_work_is_live(run):
    with find_run(run).locked():
        assert find_run(run).is_driven()
        assert write_report(run).live
    assert not write_report(run).live


def test_it_names_no_path_of_the_machine(run):
    text = write_report(run).file.read_text()
    assert str(run.parent) not in text
    assert "/home/somebody" not in text
    assert 'symloss.load("run")' in text.replace("&#34;", '"')


@pytest.mark.parametrize(("given", "words"), [("no/such/a.html", "is no directory"), ("", "is no regular file")])
def test_where_it_cannot_be_written(run, tmp_path, given, words):
    with pytest.raises(RunError, match=words):
        write_report(run, tmp_path / given)


def test_a_directory_that_may_not_be_written(run, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("symloss.language.files.os.fsync", refuse)
    with pytest.raises(RunError, match=r"cannot be written.*Give another file with -o"):
        write_report(run)


def test_no_run_is_said(tmp_path):
    with pytest.raises(RunError, match="is no run directory"):
        write_report(tmp_path)


def test_a_store_that_is_no_store(run):
    find_run(run).store.write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(RunError, match=r"run\.sqlite"):
        write_report(run)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("finals", {"sentence": "x"}, "the fact 'finals'"),
        ("finals", {**finals("p*t"), "rows": [{"name": 3, "reason": "x"}]}, "the fact 'finals'"),
        ("finals", [1], "the fact 'finals'"),
        ("sessions", "x", "the fact 'sessions'"),
    ],
)
def test_damaged_facts_are_said(run, name, value, words):
    set_fact(run, name, value)
    with pytest.raises(RunError, match=words):
        write_report(run)


def test_missing_files_of_the_run_are_told_and_stop_nothing(run):
    find_run(run).experiment.unlink()
    find_run(run).grammar.write_bytes(b"\xff\xfe")
    assert "cannot be read" in write_report(run).file.read_text()


def test_an_old_report_is_replaced_whole(run):
    (run / "report.html").write_text("old")
    write_report(run)
    assert not list(run.glob(".report*"))
    assert (run / "report.html").read_text() != "old"
