"""What every selection keeps, whatever its name."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.grammar import load_grammar
from symloss.language.tree import parse_tree
from symloss.searching.selection import SELECTIONS, Individual, SelectionSettings

TREE = parse_tree("mul(t, p)", load_grammar("compact"))
SETTINGS = SelectionSettings()
names = pytest.mark.parametrize("name", SELECTIONS)
fitnesses = st.one_of(st.floats(-10, 10), st.just(-math.inf))
pools = st.lists(st.tuples(fitnesses, st.integers(1, 30)), min_size=1, max_size=12)


def pool_of(rows: list[tuple[float, int]]) -> list[Individual]:
    return [Individual(number, number, TREE, *row) for number, row in enumerate(rows)]


@names
@given(rows=pools, k=st.integers(0, 6), seed=st.integers(0, 999))
def test_it_returns_as_many_of_the_pool_as_asked(name: str, rows: list[tuple[float, int]], k: int, seed: int) -> None:
    pool = pool_of(rows)
    chosen = SELECTIONS[name](pool, k, random.Random(seed), SETTINGS)
    assert len(chosen) == k
    assert {each.number for each in chosen} <= {each.number for each in pool}


@names
@given(rows=pools, seed=st.integers(0, 999))
def test_it_repeats_itself_and_leaves_the_global_random_alone(
    name: str, rows: list[tuple[float, int]], seed: int
) -> None:
    before = random.getstate()
    first = SELECTIONS[name](pool_of(rows), 5, random.Random(seed), SETTINGS)
    random.random()
    random.setstate(before)
    again = SELECTIONS[name](pool_of(rows), 5, random.Random(seed), SETTINGS)
    assert [each.number for each in first] == [each.number for each in again]
    assert random.getstate() == before


@names
def test_it_advances_its_random_source(name: str) -> None:
    rng = random.Random(0)
    pool = pool_of([(0.5, 3)] * 20)
    first, second = (SELECTIONS[name](pool, 8, rng, SETTINGS) for _ in range(2))
    # a source that is not advanced would repeat the first draw
    assert first != second or name == "pareto"


@names
def test_the_fitter_is_drawn_more_often_than_failures(name: str) -> None:
    pool = pool_of([(0.9, 5), (-math.inf, 5), (0.2, 5), (-math.inf, 5)])
    chosen = SELECTIONS[name](pool, 2000, random.Random(1), SETTINGS)
    share = [sum(each.number == number for each in chosen) / 2000 for number in range(4)]
    assert share[0] > share[2] > share[1]
    assert share[0] > 0.5
    assert share[1] + share[3] < 0.1
