"""What sets the population methods apart: who lives on, who breeds, and what travels or stands in the map."""

import math
import random

import pytest

from symloss.errors import ExperimentError
from symloss.language.grammar import load_grammar
from symloss.language.tree import grow, parse_tree
from symloss.searching.aging import Aging, AgingSettings
from symloss.searching.elites_map import ElitesMap, MapSettings, Shapes
from symloss.searching.islands import Islands, IslandSettings
from symloss.searching.nsga2 import OBJECTIVES, Nsga2, ParetoSettings, finite
from symloss.searching.searches import make_search
from symloss.searching.selection import Individual
from tests.searching import JUDGE, Bench, hashed, run

COMPACT = load_grammar("compact")


def individual(number: int, fitness: float, complexity: int = 3, robustness: float | None = None) -> Individual:
    tree = grow(COMPACT, random.Random(number))
    kept = fitness if robustness is None else robustness
    return Individual(number, number, tree, fitness, complexity, robustness=kept)


def parents(method, draws: int = 300) -> list[int]:
    drafts = [method.propose(random.Random(seed), 1000 + seed) for seed in range(draws)]
    return [parent for draft in drafts for parent in draft.parents]


# Aging.


def test_the_oldest_die_however_fit_they_are() -> None:
    method = Aging(COMPACT, AgingSettings(population=10, sample=10, batch=5))
    method.absorb([individual(0, 0.99), *(individual(number, 0.5) for number in range(1, 10))])
    assert set(parents(method)) == {0}
    method.absorb([individual(number, 0.6) for number in range(10, 15)])
    assert 0 not in parents(method)
    assert min(parents(method)) >= 5


def test_failures_are_not_born_and_the_population_fills_up_first() -> None:
    method = Aging(COMPACT, AgingSettings(population=10, sample=2, batch=5))
    assert method.batch() == 10
    method.absorb([individual(number, -math.inf if number % 2 else 0.5) for number in range(10)])
    assert method.batch() == 5
    assert method.propose(random.Random(0), 10).variation == "initial"
    method.absorb([individual(number, 0.5) for number in range(10, 15)])
    assert not [number for number in parents(method) if number < 10 and number % 2]


def test_a_child_has_one_parent_and_differs_from_it() -> None:
    method = Aging(COMPACT, AgingSettings(population=10, sample=10))
    method.absorb([individual(number, number / 10) for number in range(10)])
    drafts = [method.propose(random.Random(seed), seed) for seed in range(100)]
    assert all(draft.parents == (9,) and "crossover" not in draft.variation for draft in drafts)
    best = individual(9, 0.9).tree
    assert sum(draft.tree == best for draft in drafts) < 5


def test_a_sample_beyond_the_population_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"sample is 30; allowed: at most population = 10"):
        make_search("aging", COMPACT, JUDGE, 0, {"population": 10, "sample": 30})


# NSGA-II.


def alive(method: Nsga2) -> set[int]:
    return {each.individual.number for each in method._survivors}


def test_the_front_lives_on_and_what_is_beaten_in_all_objectives_dies() -> None:
    method = Nsga2(COMPACT, ParetoSettings(population=4))
    front = [individual(0, 0.5, 1), individual(1, 0.6, 3), individual(2, 0.7, 5), individual(3, 0.8, 7)]
    beaten = [individual(4, 0.55, 3), individual(5, 0.79, 9), individual(6, -math.inf, 1)]
    method.absorb([*beaten, *front])
    assert alive(method) == {0, 1, 2, 3}
    method.absorb([individual(7, 0.9, 1)])  # beats everyone
    assert 7 in alive(method)
    assert parents(method).count(7) > len(parents(method)) / 4


def test_of_the_last_front_the_crowded_die() -> None:
    method = Nsga2(COMPACT, ParetoSettings(population=4))
    sizes = [1, 10, 11, 12, 30]
    method.absorb([individual(number, 0.5 + size / 100, size) for number, size in enumerate(sizes)])
    assert alive(method) >= {0, 4}
    assert 2 not in alive(method)


def test_robustness_and_cost_are_objectives() -> None:
    cheap, dear = (
        Individual(number, number, parse_tree(text, COMPACT), 0.5, 5)
        for number, text in enumerate(["add(t, p)", "mul(log(p), pow(p, 2.0))"])
    )
    assert OBJECTIVES["cost"](cheap) > OBJECTIVES["cost"](dear)
    method = Nsga2(COMPACT, ParetoSettings(population=4, objectives=("fitness", "robustness")))
    method.absorb([individual(number, 0.9 - number / 10, 3, 0.1 * number) for number in range(3)])
    method.absorb([individual(3, 0.65, 3, -math.inf), individual(4, 0.6, 3, 0.05)])
    assert alive(method) == {0, 1, 2, 4} or alive(method) == {0, 1, 2, 3}


def test_what_lacks_an_objective_lies_below_all_that_have_it() -> None:
    assert finite([(0.5, -math.inf), (0.7, 0.2), (0.6, 0.4)]) == [(0.5, 0.0), (0.7, 0.2), (0.6, 0.4)]
    assert finite([(-math.inf,), (-math.inf,)]) == [(0.0,), (0.0,)]


@pytest.mark.parametrize(("objectives", "said"), [(["fitness"], "objectives"), (["fitness", "speed"], "objectives")])
def test_objectives_that_make_no_sense_are_refused(objectives: list[str], said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        make_search("nsga2", COMPACT, JUDGE, 0, {"objectives": objectives})


# Islands.


def island_of(number: int, method: Islands) -> int:
    return number % len(method._islands)


def test_islands_exchange_after_as_many_generations_however_they_are_told() -> None:
    settings = IslandSettings(population=4, elites=2, islands=3, interval=2, migrants=1)
    whole, bit_by_bit = Islands(COMPACT, settings), Islands(COMPACT, settings)
    for first, last in ((0, 12), (12, 18)):
        told = [individual(number, number / 100) for number in range(first, last)]
        whole.absorb(told)
        for each in range(0, len(told), 3):
            bit_by_bit.absorb(told[each : each + 3])
    for one, other in zip(whole._islands, bit_by_bit._islands, strict=True):
        assert one.population[0] == other.population[0]
    assert 17 in {each.number for each in bit_by_bit._islands[0].population}
    assert 17 not in {each.number for each in bit_by_bit._islands[1].population}


def test_islands_breed_among_themselves_until_migrants_come() -> None:
    method = Islands(COMPACT, IslandSettings(population=4, elites=2, islands=3, interval=2, migrants=1, immigrants=0.0))
    assert method.batch() == 12
    method.absorb([individual(number, number / 100) for number in range(12)])
    for place in range(3):
        drafts = [method.propose(random.Random(seed), 3 * seed + place) for seed in range(60)]
        assert {island_of(parent, method) for draft in drafts for parent in draft.parents} == {place}
    method.absorb([individual(number, number / 100) for number in range(12, 18)])
    # the fittest of island 2, number 17, has come to island 0 and not to island 1
    drafts = {place: [method.propose(random.Random(s), 3 * s + place) for s in range(100)] for place in range(3)}
    seen = {place: {parent for draft in own for parent in draft.parents} for place, own in drafts.items()}
    assert 17 in seen[0]
    assert 17 not in seen[1]
    assert 15 in seen[1]


# MAP-Elites.


def test_a_cell_keeps_its_fittest_and_all_cells_breed() -> None:
    method = ElitesMap(COMPACT, MapSettings(cells=16, first=4, batch=4, immigrants=0.0))
    assert method.batch() == 4
    one, other = parse_tree("neg(mul(t, log(p)))", COMPACT), parse_tree("neg(mul(t, pow(p, 3.0)))", COMPACT)
    method.absorb([Individual(0, 0, one, 0.5, 5), Individual(1, 1, one, 0.7, 5), Individual(2, 2, other, 0.1, 3)])
    assert {each.number for each in method.elites.values()} == {1, 2}
    method.absorb([Individual(3, 3, one, 0.6, 5), Individual(4, 4, other, -math.inf, 3)])
    assert {each.number for each in method.elites.values()} == {1, 2}
    assert set(parents(method)) == {1, 2}
    assert method.batch() == 4


def test_shapes_say_where_a_gradient_lies_and_which_way_it_points() -> None:
    shapes = Shapes("classification", 8)

    def describe(text: str) -> tuple[float, float]:
        return shapes.describe(Individual(0, 0, parse_tree(text, COMPACT), 0.5, 5))

    low, up = describe("neg(mul(t, log(p)))")
    # squaring p moves the gradient to examples that the model believes
    assert describe("neg(mul(t, pow(p, 3.0)))")[0] < low
    assert describe("mul(t, log(p))")[1] == pytest.approx(1 - up)
    assert all(0 <= share <= 1 for share in (low, up))
    assert describe("mul(t, log(sub(p, p)))") == (0.5, 0.5)


@pytest.mark.parametrize("slot", ["compact", "regression", "activation"])
def test_shapes_are_read_in_every_slot(slot: str) -> None:
    grammar = load_grammar(slot)
    shapes = Shapes(grammar.slot, 8)
    cells = {shapes.cell(Individual(seed, seed, grow(grammar, random.Random(seed)), 0.5, 3)) for seed in range(60)}
    assert len(cells) > 5
    assert all(0 <= side < 8 for cell in cells for side in cell)


@pytest.mark.parametrize("name", ["aging", "nsga2", "islands", "map_elites"])
def test_each_beats_random_search_where_there_is_something_to_follow(name: str) -> None:
    small = {"aging": {"population": 20, "sample": 8}, "nsga2": {"population": 20}, "islands": {"population": 10},
             "map_elites": {"first": 20, "batch": 20}}  # fmt: skip

    def smooth(candidate) -> float:  # what has many logarithms scores high, so there is something to follow
        return candidate.text.count("log") / 10 + hashed(candidate) / 1000

    search, rivals = make_search(name, COMPACT, JUDGE, 0, small[name]), make_search("random", COMPACT, JUDGE, 0, {})
    ours, theirs = Bench(smooth), Bench(smooth)
    while ours.trained < 150:
        run(search, 1, ours)
    while theirs.trained < 150:
        run(rivals, 1, theirs, 10)
    assert search.archive.best(1)[0].fitness > rivals.archive.best(1)[0].fitness
