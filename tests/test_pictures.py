"""The report's still charts: ranges that show what matters, and marks for everything that is known."""

import math

import pytest

from symloss.telling.report.ancestry import family
from symloss.telling.report.material import gather
from symloss.telling.report.pictures import (
    better_part,
    beyond,
    curve_span,
    family_picture,
    front_picture,
    interval_picture,
    progress_picture,
    strip_picture,
)
from symloss.telling.report.sample import improvements, scored_rows
from tests.runs import interval, make_run


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return gather(make_run(tmp_path_factory.mktemp("runs") / "run", 100))


def test_values_far_off_are_left_out_of_the_range_and_others_not():
    near = [0.9 + 0.001 * number for number in range(40)]
    low, high = better_part([*near, 0.1], maximise=True)
    assert 0.8 < low < 0.9
    assert high > max(near)
    assert better_part([*near, 0.885], maximise=True)[0] < 0.885
    low, high = better_part([*near, 9.0], maximise=False)
    assert low < min(near)
    assert high < 1.0
    assert better_part([], maximise=True) == (0.0, 1.0)
    assert better_part([math.nan, 0.5], maximise=True)[0] < 0.5


def test_one_curve_does_not_dwarf_the_others():
    usual, steep = [number / 100 for number in range(101)], [float(number**2) for number in range(101)]
    low, high = curve_span([steep, usual, usual])
    assert -1 < low <= 0
    assert 1 < high < 7
    assert curve_span([steep])[1] > 9000
    assert curve_span([[0.5, 0.5], [math.nan]]) == pytest.approx((0.47, 0.53))
    assert curve_span([]) == (0.0, 1.0)


def test_every_front_formula_and_every_step_has_its_mark(material):
    best, span = improvements(material), (0.0, 1.0)
    assert front_picture(material, material.rows, span).count('class="mark"') == len(material.front)
    progress = progress_picture(material, best, material.rows, span)
    # A cloud holds each scored candidate once, and the line has two corners for each improvement.
    assert progress.count("h0") == len(scored_rows(material))
    assert progress.split('class="best"')[1].split("/>")[0].count("L") == 2 * len(best) - 1


def test_the_family_is_drawn_with_its_links(material):
    known = family({row.number: row for row in material.rows}, 99)
    scored = [row for row in known.members if row.fitness is not None]
    picture = family_picture(known, "accuracy", (0.0, 1.0))
    assert picture.count("<circle") == len(scored)
    assert beyond(known, (0.0, 1.0)) == 0
    narrow = (0.95, 1.0)
    outside = [row for row in scored if row.fitness < 0.95]
    assert beyond(known, narrow) == len(outside) == family_picture(known, "accuracy", narrow).count(" beyond")


@pytest.mark.parametrize(("middle", "half", "circles", "bars"), [(0.1, 0.05, 1, 1), (None, 0.05, 0, 0)])
def test_an_interval_has_a_dot_and_a_bar(middle, half, circles, bars):
    known = interval(middle or 0.0, half) if middle is not None else dict.fromkeys(("difference", "low", "high"))
    picture = interval_picture(known, (-1.0, 1.0), "even")
    assert (picture.count("<circle"), picture.count('class="bar"')) == (circles, bars)


def test_a_strip_has_a_dot_a_seed_and_one_mean():
    picture = strip_picture([0.1, 0.2, math.nan, 0.3], (0.0, 1.0))
    assert (picture.count("<circle"), picture.count('class="bar"')) == (3, 1)
    assert "nan" not in strip_picture([math.nan], (0.0, 1.0))
