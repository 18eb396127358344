"""Plain charts: round ticks, points where they belong, and nothing drawn outside of the frame."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from symloss.telling.report.drawing import Axes, cloud, dots, line, spread, staircase, ticks

AXES = Axes((0, 10), (0.0, 1.0), "x", "y")
REAL = st.floats(-1e9, 1e9)


@pytest.mark.parametrize(
    ("span", "expected"),
    [((0.81, 0.97), [0.85, 0.9, 0.95]), ((0, 10), [0, 2, 4, 6, 8, 10]), ((-0.02, 0.04), [-0.02, 0, 0.02, 0.04]),
     ((1, 1), []), ((0, math.inf), [])],
)  # fmt: skip
def test_ticks_are_round(span, expected):
    assert ticks(span) == pytest.approx(expected)


def test_whole_ticks_are_whole():
    assert ticks((0, 3), whole=True) == [0, 1, 2, 3]


@given(REAL, REAL)
@example(0.0, 5e-324)
def test_ticks_are_few_ordered_and_inside(one, other):
    low, high = sorted((one, other))
    found = ticks((low, high))
    assert len(found) <= 12
    assert found == sorted(found)
    slack = 1e-6 * max(abs(low), abs(high), 1e-300) + 1e-9 * (high - low)
    assert all(low - slack <= each <= high + slack for each in found)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, min_value=None), max_size=8))
def test_a_range_holds_its_values_and_has_room(values):
    low, high = spread([value for value in values if not math.isfinite(value) or abs(value) < 1e100])
    assert low < high
    assert all(low <= value <= high for value in values if math.isfinite(value) and abs(value) < 1e100)


def test_points_lie_where_they_belong():
    left, right = AXES.across(0), AXES.across(10)
    assert AXES.across(5) == pytest.approx((left + right) / 2)
    assert AXES.down(1.0) < AXES.down(0.0)


def test_what_lies_outside_is_left_out():
    outside = [(5, 1.2), (11, 0.5), (math.nan, 0.5), (5, math.inf)]
    assert dots(AXES, [*outside, (5, 0.5)], "dot").count("<circle") == 1
    assert cloud(AXES, [*outside, (5, 0.5), (5, 0.5)]).count("M") == 1


def test_a_line_breaks_at_what_is_outside():
    path = line(AXES, [(0, 0.5), (1, 0.5), (2, math.nan), (3, 0.5), (4, 2.0), (5, 0.5), (6, 0.5)], "best")
    assert len(re.findall("M", path)) == 3
    assert len(re.findall("L", path)) == 2


def test_a_staircase_keeps_each_value_until_the_next():
    assert staircase([(1, 0.1), (4, 0.3)], 9) == [(1, 0.1), (4, 0.1), (4, 0.3), (9, 0.3)]
    assert staircase([], 9) == []


def test_names_cannot_leave_the_picture():
    svg = Axes((0, 1), (0, 1), "</svg><script>", '"&', width=300).svg([], '" onload="x')
    element = ElementTree.fromstring(svg)
    assert element.get("onload") is None
    assert [each.text for each in element.iter("text")][-1] == "</svg><script>"
