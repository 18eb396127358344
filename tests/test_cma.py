"""CMA-ES over templates: it climbs, learns from text alone, and outlives failures, ties and convergence."""

import math
import random

import pytest

from symloss.language.formula import parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import prefix
from symloss.language.template import with_coefficients
from symloss.language.tree import StoredTree, Tree
from symloss.searching.cma import NumberSearch, NumberSettings, _Point, costs
from symloss.searching.fitness import FAILED, NO_PROMISE
from symloss.searching.selection import Individual

GRAMMAR = load_grammar("compact")


def template_of(text: str):
    return with_coefficients(list(prefix(parse(text).node)), "nodes")


def search(text: str = "t/p - log(p)", **settings: object) -> NumberSearch:
    template = template_of(text)
    return NumberSearch(template, [1.0] * template.count, NumberSettings(**settings))  # type: ignore[arg-type]


def told(trees: list[Tree], fitness: list[float]) -> list[Individual]:
    return [
        Individual(n, n, tree, value, tree.size) for n, (tree, value) in enumerate(zip(trees, fitness, strict=True))
    ]


def sphere(found: NumberSearch, tree: Tree, middle: float) -> float:
    numbers = found.template.read(tree.nodes)
    assert numbers is not None
    return -sum((each - middle) ** 2 for each in numbers)


def climb(found: NumberSearch, generations: int, seed: int = 0) -> list[str]:
    rng, texts = random.Random(seed), []
    for _ in range(generations):
        trees = [found.draw(rng, GRAMMAR) for _ in range(found.population)]
        found.learn(told(trees, [sphere(found, tree, 0.3) for tree in trees]))
        texts += [tree.text for tree in trees]
    return texts


def test_it_climbs() -> None:
    found = search()
    texts = climb(found, 60)
    values = [sphere(found, StoredTree(text, GRAMMAR), 0.3) for text in texts]
    assert max(values[-10:]) > -1e-3
    assert max(values[:10]) < -0.1


def test_a_single_number_is_searched_too() -> None:
    template = with_coefficients(list(prefix(parse("p**0.7*t").node)), "constants")
    assert template.count == 1
    found = NumberSearch(template, [1.0], NumberSettings())
    texts = climb(found, 30)
    assert sphere(found, StoredTree(texts[-1], GRAMMAR), 0.3) > -1e-2


def test_what_it_learns_depends_on_the_told_texts_alone() -> None:
    live, rng = search(), random.Random(1)
    batches = []
    for _ in range(4):
        trees = [live.draw(rng, GRAMMAR) for _ in range(live.population)]
        fitness = [sphere(live, tree, 0.3) for tree in trees]
        live.learn(told(trees, fitness))
        batches.append(([tree.text for tree in trees], fitness))
    again = search()  # proposes nothing, and is told from texts
    for texts, fitness in batches:
        again.learn(told([StoredTree(text, GRAMMAR) for text in texts], fitness))
    for seed in range(5):
        assert live.draw(random.Random(seed), GRAMMAR).text == again.draw(random.Random(seed), GRAMMAR).text


def test_drawing_changes_nothing() -> None:
    one, other = search(), search()
    for seed in range(7):
        other.draw(random.Random(seed), GRAMMAR)
    assert one.draw(random.Random(9), GRAMMAR) == other.draw(random.Random(9), GRAMMAR)


def test_batches_of_any_size_are_learnt_by_generations() -> None:
    whole, parts = search(population=8), search(population=8)
    rng = random.Random(0)
    trees = [whole.draw(rng, GRAMMAR) for _ in range(16)]
    fitness = [sphere(whole, tree, 0.3) for tree in trees]
    whole.learn(told(trees, fitness))
    for size in (slice(0, 3), slice(3, 11), slice(11, 16)):
        parts.learn(told(trees[size], fitness[size]))
    assert whole.draw(random.Random(0), GRAMMAR) == parts.draw(random.Random(0), GRAMMAR)
    before = parts.draw(random.Random(0), GRAMMAR)
    parts.learn(told(trees[:7], fitness[:7]))
    assert parts.draw(random.Random(0), GRAMMAR) == before  # one is missing


def test_strangers_and_numbers_beyond_all_bounds_say_nothing() -> None:
    found = search(population=4)
    before = found.draw(random.Random(0), GRAMMAR)
    stranger = Individual(0, 0, StoredTree("mul(t, p)", GRAMMAR), 1.0, 3)
    huge = Individual(0, 0, found.tree([1e31] * 6, GRAMMAR), 1.0, 3)
    found.learn([stranger, huge] * 8)
    assert found.draw(random.Random(0), GRAMMAR) == before


@pytest.mark.parametrize("fitness", [[FAILED] * 12, [0.5] * 12, [0.5, FAILED] * 6])
def test_failures_and_ties_are_survived(fitness: list[float]) -> None:
    found, rng = search(population=12), random.Random(0)
    for _ in range(60):
        found.learn(told([found.draw(rng, GRAMMAR) for _ in fitness], fitness))
    assert all(math.isfinite(each) for each in found.template.read(found.draw(rng, GRAMMAR).nodes) or [math.nan])


def test_when_it_has_converged_it_begins_anew_with_twice_the_population() -> None:
    found, rng = search(population=6), random.Random(0)
    for _ in range(200):
        trees = [found.draw(rng, GRAMMAR) for _ in range(found.population)]
        found.learn(told(trees, [0.5] * len(trees)))
        if found.population > 6:
            break
    assert found.population == 12
    climb(found, 3)


def test_failures_cost_more_than_the_worst_and_less_the_further_they_came() -> None:
    points = [
        _Point((1.0,), 0.9, NO_PROMISE),
        _Point((1.0,), FAILED, NO_PROMISE),
        _Point((1.0,), 0.2, NO_PROMISE),
        _Point((1.0,), FAILED, (100, 0.3)),
        _Point((1.0,), FAILED, (100, 0.4)),
        _Point((1.0,), FAILED, NO_PROMISE),
    ]
    found = costs(points)
    assert found[0] < found[2] < found[4] < found[3] < found[1] == found[5]
    assert all(map(math.isfinite, found))
    assert costs(points[1:2]) == [1.0]
