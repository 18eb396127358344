"""Which candidates a report holds: what matters always, the rest evenly, never more than there is room for."""

import pytest

from symloss.telling.report.material import gather
from symloss.telling.report.sample import improvements, sample, scored_rows
from tests.runs import make_run


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return gather(make_run(tmp_path_factory.mktemp("runs") / "run", 2000))


def numbers(rows):
    return [row.number for row in rows]


def test_a_small_run_is_held_whole(tmp_path):
    small = gather(make_run(tmp_path / "run", 70))
    assert numbers(sample(small)) == list(range(70))


def test_improvements_are_each_better_than_all_before(material):
    best = improvements(material)
    values = [row.fitness for row in best]
    assert values == sorted(values)
    assert values[-1] == max(row.fitness for row in scored_rows(material))
    assert [row.place for row in best] == sorted(row.place for row in best)


def test_improvements_of_a_metric_to_minimise_go_down(tmp_path):
    run = gather(make_run(tmp_path / "run", 70, metric="nll", maximise=False))
    values = [row.fitness for row in improvements(run)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == run.ranked[0].fitness


def test_what_matters_is_held_and_the_rest_is_even(material):
    family = [20, 40, 1111]
    held = numbers(sample(material, family, most=700))
    assert len(held) == 700
    assert held == sorted(set(held))
    must = {each.number for each in material.front} | set(numbers(improvements(material))) | set(family)
    assert must | {each.number for each in material.ranked[:200]} <= set(held)
    by_quarter = [sum(first <= number < first + 500 for number in held) for first in range(0, 2000, 500)]
    assert min(by_quarter) > 60


def test_room_is_kept(material):
    sizes = [len(sample(material, most=1000, size=size)) for size in (0, 2000, 10_000, 10**9)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    assert sizes[-1] == 1000
    chosen = sample(material, most=1000, size=10_000)
    assert sum(len(row.shown) for row in chosen) <= 10_000
