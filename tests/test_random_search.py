"""Random search: the trees that the grammar grows, each formula once, whatever it is told."""

import pytest

from symloss.errors import ExperimentError
from symloss.language.grammar import load_grammar
from symloss.searching.searches import make_search
from tests.searching import JUDGE, Bench, run

COMPACT = load_grammar("compact")


def test_it_learns_nothing() -> None:
    one = run(make_search("random", COMPACT, JUDGE, 0, {"batch": 10}), 3)
    other = run(make_search("random", COMPACT, JUDGE, 0, {"batch": 10}), 3, Bench(lambda candidate: 0.5))
    assert one == other
    assert {(candidate.variation, candidate.parents) for candidate in one} == {("initial", ())}


def test_how_many_are_asked_at_once_does_not_matter() -> None:
    one = run(make_search("random", COMPACT, JUDGE, 0, {"batch": 10}), 3)
    other = run(make_search("random", COMPACT, JUDGE, 0, {}), 6, n=5)
    assert one == other


def test_its_batch_is_a_setting() -> None:
    assert len(make_search("random", COMPACT, JUDGE, 0, {"batch": 7}).ask()) == 7
    assert len(make_search("random", COMPACT, JUDGE, 0, {}).ask()) == 80
    with pytest.raises(ExperimentError, match="batch is 0"):
        make_search("random", COMPACT, JUDGE, 0, {"batch": 0})


def test_settings_of_other_searches_are_refused() -> None:
    with pytest.raises(ExperimentError, match=r"has population, which is a setting of 'evolution', .* not of 'random'"):
        make_search("random", COMPACT, JUDGE, 0, {"population": 80})
