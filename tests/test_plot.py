"""Pictures: which formulas are drawn, and that every slot's curves end up in a file."""

import builtins

import pytest

from symloss.errors import ExperimentError, FormulaError, RunError
from symloss.telling.plot import draw, drawn_targets
from symloss.telling.target import find_target


def names(targets):
    return [target.name for target in targets]


def test_the_reference_is_drawn_beside():
    assert names(drawn_targets(find_target("baikal"))) == ["baikal", "cross_entropy"]
    assert names(drawn_targets(find_target("huber"))) == ["huber", "mse"]


def test_a_formula_is_drawn_once():
    assert names(drawn_targets(find_target("cross_entropy"), [find_target("-t*log(p)")])) == ["cross_entropy"]


def test_slots_are_not_mixed():
    with pytest.raises(FormulaError, match="draw them apart"):
        drawn_targets(find_target("baikal"), [find_target("mse")])


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("name", ["ngl", "l1", "relu", "t*sqrt(p - 0.5) - log(p)", "-p"])
def test_every_slot_can_be_drawn(name, suffix, tmp_path):
    path = tmp_path / f"picture{suffix}"
    draw(drawn_targets(find_target(name)), path, classes=5)
    assert path.stat().st_size > 1000


def test_where_it_cannot_be_written(tmp_path):
    with pytest.raises(RunError, match="cannot be written"):
        draw([find_target("gce")], tmp_path / "no" / "a.png", classes=10)


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **others):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExperimentError, match=r"symloss\[plot\]"):
        draw([find_target("gce")], tmp_path / "a.png", classes=10)
