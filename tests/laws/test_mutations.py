"""What every variation keeps for all seeds and grammars: sorts, limits, a text that reads back, repeatability."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.grammar import Grammar, list_grammars, load_grammar
from symloss.language.tree import Real, Tree, grow, parse_tree
from symloss.searching.variation import MUTATIONS, crossover, mutate, repair

GRAMMARS = {name: load_grammar(name) for name in list_grammars()}
grammars = st.sampled_from(sorted(GRAMMARS)).map(GRAMMARS.__getitem__)
seeds = st.integers(0, 2**32)


def check(tree: Tree, grammar: Grammar) -> None:
    wanted: list[object] = [Real]
    for node in tree.nodes:
        assert node.ret is wanted.pop()
        wanted += reversed(node.args)
    assert not wanted
    assert tree.size <= grammar.limits.max_nodes
    assert tree.depth <= grammar.limits.max_depth
    assert parse_tree(str(tree), grammar) == tree


def bred(grammar: Grammar, rng: random.Random) -> Tree:
    """Grow a tree and vary it a few times, so that it is not only as large as new ones are."""
    tree = grow(grammar, rng)
    for _ in range(rng.randrange(6)):
        tree, _ = mutate(tree, dict.fromkeys(MUTATIONS, 0.15), rng)
    return tree


@pytest.mark.parametrize("name", MUTATIONS)
@given(grammar=grammars, seed=seeds)
def test_a_mutation_keeps_sorts_limits_and_readability(name: str, grammar: Grammar, seed: int) -> None:
    rng = random.Random(seed)
    tree = bred(grammar, rng)
    text = str(tree)
    check(MUTATIONS[name](tree, rng.randrange(tree.size), rng), grammar)
    assert str(tree) == text


@pytest.mark.parametrize("name", MUTATIONS)
@given(grammar=grammars, seed=seeds)
def test_a_mutation_repeats_itself_and_leaves_the_global_random_alone(name: str, grammar: Grammar, seed: int) -> None:
    tree = bred(grammar, random.Random(seed))
    before = random.getstate()
    first, again = (MUTATIONS[name](tree, 0, random.Random(seed)) for _ in range(2))
    assert first == again
    assert random.getstate() == before


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_something_somewhere(name: str) -> None:
    grammar = GRAMMARS["glo"] if name == "integer_step" else GRAMMARS["compact"]
    text = "add(t, 1)" if name == "integer_step" else "add(mul(t, p), 0.5)"
    tree = parse_tree(text, grammar)
    children = [MUTATIONS[name](tree, index, random.Random(s)) for s in range(20) for index in range(tree.size)]
    assert any(child != tree for child in children)


@given(grammar=grammars, seed=seeds)
def test_crossover_keeps_sorts_limits_and_readability(grammar: Grammar, seed: int) -> None:
    rng = random.Random(seed)
    first, second = bred(grammar, rng), bred(grammar, rng)
    before = random.getstate()
    child = crossover(first, second, rng)
    assert random.getstate() == before
    check(child, grammar)
    material = set(first.nodes) | set(second.nodes)
    assert set(child.nodes) <= material


@given(grammar=grammars, seed=seeds)
def test_repair_keeps_sorts_limits_and_readability(grammar: Grammar, seed: int) -> None:
    rng = random.Random(seed)
    mended = repair(bred(grammar, rng), rng)
    check(mended, grammar)
    if grammar.when_missing == "repair":
        assert not grammar.lacks(mended.variables)


@given(grammar=grammars, seed=seeds)
def test_mutate_names_what_it_did(grammar: Grammar, seed: int) -> None:
    rng = random.Random(seed)
    tree = bred(grammar, rng)
    child, names = mutate(tree, dict.fromkeys(MUTATIONS, 0.05), rng)
    check(child, grammar)
    assert set(names) <= set(MUTATIONS)
    assert names or child == tree
