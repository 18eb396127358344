"""Trackers: one tracker run per search, gone on with by a resume, told everything once; a failure ends nothing."""

import csv
import importlib.util
import shutil
from io import StringIO
from pathlib import Path

import pytest

import symloss
from symloss.adapters import tracking
from symloss.adapters.extras import MissingLibraryError
from symloss.adapters.tracking import TRACKERS, Entry, Tracker, read_notes, track
from symloss.cli import main
from symloss.cli.options import TRACKERS as NAMES
from symloss.errors import ExperimentError
from symloss.language.candidate import State
from symloss.language.lossfile import read_loss
from symloss.running.config import load_experiment
from symloss.running.observer import Audience, Observer, Progress, Silent
from symloss.telling.summary import summarise_run
from tests.test_cli_run import CHANGES, SMALL

needs_mlflow = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("mlflow", "sqlalchemy", "alembic")),
    reason="MLflow is not installed: pip install 'symloss[mlflow]'",
)
needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None,
    reason="TensorBoard is not installed: pip install 'symloss[tensorboard]'",
)


class Notebook:
    """A logbook that keeps everything in lists, and fails where it is told to."""

    def __init__(self, failing: str = "") -> None:
        self.failing, self.said = failing, []

    def _keep(self, name, *facts):
        if name == self.failing:
            raise ConnectionError(f"{name} does not answer")
        self.said.append((name, *facts))

    def open(self, run, experiment, key):
        self._keep("open", key)
        return key or "first"

    def log_parameters(self, parameters):
        self._keep("parameters", parameters)

    def log_metrics(self, metrics, step):
        self._keep("metrics", step, metrics)

    def log_text(self, name, text):
        self._keep("text", name, text)

    def log_file(self, path):
        self._keep("file", path.name)

    def log_verdict(self, sentence):
        self._keep("verdict", sentence)

    def close(self, ended):
        self._keep("close", ended)

    def told(self, name):
        return [facts for kind, *facts in self.said if kind == name]


@pytest.fixture
def book(monkeypatch):
    made = Notebook()
    monkeypatch.setitem(TRACKERS, "book", Tracker("a notebook", "nowhere:at_all"))
    monkeypatch.setattr(Tracker, "logbook", lambda tracker: made)
    return made


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search and its resume, both kept in one notebook; with what it had been told in between."""
    path, made = tmp_path_factory.mktemp("runs") / "run", Notebook()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TRACKERS, "book", Tracker("a notebook", "nowhere:at_all"))
        patch.setattr(Tracker, "logbook", lambda tracker: made)
        with track("book") as observer:
            result = symloss.search("noisy_digits", path, workers=0, overrides=SMALL, observer=observer)
        summary, said = summarise_run(path), len(made.said)
        with track(run=path) as observer:
            symloss.resume(path, ["stop.generations=3"], workers=0, observer=observer)
    return path, made, said, result, summary


def retell(observer, path):
    """Tell an observer of a run that is through, as the run did."""
    observer.started(path, load_experiment("noisy_digits"), False)
    for generation in (1, 2):
        observer.progressed(Progress(generation=generation))
        observer.batch_done(Progress(generation=generation, evaluated=3 * generation, fitness=0.5))
    observer.search_done(Progress(generation=2), "2 generations are done")
    observer.finals_done("beats cross_entropy")


def copied(path, folder):
    shutil.copytree(path, folder / "copy", ignore=shutil.ignore_patterns(tracking.NOTES))
    return folder / "copy"


def test_a_search_and_its_resume_are_one_run_and_nothing_is_told_twice(searched):
    path, book, *_ = searched
    assert book.told("open") == [[None], ["first"]]
    assert book.told("close") == [["finished"], ["finished"]]
    steps = [step for step, metrics in book.told("metrics") if "generation" in metrics]
    generations = [metrics["generation"] for _, metrics in book.told("metrics") if "generation" in metrics]
    assert generations == [1, 2, 3]
    assert steps == sorted(steps)
    assert read_notes(path) == {"book": Entry("first", 3)}


def test_everything_is_told(searched):
    _, whole, said, result, summary = searched
    book = Notebook()
    book.said = whole.said[:said]
    ((parameters,),) = book.told("parameters")
    assert parameters["budget.steps"] == "8"
    assert parameters["task.name"] == "digits"
    assert parameters["finals.baselines"] == "cross_entropy, gce"
    _, (step, metrics), (last, final) = book.told("metrics")
    assert step == last == metrics["trained"] == summary["evaluated"]
    assert metrics["rejected"] == summary["counts"]["rejected"]
    assert {state.value for state in State} | {"best_fitness", "candidates", "seconds"} <= set(metrics)
    winner = next(row for row in summary["finals"]["rows"] if row["formula"] == result.winner.text and row["test"])
    assert final["final.test_accuracy"] == winner["test"]["accuracy"][0]
    assert "final.accuracy_advantage_over_gce" in final
    assert [name for (name,) in book.told("file")] == ["experiment.toml", "grammar.toml", "winner.loss.json"]
    texts = dict(book.told("text"))
    rows = list(csv.DictReader(StringIO(texts["front.csv"])))
    assert [row["formula"] for row in rows] == [row["formula"] for row in summary["front"]]
    assert texts["ended.txt"] == "2 generations are done"
    assert book.told("verdict") == [[result.finals.sentence]]


@pytest.mark.parametrize("failing", ["open", "parameters", "metrics", "text", "verdict", "close"])
def test_a_failing_tracker_is_left_out_and_the_others_go_on(failing, book, searched, tmp_path):
    book.failing, said, told = failing, [], []

    class Other(Silent):
        def finals_done(self, sentence):
            told.append(sentence)

    with track("book", beside=Other(), warn=said.append) as observer:
        retell(observer, copied(searched[0], tmp_path))
    assert told == ["beats cross_entropy"]
    assert said == [
        f"the tracker book failed and is left out from here on, the run goes on: ConnectionError: {failing} does not "
        "answer"
    ]


def test_a_report_is_kept_when_there_is_one(book, searched, tmp_path):
    path = copied(searched[0], tmp_path)
    (path / "report.html").write_text("<p>")
    with track("book") as observer:
        retell(observer, path)
    assert ["report.html"] in book.told("file")


def test_by_default_the_failure_is_a_warning(book, tmp_path):
    book.failing = "open"
    with pytest.warns(UserWarning, match="tracker book failed"), track("book") as observer:
        observer.started(tmp_path, load_experiment("noisy_digits"), False)


@pytest.mark.parametrize(("error", "ended"), [(KeyboardInterrupt, "interrupted"), (OSError, "failed")])
def test_how_a_run_ended_is_told(error, ended, book, tmp_path):
    def broken():
        with track("book") as observer:
            observer.started(tmp_path, load_experiment("noisy_digits"), False)
            raise error

    with pytest.raises(error):
        broken()
    assert book.told("close") == [[ended]]


def test_paths_of_this_machine_are_no_parameters(tmp_path):
    (tmp_path / "mine.toml").write_text('grammar = "g.toml"\n[task]\nfactory = "t.py:task"\n[stop]\ngenerations = 1\n')
    kept = tracking.parameters(load_experiment(tmp_path / "mine.toml"))
    assert kept["grammar"] == "g.toml"
    assert not any(str(tmp_path) in value for value in kept.values())


@pytest.mark.parametrize("text", ["", "[]", "{", '{"mlflow": 1}', '{"mlflow": {"key": "a"}}', "9" * 70000])
def test_notes_that_cannot_be_read_count_for_nothing(text, tmp_path):
    (tmp_path / tracking.NOTES).write_text(text)
    assert read_notes(tmp_path) == {}


def test_unknown_and_missing_trackers_are_said(tmp_path, monkeypatch):
    with pytest.raises(ExperimentError, match="unknown tracker 'mlfow'"), track("mlfow"):
        pass
    monkeypatch.setitem(TRACKERS, "mlflow", Tracker("x", "tests.no_such_library:Logbook"))

    def missing(tracker):
        raise MissingLibraryError("the tracker mlflow needs a library. Install it with: pip install 'symloss[mlflow]'")

    monkeypatch.setattr(Tracker, "logbook", missing)
    with pytest.raises(MissingLibraryError, match=r"symloss\[mlflow\]"), track("mlflow"):
        pass
    (tmp_path / tracking.NOTES).write_text('{"mlflow": {"key": "a", "generation": 1}}')
    said = []
    with track(run=tmp_path, warn=said.append):
        pass
    assert "does not go on there" in said[0]


def test_all_observers_are_told():
    told = []

    class Other(Silent):
        def finals_done(self, sentence):
            told.append(sentence)

    both: Observer = Audience(Other(), Other())
    both.progressed(Progress())
    both.trial_done(1, 2)
    both.verdict_done(1, 2)
    both.finals_done("beats mse")
    assert told == ["beats mse"] * 2


def test_the_command_line_knows_the_trackers():
    assert set(NAMES) == set(TRACKERS)
    assert all(tracker.about for tracker in TRACKERS.values())


def called(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return ended.value.code


@needs_mlflow
@needs_tensorboard
@pytest.mark.filterwarnings("ignore")
def test_mlflow_and_tensorboard_from_the_command_line(tmp_path, monkeypatch, capsys):
    from mlflow import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    options = ("--workers", 0, "--quiet")
    tracked = ("--track", "mlflow", "--track", "tensorboard")
    assert called("search", "noisy_digits", "--out", "runs/one", *options, *tracked, *CHANGES) == 0
    assert called("resume", "runs/one", *options, "--set", "stop.generations=3") == 0
    assert "tracker" not in capsys.readouterr().err

    client = MlflowClient()
    experiment = client.get_experiment_by_name("noisy_digits")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("one", "FINISHED")
    assert run.data.params["stop.generations"] == "2"
    assert run.data.tags["changed.stop.generations"] == "3"
    assert run.data.tags["verdict"] == summarise_run("runs/one")["finals"]["sentence"]
    history = client.get_metric_history(run.info.run_id, "generation")
    assert [metric.value for metric in history] == [1, 2, 3]
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "trained")] == [
        metric.value for metric in client.get_metric_history(run.info.run_id, "trained")
    ]
    assert 0 < run.data.metrics["best_fitness"] < 1
    names = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"winner.loss.json", "front.csv", "experiment.toml", "grammar.toml", "ended.txt"} <= names
    winner = read_loss(client.download_artifacts(run.info.run_id, "winner.loss.json", str(tmp_path)))
    assert winner.formula == read_loss("runs/one/winner.loss.json").formula

    events = EventAccumulator("runs/one/tensorboard").Reload()
    assert [event.value for event in events.Scalars("search/generation")] == [1, 2, 3]
    assert "finals/final.test_accuracy" in events.Tags()["scalars"]
    texts = {name: events.Tensors(name)[-1].tensor_proto.string_val[0].decode() for name in events.Tags()["tensors"]}
    assert "| budget.steps | 8 |" in texts["experiment/text_summary"]
    assert summarise_run("runs/one")["finals"]["sentence"] in texts["verdict/text_summary"]
    assert "formula" in texts["front.csv/text_summary"]


@needs_mlflow
@pytest.mark.filterwarnings("ignore")
def test_a_tracking_server_that_does_not_answer_ends_no_run(searched, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody listens at the discard port
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = []
    with track("mlflow", warn=said.append) as observer:
        retell(observer, copied(searched[0], tmp_path))
    assert len(said) == 1
    assert said[0].startswith("the tracker mlflow failed and is left out from here on, the run goes on: ")


@needs_mlflow
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_the_server_does_not_know_begins_anew(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    from symloss.adapters.mlflow import MlflowLogbook

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    book = MlflowLogbook()
    key = book.open(Path("runs/one"), load_experiment("noisy_digits"), "0" * 32)
    book.close("interrupted")
    run = MlflowClient().get_run(key)
    assert run.info.status == "KILLED"
    assert MlflowClient().get_experiment(run.info.experiment_id).name == "mine"
