"""The command line on a run: one small search in this process, then everything that reads it."""

import itertools
import json
import shutil
from pathlib import Path

import pytest

import symloss
from symloss.language.candidate import Outcome, State
from symloss.running.run import search
from symloss.running.storage.rundir import find_run
from symloss.running.storage.store import RunStore
from symloss.telling.ranking import rank_run
from symloss.telling.show import cell, table, with_spread
from symloss.telling.summary import _finals_row, finals_tables, run_text, summarise_run
from symloss.telling.target import find_target

SMALL = [
    *("search.population=12", "search.elites=2", "budget.steps=8", "budget.rungs=[]", "budget.seeds=1"),
    *("stop.generations=2", "finals.seeds=2", "finals.steps=8", "finals.top=2", "finals.resamples=100"),
    *("finals.learning_rates=[0.01]", 'finals.baselines=["cross_entropy", "gce"]'),
]
CHANGES = [part for change in SMALL for part in ("--set", change)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small"
    search("noisy_digits", path, workers=0, overrides=SMALL)
    return path


@pytest.fixture
def untried(finished, tmp_path) -> Path:
    """A copy of the run in which the finals have not been held."""
    path = tmp_path / "untried"
    shutil.copytree(finished, path)
    find_run(path).winner.unlink()
    with RunStore.open(find_run(path).store) as store:
        store.write_meta({"finals": None})
    return path


def test_search_answers_with_the_run_and_nothing_else(call, tmp_path):
    path = tmp_path / "run"
    status, out, err = call("search", "noisy_digits", "--out", path, "--workers", 0, "--json", "--quiet", *CHANGES)
    assert (status, err) == (0, "")
    assert json.loads(out)["run"] == str(path)
    answered, shown = json.loads(out), json.loads(call("show", path, "--json", "--quick")[1])
    told, all_of_it = (document["winner"].pop("traits") for document in (answered, shown))
    assert answered == shown
    assert told.keys() <= all_of_it.keys()


def test_a_search_keeps_its_report(call, tmp_path):
    path = tmp_path / "run"
    out = call("search", "noisy_digits", "--out", path, "--workers", 0, "--quiet", *CHANGES)[1]
    assert f"report      {path / 'report.html'}" in out
    text = (path / "report.html").read_text()
    assert 'data-live="no"' in text
    assert summarise_run(path)["finals"]["sentence"].split(";")[0].split("(")[0] in text


def test_a_search_without_a_report(call, tmp_path):
    path = tmp_path / "run"
    status, _, _ = call("search", "noisy_digits", "--out", path, "--workers", 0, "--quiet", "--no-report", *CHANGES)
    assert status == 0
    assert not (path / "report.html").exists()


def test_a_run_is_told_drawn_and_written_as_a_table(call, finished, tmp_path):
    status, out, _ = call("report", finished, "-o", tmp_path / "a.html", "--json")
    assert (status, json.loads(out)["candidates"]) == (0, summarise_run(finished)["candidates"])
    for kind in ("curves", "front", "progress", "finals"):
        assert call("plot", finished, "--kind", kind, "-o", tmp_path / f"{kind}.pdf")[0] == 0
    status, out, _ = call("export", finished, "--to", "csv")
    assert (status, out.splitlines()[0].split(",")[:4]) == (0, ["candidate", "batch", "variation", "formula"])
    status, out, _ = call("export", finished, "--to", "csv", "--table", "lineage", "--json")
    assert list(json.loads(out)["columns"]) == ["candidate", "parent", "place", "variation"]
    rows = summarise_run(finished)["candidates"]
    for kind in ("csv", "parquet"):
        path = tmp_path / f"run.{kind}"
        status, out, _ = call("export", finished, "--to", kind, "-o", path)
        assert (status, out.strip()) == (0, f"wrote {path}: {rows} rows")
        assert path.stat().st_size > 500
    assert call("export", finished, "--to", "csv", "-o", tmp_path / "no" / "a.csv")[0] == 2


def test_progress_goes_to_stderr(call, tmp_path):
    status, out, err = call(
        "search", "noisy_digits", "--out", tmp_path / "run", "--workers", 0, "--time", "5m", *CHANGES
    )
    assert status == 0
    assert err.startswith("searching noisy_digits in ")
    assert "search ended: 2 generations are done" in err
    assert out.startswith("run ")


def test_search_does_not_write_over_a_run(call, finished):
    status, _, err = call("search", "noisy_digits", "--out", finished, "--workers", 0, *CHANGES)
    assert status == 2
    assert "symloss resume" in err


def test_resume_extends_a_run(call, finished, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(finished, path)
    status, out, _ = call("resume", path, "--workers", 0, "--json", "--quiet", "--set", "stop.generations=3")
    assert status == 0
    assert json.loads(out)["batches"] == 3
    assert json.loads(out)["candidates"] > summarise_run(finished)["candidates"]


def test_resume_refuses_to_change_what_results_depend_on(call, finished):
    status, _, err = call("resume", finished, "--workers", 0, "--set", "budget.steps=9")
    assert status == 2
    assert "[budget]" in err


def test_a_run_is_summarised(call, finished):
    summary = summarise_run(finished)
    assert sum(summary["counts"].values()) == summary["candidates"]
    assert summary["front"]
    assert summary["best"][0]["fitness"] == max(each["fitness"] for each in summary["best"])
    text = call("show", finished)[1]
    for words in (
        "2 generations",
        "Front: accuracy",
        "Finals: 2 fresh seeds",
        "cross_entropy",
        "Winner",
        "p* of the true",
    ):
        assert words in text
    assert summary["finals"]["sentence"] in text


def test_the_front_is_the_search_s_own(finished):
    summary = summarise_run(finished)
    front = [(each["complexity"], each["fitness"]) for each in summary["front"]]
    assert front == sorted(front)
    assert all(earlier[1] < later[1] for earlier, later in itertools.pairwise(front))


def test_ranking_agrees_with_the_hall_of_fame(tmp_path):
    result = search("noisy_digits", tmp_path / "run", workers=0, overrides=SMALL)
    with RunStore.read(find_run(result.directory).store) as store:
        front = rank_run(store).front
    assert [each.formula for each in front] == [entry.formula.text for entry in result.front]
    assert [each.fitness for each in front] == [entry.fitness for entry in result.front]


def test_the_winner_is_loaded(finished):
    winner = summarise_run(finished)["finals"]["winner"]
    assert symloss.load(finished).formula.text == winner
    assert find_target(str(finished)).evidence["verdict"]


def test_without_finals_the_best_of_the_search_is_taken(untried, call):
    best = summarise_run(untried)["best"][0]
    target = find_target(str(untried))
    assert target.formula.text == best["formula"]
    assert "not tried in finals" in target.evidence["note"]
    assert "not tried in finals yet" in call("show", untried)[1]


def test_the_winner_is_exported(finished, call):
    status, out, _ = call("export", finished, "--to", "torch")
    assert status == 0
    assert "class Small(nn.Module)" in out
    assert "cross_entropy" in out.split('"""')[1]


def test_runs_are_listed(finished, untried, call):
    assert "finished" in call("list", "runs", "--in", finished.parent)[1]
    assert "unfinished" in call("list", "runs", "--in", untried.parent)[1]


def test_a_damaged_run_is_listed_with_its_fault(call, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.sqlite").write_text("no database at all, but long enough to be one" * 100)
    status, out, _ = call("list", "runs", "--in", tmp_path, "--json")
    assert status == 0
    assert "run.sqlite" in json.loads(out)[0]["state"]
    assert call("show", tmp_path / "broken")[0] == 2


def test_a_run_without_a_scored_formula_is_told(finished, tmp_path):
    summary = {**summarise_run(finished), "front": [], "best": [], "finals": None, "winner": None, "counts": {}}
    assert "no formula was scored yet" in run_text(summary)


def test_compare_sets_the_first_against_the_others(call):
    arguments = ["compare", "gce", "-t*log(p)", "--task", "digits", "--seeds", 2, "--workers", 0]
    settings = ["--set", "task.noise=0.4", "--set", "steps=8", "--set", "learning_rates=[0.01]"]
    status, out, _ = call(*arguments, *settings, "--json")
    assert status == 0
    document = json.loads(out)
    assert [row["name"] for row in document["rows"]] == ["gce", "-t*log(p)"]
    assert [verdict["baseline"] for verdict in document["verdicts"]] == ["-t*log(p)"]
    assert all(row["test"]["accuracy"] for row in document["rows"])


def test_check_estimates_an_experiment(call):
    status, out, err = call(
        "check", "noisy_digits", "--workers", 2, "--set", "budget.steps=40", "--set", "budget.rungs=[]"
    )
    assert (status, err) == (0, "")
    for words in ("noise = 0.4", "pass the free tests", "s of one worker", "2 workers", "cost of finals"):
        assert words in out


def test_check_goes_on_where_no_early_candidate_passes(monkeypatch, call):
    def refused(self, candidates):
        return [Outcome(each.number, State.REJECTED, "no") for each in candidates]

    monkeypatch.setattr("symloss.judging.screen.Screen.check", refused)
    small = ["--set", "budget.rungs=[]", "--set", "search.population=8", "--set", "search.elites=1"]
    status, out, _ = call("check", "noisy_digits", *small)
    assert status == 0
    assert "0 of 36 candidates pass" in out.replace("\n", " ")
    assert "unknown, because nothing could be trained" in out


def test_finals_fit_a_narrow_screen(finished):
    summary = summarise_run(finished)
    shown = "\n".join(finals_tables(summary["finals"]))
    assert max(map(len, shown.splitlines())) <= 100
    assert "winner (found" in shown
    for metric in ("accuracy", "nll", "ece"):
        assert shown.count(f" {metric} ") >= 2
    assert "found 2" not in shown or "found 1" not in shown


def test_a_long_formula_pushes_nothing_off_the_screen():
    rows = [{"complexity": 200, "fitness": 0.91234, "formula": "t*log(p) + " * 60}]
    lines = table(rows, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("200" in line and "0.9123" in line and "t*log(p)" in line for line in lines)
    assert "…" in lines[-1]


def test_a_mean_has_the_digits_of_its_deviation():
    assert with_spread(0.912345, 0.00421) == "0.9123 ± 0.0042"
    assert with_spread(12.3456, 1.5) == "12.3 ± 1.5"
    assert with_spread(0.5, 0.0) == "0.5 ± 0"
    assert with_spread(0.5, None) == "0.5 ± -"
    assert with_spread(None, None) == "- ± -"


def test_a_task_on_which_all_fail_is_explained(call, tmp_path, monkeypatch):
    def crash(*_, **__):
        raise ValueError("the model is broken")

    monkeypatch.setattr("symloss.judging.evaluate.train_cohort", crash)
    status, out, _ = call("search", "noisy_digits", "--out", tmp_path / "run", "--workers", 0, "--quiet", *CHANGES)
    assert status == 1
    assert "why crashed" in out
    assert "the model is broken" in out
    assert out.rstrip().endswith("no candidate was scored")
    assert "Finals:" not in out


def test_a_task_on_which_most_succeed_needs_no_reasons(finished):
    summary = summarise_run(finished)
    assert summary["reasons"]
    assert "why " not in run_text(summary)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_finals_break_no_word_on_a_narrow_screen(finished, width):
    rows = [_finals_row(row) for row in summarise_run(finished)["finals"]["rows"] if row["test"]]
    shown = table(rows, "Finals: 2 fresh seeds, learning rate tuned for each by accuracy on validation", width)
    assert max(map(len, shown.splitlines())) <= width
    for name in rows[0]:
        assert shown.count(f"{name} ") + shown.count(f"{name}\n") >= 1
    for row in rows:
        assert all(cell(value) in shown for value in row.values())


def test_columns_that_do_not_fit_stand_below_with_the_first_again():
    rows = [
        {"name": f"row {number}", **{f"column {each}": "0.1234 ± 0.0042" for each in range(6)}} for number in (1, 2)
    ]
    shown = table(rows, width=60)
    assert shown.count("row 1") == shown.count("name") == 2
    assert [shown.count(f"column {each}") for each in range(6)] == [1] * 6
    assert table(rows, width=200).count("row 1") == 1


def test_a_column_without_a_word_is_drawn():
    assert table([{"": " ", "b": ""}, {"": "", "b": " "}])
