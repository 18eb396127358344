"""Selection: its pressure, and the published odds."""

import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from symloss.language.grammar import load_grammar
from symloss.language.tree import parse_tree
from symloss.searching.fitness import FAILED
from symloss.searching.selection import (
    Individual,
    Select,
    SelectionSettings,
    by_merit,
    double_tournament,
    pareto,
    roulette,
    tournament,
)

TREE = parse_tree("mul(t, p)", load_grammar("compact"))
USUAL = SelectionSettings()


def individual(number: int, fitness: float, complexity: int = 3) -> Individual:
    return Individual(number, number, TREE, fitness, complexity)


def stopped(number: int, step: int, score: float, complexity: int = 3) -> Individual:
    return Individual(number, number, TREE, -math.inf, complexity, (step, score))


def shares(chosen: list[Individual]) -> dict[int, float]:
    counts = Counter(each.number for each in chosen)
    return {number: count / len(chosen) for number, count in counts.items()}


def test_roulettes_odds_are_the_fitness() -> None:
    pool = [individual(0, 0.1), individual(1, 0.3), individual(2, 0.6), individual(3, -math.inf)]
    found = shares(roulette(pool, 20000, random.Random(0), USUAL))
    assert set(found) == {0, 1, 2}
    assert found[0] == pytest.approx(0.1, abs=0.02)
    assert found[2] == pytest.approx(0.6, abs=0.02)


def test_roulette_counts_negative_fitness_from_the_worst() -> None:
    pool = [individual(0, -3.0), individual(1, -2.0), individual(2, -1.0), individual(3, -math.inf)]
    found = shares(roulette(pool, 20000, random.Random(0), USUAL))
    assert set(found) == {1, 2}
    assert found[2] == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("fitness", [-math.inf, 0.0, -5.0])
def test_roulette_is_even_where_nobody_is_fitter(fitness: float) -> None:
    pool = [individual(number, fitness) for number in range(4)]
    assert all(
        share == pytest.approx(0.25, abs=0.03)
        for share in shares(roulette(pool, 8000, random.Random(0), USUAL)).values()
    )


def test_a_tournament_of_the_whole_pool_takes_the_fittest() -> None:
    pool = [individual(number, number / 10) for number in range(5)]
    found = shares(tournament(pool, 2000, random.Random(0), SelectionSettings(tournament_size=2)))
    assert found[4] == pytest.approx(1 - (4 / 5) ** 2, abs=0.04)
    assert found[0] == pytest.approx((1 / 5) ** 2, abs=0.02)


def test_double_tournament_prefers_the_simpler_of_equally_fit_ones() -> None:
    pool = [individual(0, 0.5, 3), individual(1, 0.5, 30)]
    strict = SelectionSettings(tournament_size=1, parsimony_size=2.0)
    assert shares(double_tournament(pool, 4000, random.Random(0), strict))[0] == pytest.approx(0.75, abs=0.03)
    blind = SelectionSettings(tournament_size=1, parsimony_size=1.0)
    assert shares(double_tournament(pool, 4000, random.Random(0), blind))[0] == pytest.approx(0.5, abs=0.03)


def test_parsimony_first_lets_the_fittest_of_the_simple_win_and_parsimony_last_the_simplest_of_the_fit() -> None:
    pool = [individual(0, 0.9, 30), individual(1, 0.1, 3)]
    size = SelectionSettings(tournament_size=2, parsimony_size=2.0)
    # Fit wins a tournament of two in 3/4 of the cases, simple a pair likewise; whichever comes last counts more.
    last = shares(double_tournament(pool, 8000, random.Random(0), size))
    assert last[0] == pytest.approx((3 / 4) ** 2, abs=0.03)
    first = shares(double_tournament(pool, 8000, random.Random(0), replace(size, parsimony_first=True)))
    assert first[0] == pytest.approx(1 - (3 / 4) ** 2, abs=0.03)


@pytest.mark.parametrize("select", [tournament, double_tournament, pareto])
def test_who_was_stopped_loses_to_all_with_a_fitness_and_wins_over_who_came_less_far(select: Select) -> None:
    pool = [
        individual(0, 0.1, 9),
        stopped(1, 100, 0.2),
        stopped(2, 50, 0.9),
        stopped(3, 50, 0.8),
        individual(4, FAILED),
    ]
    blind = SelectionSettings(tournament_size=60, parsimony_size=1.0)
    for best in range(5):
        chosen = select(pool[best:], 20, random.Random(0), blind)
        assert {each.number for each in chosen} == {best}


def test_roulette_leaves_out_who_was_stopped() -> None:
    pool = [individual(0, 0.1), stopped(1, 100, 0.9)]
    assert set(shares(roulette(pool, 100, random.Random(0), USUAL))) == {0}


def test_ranks_are_by_merit_then_by_simplicity() -> None:
    scored = [individual(7, 0.5, 3), individual(8, 0.5, 9), individual(1, 0.4)]
    early = [stopped(2, 100, 0.1), stopped(3, 50, 0.9, 2), stopped(4, 50, 0.9, 8), stopped(5, 50, 0.3)]
    ranked = [*scored, *early, individual(6, -math.inf)]
    shuffled = random.Random(0).sample(ranked, len(ranked))
    assert [each.number for each in by_merit(shuffled)] == [each.number for each in ranked]


def test_pareto_keeps_the_fittest_and_the_simplest_alike() -> None:
    pool = [individual(0, 0.9, 20), individual(1, 0.5, 3), individual(2, 0.5, 20), individual(3, -math.inf, 1)]
    found = shares(pareto(pool, 4000, random.Random(0), SelectionSettings(tournament_size=4)))
    assert found[0] > 0.5
    assert found[1] > 0.15
    assert found.get(2, 0) < 0.1
    assert found.get(3, 0) < 0.02
