"""Figures of a run: each in every format, with text that stays text, and plain words where there is nothing to draw."""

import pytest

from symloss.errors import ExperimentError, RunError
from symloss.telling.figures import RUN_FIGURES, draw_run
from tests.runs import EVIL, finals, formula_of, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "run", 60, finals=finals(formula_of(59)))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("kind", RUN_FIGURES)
def test_every_figure_is_drawn(run, kind, suffix, tmp_path):
    path = tmp_path / f"figure{suffix}"
    assert draw_run(run, kind, path) == 60
    assert path.stat().st_size > 4000


def test_texts_stay_texts(run, tmp_path):
    draw_run(run, "front", tmp_path / "front.svg")
    text = (tmp_path / "front.svg").read_text()
    assert "complexity (nodes)" in text
    assert "-t*log(p)" in text
    draw_run(run, "finals", tmp_path / "finals.pdf")
    assert b"/Type3" not in (tmp_path / "finals.pdf").read_bytes()


def test_names_start_no_mathematics(tmp_path):
    path = make_run(
        tmp_path / "run", 60, metric="$\\frac{", finals=finals(formula_of(59), ("$x$", EVIL[9]), "$\\frac{")
    )
    for kind in RUN_FIGURES:
        draw_run(path, kind, tmp_path / f"{kind}.png")


@pytest.mark.parametrize("kind", RUN_FIGURES)
def test_nothing_to_draw_is_said(kind, tmp_path):
    path = make_run(tmp_path / "run", 0)
    with pytest.raises(RunError, match="symloss resume"):
        draw_run(path, kind, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_kind_of_file_that_is_unknown(run, tmp_path):
    with pytest.raises(ExperimentError, match=r"\.png, \.svg, \.pdf"):
        draw_run(run, "front", tmp_path / "a.gif")
