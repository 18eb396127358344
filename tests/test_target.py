"""What a person may name: published losses, files, runs and formulas, and what is said when it is none of these."""

import re

import pytest

from symloss.errors import FormulaError, RunError
from symloss.language.formula import parse
from symloss.language.lossfile import write_loss
from symloss.telling.target import find_target, is_run


def test_a_zoo_name_brings_its_source():
    target = find_target("baikal")
    assert (target.kind, target.name) == ("zoo", "baikal")
    assert "1905.11528" in target.source


@pytest.mark.parametrize(
    ("text", "slot"),
    [("-t*log(p)", "classification"), ("(f - y)**2", "regression"), ("r", "regression"), ("x*tanh(x)", "activation")],
)
def test_the_variables_tell_the_slot(text, slot):
    assert find_target(text).formula == parse(text, slot)


def test_a_given_slot_overrides():
    with pytest.raises(FormulaError, match="'p' is not a variable here"):
        find_target("p**2", slot="regression")


def test_an_unknown_slot_is_named():
    with pytest.raises(FormulaError, match="Did you mean 'regression'"):
        find_target("r**2", slot="regresion")


def test_a_loss_file_brings_its_evidence(tmp_path):
    path = tmp_path / "mine.loss.json"
    write_loss(path, parse("-t*log(p)"), {"sentence": "beats nothing"})
    target = find_target(str(path))
    assert (target.kind, target.name, target.formula.text) == ("file", "mine", "-t*log(p)")
    assert target.evidence == {"sentence": "beats nothing"}


def test_a_misspelt_name_is_told_its_neighbour():
    with pytest.raises(FormulaError, match="Did you mean 'focal'"):
        find_target("focla")


@pytest.mark.parametrize("text", ["runs/nowhere", "./x", "mine.loss.json"])
def test_a_missing_path_is_told_as_one(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=re.escape(text)):
        find_target(text)


def test_a_directory_that_is_no_run(tmp_path):
    assert is_run(str(tmp_path))
    with pytest.raises(RunError, match="no run"):
        find_target(str(tmp_path))


@pytest.mark.parametrize("text", ["t/p", "log(p)/2", "1/p"])
def test_a_division_is_no_path(text):
    assert find_target(text).kind == "formula"


def test_a_division_by_zero_is_told_as_one():
    with pytest.raises(FormulaError, match="undefined everywhere"):
        find_target("p/0")


@pytest.mark.parametrize("text", ["-t*log(", "p**p", "t" * 5000, "p\0", ""])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(FormulaError):
        find_target(text)


@pytest.mark.parametrize("length", [100, 300])
def test_a_long_formula_is_no_path(length):
    text = "-t*log(p)" + " + 0*t" * (length // 6)
    assert not is_run(text)
    assert find_target(text).formula == parse("-t*log(p)")


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_target_is_told_as_one(text):
    assert not is_run(text)
    with pytest.raises(FormulaError, match="the target is empty"):
        find_target(text)


def test_a_device_is_no_missing_path():
    with pytest.raises(RunError, match="no regular file"):
        find_target("/dev/zero")


def test_a_wrong_slot_of_a_name_or_a_file_is_refused(tmp_path):
    path = tmp_path / "mine.loss.json"
    write_loss(path, parse("-t*log(p)"))
    for text in ("baikal", str(path)):
        assert find_target(text, "classification").formula.slot == "classification"
        with pytest.raises(FormulaError, match="of the slot classification, not regression"):
            find_target(text, "regression")
        with pytest.raises(FormulaError, match="Did you mean 'regression'"):
            find_target(text, "regresion")
