"""The command line on formulas: answers, JSON, and errors that are one clean message with exit status 2."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import click
import pytest

from symloss.cli import COMMANDS, LazyGroup, symloss
from symloss.cli.exporting import KINDS as EXPORT_KINDS
from symloss.cli.exporting import TABLES as TABLE_NAMES
from symloss.cli.listing import KINDS as LIST_KINDS
from symloss.cli.options import Duration
from symloss.cli.plotting import FIGURES
from symloss.language.files import plain
from symloss.language.formula import parse
from symloss.language.lossfile import write_loss
from symloss.running.run import ForcedExit
from symloss.telling.export import EXPORTS, FOLDERS
from symloss.telling.figures import RUN_FIGURES
from symloss.telling.listing import LISTINGS
from symloss.telling.runtable import TABLES


@pytest.fixture
def answer(call):
    def run(*arguments: str):
        status, out, err = call(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return run


def test_help_lists_every_command(call):
    status, out, _ = call("--help")
    assert status == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name, call):
    status, out, _ = call(name, "--help")
    assert status == 0
    assert "--json" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_documented_once(name):
    command = LazyGroup().get_command(click.Context(symloss), name)
    assert command.name == name
    assert command.help


def test_tables_and_choices_agree():
    assert set(EXPORT_KINDS) == {*EXPORTS, *FOLDERS}
    assert set(LIST_KINDS) == set(LISTINGS)
    assert set(FIGURES) == {"curves", *RUN_FIGURES}
    assert set(TABLE_NAMES) == set(TABLES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lst"], "Did you mean 'list'"),
        (["show"], "Missing argument"),
        (["show", ""], "the target is empty"),
        (["show", "baikal", "--slot", "regresion"], "Did you mean 'regression'"),
        (["list", "runs", "--in", "nowhere"], "'nowhere' does not exist"),
        (["check", "noisy_digits", "--set", "finals.baselines=['mse']"], "[finals] baselines names an unknown"),
        (["show", "focla"], "Did you mean 'focal'"),
        (["show", "-t*log(q)"], "'q' is not a variable here"),
        (["show", "p/0"], "undefined everywhere"),
        (["show", "runs/nowhere"], "runs/nowhere does not exist"),
        (["show", "nowhere.loss.json"], "nowhere.loss.json"),
        (["show", "r", "--slot", "regresion"], "Did you mean 'regression'"),
        (["list", "zo"], "'zo' is not one of"),
        (["export", "baikal"], "--to"),
        (["export", "baikal", "--to", "latex", "-o", "no/such/folder/a.tex"], "no/such/folder"),
        (["check", "nowhere.toml"], "nowhere.toml"),
        (["check", "nosy_digits"], "Did you mean 'noisy_digits'"),
        (["search", "nowhere.toml"], "nowhere.toml"),
        (["resume", "nowhere"], "nowhere"),
        (["compare", "gce", "--task", "digts"], "Did you mean 'digits'"),
        (["compare", "gce", "mse", "--task", "digits"], "slot"),
        (["compare", "gce", "--task", "digits", "--set", "stps=3"], "Did you mean 'steps'"),
        (["compare", "gce", "gce", "--task", "digits"], "same formula"),
        (["plot", "gce", "-o", "a.exe"], ".png, .svg, .pdf"),
        (["plot", "gce", "-o", "a.png", "--kind", "front"], "gce is no run directory"),
        (["plot", "gce", "-o", "a.png", "--kind", "finals", "--against", "sce"], "are for --kind curves"),
        (["plot", "gce", "-o", "a.png", "--kind", "fron"], "'front'"),
        (["export", "gce", "--to", "csv"], "gce is no run directory"),
        (["export", "gce", "--to", "parquet"], "give a file with -o"),
        (["report", "nowhere"], "nowhere is no run directory"),
        (["search", "noisy_digits", "--time", "soon"], "'soon' is not a time"),
    ],
)
def test_a_wrong_input_is_one_message_and_status_2(arguments, words, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(*arguments)
    assert status == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_show_tells_what_a_loss_does(call, answer):
    status, out, err = call("show", "baikal")
    assert (status, err) == (0, "")
    for words in ("t/p - log(p)", "0.316", "10 times", "1905.11528"):
        assert words in out
    document = answer("show", "baikal")
    assert document["traits"]["optimum"]["value"] == pytest.approx(0.3162, abs=1e-4)


@pytest.mark.parametrize("arguments", [["-t*log(p)"], ["--", "-t*log(p)"], ["-t*log(p)", "--classes", "3"]])
def test_a_formula_may_start_with_a_minus(arguments, call):
    status, out, _ = call("show", *arguments)
    assert status == 0
    assert "-t*log(p)" in out


def test_a_formula_with_an_option_letter_is_not_taken_apart(call):
    status, out, _ = call("export", "-log(p)*t*2", "--to", "latex")
    assert status == 0
    assert "\\log" in out


def test_the_variables_tell_the_slot_and_an_option_overrides(answer, call):
    assert answer("show", "r**2")["slot"] == "regression"
    assert answer("show", "x*sigmoid(x)")["slot"] == "activation"
    assert call("show", "r**2", "--slot", "classification")[0] == 2


def test_nan_becomes_null(answer):
    assert answer("show", "t + C")["traits"]["optimum"]["value"] is None
    assert plain({"a": float("inf"), "b": (1, float("nan")), "c": Path("x")}) == {"a": None, "b": [1, None], "c": "x"}


@pytest.mark.parametrize("kind", [kind for kind in LIST_KINDS if kind != "runs"])
def test_lists(kind, call, answer):
    rows = answer("list", kind)
    assert rows
    out = call("list", kind)[1]
    assert all(row["name"] in out for row in rows)


def test_no_runs_is_an_answer(answer, call, tmp_path):
    assert answer("list", "runs", "--in", str(tmp_path)) == []
    assert call("list", "runs", "--in", str(tmp_path))[1].strip() == "none"


@pytest.mark.parametrize("kind", EXPORTS)
def test_export_to_a_file_and_to_stdout(kind, call, answer, tmp_path):
    path = tmp_path / "exported"
    assert call("export", "gce", "--to", kind, "-o", str(path))[0] == 0
    assert path.read_text().strip() == call("export", "gce", "--to", kind)[1].strip()
    assert answer("export", "gce", "--to", kind)["text"] == path.read_text()


@pytest.mark.parametrize("kind", FOLDERS)
def test_export_to_a_folder(kind, call, answer, tmp_path):
    folder = tmp_path / "hub" / "gce"
    files = answer("export", "gce", "--to", kind, "-o", str(folder))["files"]
    assert sorted(files) == sorted(str(path) for path in folder.iterdir())
    assert call("export", "gce", "--to", kind, "-o", str(folder))[1].startswith(f"wrote {files[0]}")
    status, _, err = call("export", "gce", "--to", kind)
    assert status == 2
    assert "name their folder with -o" in err


def test_export_replaces_a_file_but_no_link(call, tmp_path):
    path, link = tmp_path / "a.tex", tmp_path / "link.tex"
    path.write_text("old")
    link.symlink_to(path)
    status, _, err = call("export", "gce", "--to", "latex", "-o", str(link))
    assert status == 2
    assert "is a link" in err
    assert path.read_text() == "old"
    assert call("export", "gce", "--to", "latex", "-o", str(path))[0] == 0
    assert "old" not in path.read_text()


def test_check_counts_a_grammar(answer, call):
    document = answer("check", "glo")
    assert document["kind"] == "grammar"
    assert document["trees"]["0"] == 21
    assert "depth 1" in call("check", "glo")[1]


def test_check_names_what_is_wrong_in_a_grammar(call, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('slot = "classification"\n[operators]\nlgo = 1\n')
    status, _, err = call("check", str(path))
    assert status == 2
    assert "mine.toml" in err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("90s", 90.0), ("10m", 600.0), ("2h", 7200.0)]
)
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "10 parsecs", "-5", "m", "0"])
def test_what_is_no_duration(text):
    with pytest.raises(click.BadParameter, match="is not a time"):
        Duration().convert(text, None, None)


def test_a_reader_that_leaves_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "symloss", "list", "zoo"], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


def test_a_strangers_text_steers_no_terminal(call, tmp_path):
    evil = "\x1b[2J\x9b1A\u202e\ud800"
    (tmp_path / "x.toml").write_text(f'grammar = "compact"\n{json.dumps(evil[:3])} = 1\n[task]\nname = "xor"\n')
    code, _, err = call("check", str(tmp_path / "x.toml"))
    assert (code, err.count("\\x1b[2"), err.count("\x1b")) == (2, 1, 0), err
    write_loss(tmp_path / "x.loss.json", parse("-t*log(p)", "classification"), {"verdict": evil})
    for arguments in (["--quick"], ["--quick", "--json"]):
        code, out, err = call("show", str(tmp_path / "x.loss.json"), *arguments)
        assert (code, err, out.count("\x1b"), out.count("ud800")) == (0, "", 0, 1)
    assert json.loads(out)["evidence"]["verdict"] == evil


def test_the_module_is_the_program():
    done = subprocess.run([sys.executable, "-m", "symloss", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("symloss ")


@pytest.mark.parametrize("redirected", ["> /dev/full", ">&-"])
def test_an_output_that_cannot_be_written_is_one_line(redirected):
    command = f"exec {sys.executable} -m symloss show baikal {redirected}"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("symloss: ")
    assert done.stderr.count("\n") == 1


def test_a_strangers_evidence_does_not_steer_the_terminal(call, tmp_path):
    path = tmp_path / "x.loss.json"
    write_loss(
        path, parse("-t*log(p)"), {"no\x1bte": "a\x1b[2J\nb\x9b", "size": 10**4000, "all": [10**20, {"a": "\x07"}]}
    )
    out = call("show", str(path))[1]
    assert all(each.isprintable() for each in out.splitlines())
    assert "a\\x1b[2J\\nb" in out
    assert "about 10^4000" in out
    assert "0" * 40 not in out


def test_a_run_is_not_of_another_slot(call, tmp_path, monkeypatch):
    monkeypatch.setattr("symloss.telling.summary.summary_and_winner", lambda *_: ({"slot": "classification"}, None))
    status, out, err = call("show", str(tmp_path), "--slot", "regression")
    assert (status, out) == (2, "")
    assert "of the slot classification, not regression" in err


def test_a_reader_of_stderr_that_has_gone_changes_no_status(call, monkeypatch, tmp_path):
    class Gone(StringIO):
        def write(self, _):
            raise BrokenPipeError

    def forced(*_):
        raise ForcedExit(130, tmp_path / "run")

    monkeypatch.setattr("symloss.running.run.search", forced)
    monkeypatch.setattr("sys.stderr", Gone())
    assert call("search", "noisy_digits", "--quiet")[0] == 130
    assert call("show", "focla")[0] == 2


def test_a_forced_end_says_how_to_go_on(call, monkeypatch, tmp_path):
    def forced(*_):
        raise ForcedExit(130, tmp_path / "run")

    monkeypatch.setattr("symloss.running.run.search", forced)
    status, _, err = call("search", "noisy_digits", "--quiet")
    assert status == 130
    assert f"go on with: symloss resume {tmp_path / 'run'}" in err
