"""Experiments: read, refused, overridden, written back, and changed for a resume."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.errors import ExperimentError
from symloss.running.config import (
    Budget,
    FinalsPlan,
    Stop,
    changed_for_resume,
    experiment_toml,
    list_experiments,
    load_experiment,
    read_experiment,
    resolved,
)
from symloss.settings import read_toml

SMALL = """
seed = 7
grammar = "compact"
[task]
name = "digits"
noise = 0.4
[search]
method = "evolution"
population = 40
[stop]
generations = 5
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_small_file_gets_sensible_defaults(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path, SMALL))
    assert (experiment.name, experiment.seed, experiment.grammar) == ("mine", 7, "compact")
    assert experiment.budget == Budget()
    assert experiment.finals == FinalsPlan()
    assert experiment.stop == Stop(generations=5)
    assert experiment.method == "evolution"
    assert experiment.search_settings == {"population": 40}
    assert experiment.task == {"name": "digits", "noise": 0.4}


def test_overrides_are_toml_values_and_bare_words_are_texts(tmp_path: Path) -> None:
    changes = ["search.population=80", "stop.time=10m", "budget.learning_rates=[0.01]", "grammar=glo", "name = x"]
    experiment = load_experiment(write(tmp_path, SMALL), [*changes, "search.fresh=3"])
    assert experiment.search_settings == {"population": 80, "fresh": 3}
    assert experiment.stop.time == 600.0
    assert experiment.budget.learning_rates == (0.01,)
    assert (experiment.grammar, experiment.name) == ("glo", "x")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("10m", 600.0), ("2h", 7200.0), ("1.5 h", 5400.0), ("45", 45.0), ("1d", 86400)]
)
def test_times_have_units(tmp_path: Path, text: str, seconds: float) -> None:
    value = text if text.isdigit() else f'"{text}"'
    assert load_experiment(write(tmp_path, SMALL), [f"stop.time={value}"]).stop.time == seconds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("stop.generation=3", "mine.toml: [stop] names an unknown key 'generation'. Did you mean 'generations'?"),
        ("budget.steps=0", "mine.toml: [budget] steps is 0; allowed: a whole number of at least 1."),
        ("budget.steps=true", "[budget] steps is True"),
        ("budget.steps=1.5", "[budget] steps is 1.5"),
        ("budget.stack=stackd", "[budget] stack is 'stackd'; allowed: one of auto, stacked, single. Did you mean"),
        ("budget.learning_rates=[]", "learning_rates is []; allowed: a list of different values such as"),
        ("budget.learning_rates=[0.1, 0.1]", "allowed: a list of different values"),
        ("budget.learning_rates=[0.1, -1]", "[budget] learning_rates is [0.1, -1]"),
        ("budget.learning_rates=[inf]", "[budget] learning_rates is [inf]"),
        ("budget.learning_rates=[0]", "such as [0.001, 0.01], each positive and finite."),
        ("budget.rate_factor=2", "[budget] rate_factor is 2, and there are no rungs at which learning rates could be"),
        ("budget.rungs=[100, 400]", "[budget] rungs is [100, 400]; each must lie below steps = 300."),
        ("stop.time=10q", "[stop] time is '10q'; allowed: seconds, or a time such as 90s, 10m or 2h."),
        ("stop.time=0s", "[stop] time is '0s'"),
        ("stop.target=nan", "[stop] target is nan; allowed: a finite number."),
        ("finals.seeds=1", "[finals] seeds is 1; allowed: a whole number of at least 2."),
        ("seed=-1", "seed is -1"),
        ("seed=2024-01-01", "seed is datetime.date"),
        ("name=../up", "name is '../up'"),
        ("budgte.steps=3", "names an unknown section 'budgte'. Did you mean 'budget'?"),
        ("sead=3", "names an unknown key 'sead'. Did you mean 'seed'?"),
        ("seed.x=3", "takes seed for a section, but it is a value"),
        ("stop=3", "stop is 3; it must be a section, [stop]"),
        ("search.method=3", "method is 3; it must be a search's name"),
        ("novalue", "the change 'novalue' cannot be read; write section.key=value."),
        ("=3", "cannot be read"),
        ("a..b=3", "cannot be read"),
        ("seed=1\nname='x'", "the value of 'seed=1\nname='x'' cannot be read"),
        ("seed=[1", "cannot be read; write it as TOML"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(write(tmp_path, SMALL), [change])
    assert said in str(caught.value)


def test_a_search_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"\[stop\] is empty.*generations, evaluations, time, target"):
        load_experiment(write(tmp_path, SMALL.replace("generations = 5", "")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = ", "is not valid TOML"),
        ("[" * 5000, "is not valid TOML"),
        ("seed = 1\nseed = 2", "is not valid TOML"),
        ("[stop]\ngenerations = 1", "lacks [task]"),
        ("seed = {a = 1}\n[task]\nname='digits'\n[stop]\ngenerations = 1", "[seed] is a section; it must be a value"),
    ],
)
def test_files_that_are_no_experiment(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(write(tmp_path, text))
    assert said in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExperimentError, match="cannot be read as an experiment"):
        load_experiment(tmp_path / "mine.toml")


def test_missing_files_and_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="there is no experiment file"):
        load_experiment(tmp_path / "none.toml")
    with pytest.raises(ExperimentError, match="unknown experiment 'no_such_thing'"):
        load_experiment("no_such_thing")


def test_built_in_experiments_load_by_name() -> None:
    for name in list_experiments():
        assert load_experiment(name).name


def test_a_built_in_is_found_by_name_below_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    write(tmp_path / "own", SMALL, "small.toml")
    monkeypatch.setattr("symloss.running.config._folders", lambda: [tmp_path])
    assert list_experiments() == ["small"]
    assert load_experiment("small").name == "small"
    with pytest.raises(ExperimentError, match="Did you mean 'small'"):
        load_experiment("smal")


def test_relative_paths_start_at_the_experiments_folder(tmp_path: Path) -> None:
    text = SMALL.replace('name = "digits"\nnoise = 0.4', 'factory = "my_task.py:task"').replace("compact", "own.toml")
    experiment = load_experiment(write(tmp_path, text))
    assert experiment.task == {"factory": "my_task.py:task", "folder": str(tmp_path.resolve())}
    assert experiment.grammar == str(tmp_path.resolve() / "own.toml")


def test_what_is_left_to_the_task_is_filled_in(tmp_path: Path) -> None:
    experiment = resolved(load_experiment(write(tmp_path, SMALL)), [0.001, 0.01])
    assert experiment.budget.learning_rates == (0.001, 0.01)
    assert experiment.finals.learning_rates == (0.000333, 0.001, 0.01, 0.03)
    assert experiment.finals.steps == experiment.budget.steps
    assert resolved(experiment, [5.0]) == experiment


@given(
    steps=st.integers(1, 10**9),
    rates=st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=5, unique=True),
    time=st.none() | st.floats(1e-3, 1e9),
    target=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    baselines=st.none() | st.just(["focal", "sce"]),
)
def test_a_resolved_experiment_reads_back_as_itself(
    steps: int, rates: list[float], time: float | None, target: float | None, baselines: list[str] | None
) -> None:
    stop = {"generations": 2, "time": time, "target": target}
    table = {
        "name": "mine",
        "task": {"factory": "a.py:b", "depth": {"x": [1, 2]}},
        "search": {"method": "evolution", "mutations": {"regrow": 0.5}},
        "budget": {"steps": steps, "learning_rates": rates},
        "stop": {key: value for key, value in stop.items() if value is not None},
        "finals": {} if baselines is None else {"baselines": baselines},
    }
    experiment = read_experiment(table, "mine", Path("/somewhere"))
    text = experiment_toml(experiment)
    assert read_experiment(read_toml(text, "again"), "again", Path("/elsewhere")) == experiment


def test_a_resume_may_change_stop_and_finals_only(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path, SMALL))
    place = str(tmp_path / "experiment.toml")
    changed = changed_for_resume(experiment, ["stop.generations=9", "finals.seeds=4"], place)
    assert (changed.stop.generations, changed.finals.seeds) == (9, 4)
    assert changed_for_resume(experiment, [], place) == experiment
    for change, section in [("budget.steps=9", "budget"), ("seed=8", "seed"), ("task.noise=0.1", "task")]:
        with pytest.raises(ExperimentError, match=rf"\[{section}\] differs from the run's own"):
            changed_for_resume(experiment, [change], place)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("search.method=evolve", "mine.toml: [search] method names an unknown search 'evolve'. Did you mean"),
        ("search.popultion=3", "mine.toml: [search] names an unknown key 'popultion'. Did you mean 'population'"),
        ("search.method=random", "mine.toml: [search] has population, which is a setting of 'evolution', 'aging'"),
        ("search.method=random", """with its section: --set 'search={method="random"}'."""),
        ("search.elites=40", "mine.toml: [search] elites is 40; allowed: fewer than population = 40"),
        ("search.mutations.wrp=0.1", "mine.toml: [search.mutations] names an unknown key 'wrp'"),
    ],
)
def test_complaints_about_a_search_name_the_file(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(ExperimentError, match=re.escape(said)):
        load_experiment(write(tmp_path, SMALL), [change])
