"""Plug-ins: a real package on the path is found by its metadata, loaded when it is named, and refused in words."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import symloss
from symloss import plugins
from symloss.errors import ExperimentError, PluginError, RunError
from symloss.judging.tasks import TASKS, make_task
from symloss.language.formula import parse
from symloss.language.grammar import read_grammar
from symloss.language.lossfile import read_loss, write_loss
from symloss.language.operators import OPERATORS
from symloss.language.zoo import zoo
from symloss.running.run import search
from symloss.searching.searches import read_settings
from symloss.telling.listing import LISTINGS
from tests.packages import ENTRIES, GRAMMAR, installed, write_package

TABLE = {
    "name": "arcs",
    "seed": 3,
    "task": {"name": "blobs", "spread": 0.5},
    "search": {"method": "lottery"},
    "budget": {"steps": 5, "seeds": 1, "learning_rates": [0.01], "stack": "single", "cohort": 4},
    "stop": {"generations": 1},
    "finals": {"seeds": 2, "top": 1, "resamples": 100, "learning_rates": [0.01], "baselines": ["cross_entropy"]},
}


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    folder = write_package(tmp_path / "site")
    with installed(folder):
        yield folder


def loaded() -> bool:
    return "blobs_pkg" in sys.modules


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_listing_shows_where_all_comes_from_and_imports_nothing(package: Path, kind: str) -> None:
    rows = {row["name"]: row for row in LISTINGS[kind](Path("runs"))}
    (name,) = ENTRIES[kind]
    assert rows[name]["origin"] == "blobs-pkg 1.2"
    assert rows[name]["about"] == "loaded when it is named"
    assert {row["origin"] for other, row in rows.items() if other != name} == {"built in"}
    assert not loaded()


def test_what_is_built_in_imports_no_package(package: Path) -> None:
    make_task({"name": "digits"})
    parse("-t*log(p)")
    read_settings("random", {})
    assert zoo["baikal"].text == "t/p - log(p)"
    assert not loaded()


def test_a_task_is_made_when_it_is_named(package: Path) -> None:
    task = make_task({"name": "blobs", "spread": 0.5})
    assert (task.name, task.slot, task.width) == ("blobs", "classification", 2)
    row = next(row for row in LISTINGS["tasks"](Path()) if row["name"] == "blobs")
    assert (row["origin"], row["about"], row["options"]) == ("blobs-pkg 1.2", "Two clouds of points.", ["spread"])
    with pytest.raises(ExperimentError, match=r"blobs names an unknown option 'spraed'. Did you mean 'spread'"):
        make_task({"name": "blobs", "spraed": 0.5})
    with pytest.raises(ExperimentError, match=r"blobs of the package blobs-pkg 1.2 raised TypeError"):
        make_task({"name": "blobs", "spread": "wide"})


def test_an_operator_is_everything_that_a_built_in_one_is(package: Path) -> None:
    import torch

    formula = parse("t*arctan(p) + arctan(p)*2")
    assert parse(formula.text) == formula
    assert "arctan" in formula.text
    loss = symloss.SymbolicLoss(formula)
    assert loss(torch.zeros(2, 4), torch.tensor([0, 1])).isfinite()
    assert read_grammar(GRAMMAR, "x").operators["arctan"] == 2


def test_a_slot_brings_its_formulas(package: Path) -> None:
    formula = parse("x*tanh(x)", "squash")
    assert formula.slot == "squash"
    assert zoo["arcsquash"].slot == "squash"
    from symloss.telling.show import describe_formula
    from symloss.telling.target import find_target

    assert describe_formula(find_target("x*tanh(x)", "squash"))["slot"] == "squash"


def test_a_search_runs_with_all_of_it(package: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    (tmp_path / "arcs.toml").write_text(GRAMMAR)
    result = search(TABLE | {"grammar": str(tmp_path / "arcs.toml")}, tmp_path / "run", workers=0)
    assert result.finals is not None
    file = tmp_path / "run" / "winner.loss.json"
    status, _, err = call("verify", file, "--workers", 0, "--quiet")
    assert (status, err) == (0, "")  # the search named the task in this process


def test_workers_load_what_is_named(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "site")
    (tmp_path / "arcs.toml").write_text(GRAMMAR)
    import tomli_w

    (tmp_path / "x.toml").write_text(tomli_w.dumps(TABLE | {"grammar": "arcs.toml"}))
    command = [
        sys.executable,
        "-m",
        "symloss",
        "search",
        "x.toml",
        "--out",
        "run",
        "--workers",
        "1",
        "--json",
        "--quiet",
    ]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["counts"]["scored"] > 0
    assert summary["finals"]["seeds"] == 2
    verify = [sys.executable, "-m", "symloss", "verify", "run/winner.loss.json", "--workers", "0", "--quiet"]
    refused = subprocess.run(verify, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert refused.returncode == 2
    assert "no file loads a package unasked" in refused.stderr
    named = [*verify[:3], "--use", "arctan", *verify[3:], "--task", "blobs"]
    done = subprocess.run(named, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "holds: every number came out to the last bit" in done.stdout


def test_a_strangers_file_loads_no_package(package: Path, tmp_path: Path) -> None:
    parse("t*arctan(p)")
    write_loss(tmp_path / "x.loss.json", parse("t*arctan(p)"))
    with installed():
        del OPERATORS["arctan"], plugins._ADOPTED["operators", "arctan"]
        with pytest.raises(RunError) as caught:
            read_loss(tmp_path / "x.loss.json")
        assert "x.loss.json holds a formula that cannot be read: it uses the operator 'arctan' of the package" in str(
            caught.value
        )
        assert "symloss.use('arctan')" in str(caught.value)
        assert "arctan" not in OPERATORS
        symloss.use("arctan")
        assert read_loss(tmp_path / "x.loss.json").formula.text == "t*arctan(p)"


def test_using_what_nobody_offers_is_refused(package: Path) -> None:
    with pytest.raises(PluginError, match=r"--use names an unknown plug-in 'blbs'. Did you mean 'blobs'"):
        symloss.use("blbs")


def test_a_name_that_is_built_in_is_refused(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "site", {"tasks": {"digits": "blobs_pkg:blobs"}})
    with installed(folder):
        with pytest.raises(
            PluginError, match=r"the task 'digits' of the package blobs-pkg 1.2 has a name that is built"
        ):
            make_task({"name": "digits"})
        row = next(row for row in LISTINGS["tasks"](Path()) if row["origin"] == "blobs-pkg 1.2")
        assert row["about"].startswith("refused: ")
        assert TASKS["digits"].package == ""
    assert make_task({"name": "digits"}).name == "digits"


def test_two_packages_with_one_name_are_refused(tmp_path: Path) -> None:
    one = write_package(tmp_path / "one", {"tasks": {"blobs": "blobs_pkg:blobs"}})
    two = write_package(tmp_path / "two", {"tasks": {"blobs": "other_pkg:blobs"}}, name="other-pkg")
    with installed(one, two), pytest.raises(PluginError, match=r"both offer the task 'blobs'; uninstall one"):
        make_task({"name": "blobs"})


BROKEN = {
    "raise RuntimeError('out of\\norder')": "cannot be loaded: RuntimeError: out of order",
    "import no_such_module_at_all": "cannot be loaded: ModuleNotFoundError",
    "raise SystemExit(3)": "cannot be loaded: SystemExit: 3",
    "other = 1": "cannot be loaded: AttributeError",
    "thing = 7": "thing is a int; it must be a symloss Operator",
    "from symloss.language.operators import OPERATORS\nthing = OPERATORS['log']": "its record calls itself 'log'",
    "from symloss.language.operators import Operator\nthing = Operator('thing', 5, *[None]*5)": "arity 5 is not 1 or 2",
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_package_is_one_clear_error(
    source: str, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    folder = write_package(tmp_path / "site", {"operators": {"thing": "broken_pkg:thing"}}, "broken-pkg", source=source)
    with installed(folder):
        status, out, err = call("show", "t*thing(p)")
        assert (status, out) == (2, "")
        assert "the operator 'thing' of the package broken-pkg 1.2 can" in err
        assert BROKEN[source] in err
        assert err.count("\n") == 1
        assert "thing" not in OPERATORS
