"""Trees: grown within limits, printed and parsed to the last bit, alike in every process."""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.errors import FormulaError, GrammarError
from symloss.language.grammar import load_grammar, read_grammar
from symloss.language.tree import (
    Exponent,
    Real,
    Tree,
    constant_node,
    grow,
    parse_tree,
    readable,
    seeded,
    sprout,
    undisturbed,
)

COMPACT = load_grammar("compact")
GLO = load_grammar("glo")
seeds = st.integers(0, 2**32)


def test_text_and_tree_give_each_other_back() -> None:
    text = "add(mul(t, log(p)), pow(p, 0.7))"
    tree = parse_tree(text, COMPACT)
    assert str(tree) == text
    assert (tree.size, tree.depth, tree.variables) == (8, 3, {"t", "p"})
    assert tree == parse_tree(" add( mul(t,log ( p)) ,pow(p,0.7) ) ", COMPACT)


@given(value=st.floats(-3.0, 3.0))
def test_constants_survive_to_the_last_bit(value: float) -> None:
    tree = Tree((constant_node(value + 0.0),), COMPACT)
    again = parse_tree(str(tree), COMPACT)
    assert again == tree
    assert again.nodes[0].value == value


def test_an_integer_and_a_real_of_the_same_value_are_different_leaves() -> None:
    assert parse_tree("1", COMPACT) != parse_tree("1.0", COMPACT)
    assert type(parse_tree("1", COMPACT).nodes[0].value) is int


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("add(t, lgo(p))", 8, "Did you mean 'log'"),
        ("add(t)", 6, "expected ','"),
        ("add(t, p, p)", 9, "expected '\\)'"),
        ("add(t, p", 9, "got the end"),
        ("", 1, "unknown operator or variable"),
        ("t p", 3, "after the tree's end"),
        ("pow(t, p)", 8, "an exponent is a number"),
        ("pow(t, add(1, 1))", 8, "an exponent is a number"),
        ("pow(t, 7.5)", 8, "7.5 is no exponent"),
        ("pow(t, 2)", 8, "2 is no exponent"),
        ("add(t, 17)", 8, "17 is no constant"),
        ("add(t, 5.5)", 8, "5.5 is no constant"),
        ("add(t, 1e400)", 8, "1e400 is no constant"),
        ("add(t, 1_0)", 8, "is not a number"),
        ("add(t, 1" + "0" * 5000 + ")", 8, "is not a number"),
        ("add(t, nan)", 8, "unknown operator or variable"),
        ("__import__('os')", 1, "unknown operator or variable"),
        ("t.real", 2, "after the tree's end"),
        ("(t)", 1, "unknown operator or variable"),
        ("neg(" * 5000 + "t" + ")" * 5000, 29, "max_depth = 6"),
        ("neg(" * 200000, 29, "max_depth = 6"),
        ("add(" + "add(t,p)," * 10000, 22, "expected"),
        ("x" * 1000000, 1, "unknown operator or variable"),
        (" " * 1000000 + "x", 1000001, "unknown operator or variable"),
        ("log(\u0661)", 5, "is not a number"),
    ],
    ids=range(25),
)
def test_text_that_is_no_tree_is_refused_where_it_goes_wrong(text: str, column: int, words: str) -> None:
    with pytest.raises(GrammarError, match=words) as caught:
        parse_tree(text, COMPACT)
    assert f"column {column}" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_tree_of_too_many_nodes_is_refused() -> None:
    full = "add(t, p)"
    for _ in range(4):
        full = f"add({full}, {full})"
    with pytest.raises(GrammarError, match="max_nodes = 20"):
        parse_tree(full, COMPACT)


def test_a_tree_becomes_its_formula_once() -> None:
    tree = parse_tree("neg(mul(t, log(p)))", COMPACT)
    assert tree.formula().text == "-t*log(p)"
    assert tree.formula() is tree.formula()


def test_trees_that_are_equal_by_algebra_have_one_key() -> None:
    one, other = parse_tree("sub(t, neg(p))", COMPACT), parse_tree("add(p, t)", COMPACT)
    assert one.formula().key == other.formula().key


def test_an_undefined_tree_says_so_each_time() -> None:
    tree = parse_tree("log(neg(1))", COMPACT)
    for _ in range(2):
        with pytest.raises(FormulaError):
            tree.formula()


def check_sorts(tree: Tree) -> None:
    wanted: list[object] = [Real]
    for node in tree.nodes:
        assert node.ret is wanted.pop()
        assert node.ret is Real or node.value is not None
        wanted += reversed(node.args)
    assert not wanted


@given(seed=seeds, name=st.sampled_from(["glo", "evomal", "compact", "regression", "activation"]))
def test_grown_trees_are_typed_within_limits_and_readable(seed: int, name: str) -> None:
    grammar = load_grammar(name)
    tree = grow(grammar, random.Random(seed))
    check_sorts(tree)
    assert tree.fits
    assert tree.depth <= grammar.limits.initial_depth[1]
    assert parse_tree(str(tree), grammar) == tree


def test_ramped_trees_reach_every_initial_depth_and_some_are_full() -> None:
    grammar = replace(load_grammar("evomal"), limits=replace(load_grammar("evomal").limits, initial_depth=(2, 4)))
    depths = Counter(grow(grammar, random.Random(seed)).depth for seed in range(300))
    assert set(depths) == {2, 3, 4}
    sizes = {grow(grammar, random.Random(seed)).size for seed in range(300)}
    assert max(sizes) > 20


def test_weights_are_the_odds_of_being_drawn() -> None:
    # one operator in four leaves: t : p : 1 : -1 as 3 : 3 : 1 : 1
    rng = random.Random(3)
    leaves = Counter(sprout(GLO, rng, 0, 0)[0].name for _ in range(8000))
    assert set(leaves) == {"t", "p", "1", "-1"}
    assert leaves["t"] / 8000 == pytest.approx(3 / 8, abs=0.03)
    assert leaves["-1"] / 8000 == pytest.approx(1 / 8, abs=0.03)
    roots = Counter(sprout(GLO, rng, 1, 1)[0].name for _ in range(8000))
    assert roots["log"] / 8000 == pytest.approx(3 / 10, abs=0.03)
    assert roots["sqrt"] / 8000 == pytest.approx(2 / 10, abs=0.03)


def test_growth_keeps_max_nodes_even_where_the_initial_depth_asks_for_more() -> None:
    tight = replace(COMPACT, limits=replace(COMPACT.limits, max_nodes=3))
    assert {grow(tight, random.Random(seed)).size for seed in range(200)} <= {1, 2, 3}


def test_drawn_constants_have_three_digits() -> None:
    assert readable(0.123456) == 0.123
    assert repr(readable(-1e-9)) == "-1e-09"
    assert repr(readable(-0.0)) == "0.0"
    values = {node.value for seed in range(300) for node in grow(COMPACT, random.Random(seed)).nodes}
    reals = [value for value in values if isinstance(value, float)]
    assert len(reals) > 50
    assert all(float(f"{value:.3g}") == value for value in reals)


def test_exponents_are_drawn_from_their_own_range() -> None:
    rng = random.Random(0)
    exponents = [sprout(COMPACT, rng, 3, 3, Exponent)[0].value for _ in range(200)]
    drawn = COMPACT.exponents.ephemeral
    assert drawn is not None
    assert all(isinstance(value, float) and drawn.low <= value <= drawn.high for value in exponents)


def test_the_global_random_is_lent_and_given_back() -> None:
    random.seed(11)
    before = random.getstate()
    rng, twin = random.Random(5), random.Random(5)
    with seeded(rng):
        drawn = random.random()
    assert drawn == random.Random(twin.getrandbits(64)).random()
    assert rng.getstate() == twin.getstate()
    assert random.getstate() == before


def test_the_global_random_is_given_back_after_an_exception() -> None:
    before = random.getstate()
    rng = random.Random(5)
    with pytest.raises(IndexError), seeded(rng):
        random.choice([random.random()][1:])
    assert random.getstate() == before
    assert rng.getstate() != random.Random(5).getstate()


def test_around_many_draws_it_is_given_back_once_at_the_end() -> None:
    random.seed(11)
    before, rng, drawn = random.getstate(), random.Random(5), []
    alone = random.Random(5)
    with undisturbed():
        for _ in range(3):
            with seeded(rng):
                drawn.append(random.random())
        assert random.getstate() != before
    assert random.getstate() == before
    assert drawn == [random.Random(alone.getrandbits(64)).random() for _ in range(3)]
    with seeded(rng):
        pass
    assert random.getstate() == before


def test_sorts_hash_alike_in_every_process() -> None:
    # DEAP's crossover draws from a set of sorts; an address as hash would order it by chance
    assert (hash(Real), hash(Exponent)) == (1, 2)


OTHER_PROCESS = """
import json, random
from symloss.language.grammar import load_grammar
from symloss.language.tree import grow
from symloss.searching.variation import crossover, mutate, repair
from symloss.searching.breeding import MutationRates
from dataclasses import asdict
grammar = load_grammar("compact")
trees = [grow(grammar, random.Random(seed)) for seed in range(40)]
for seed in range(200):
    rng = random.Random(seed)
    child = crossover(*rng.sample(trees, 2), rng)
    trees.append(repair(mutate(child, asdict(MutationRates(regrow=0.2)), rng)[0], rng))
print(json.dumps([str(tree) for tree in trees]))
"""


def other_process(hash_seed: str) -> list[str]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS], capture_output=True, text=True, check=True, env=environment
    )
    texts: list[str] = json.loads(done.stdout)
    return texts


def test_the_same_seed_gives_the_same_trees_in_any_process() -> None:
    texts = other_process("1")
    assert texts == other_process("4242")
    # crossover's trap needs trees of both sorts
    assert any("pow" in text for text in texts)
    assert len({re.sub(r"[\d.]+", "c", text) for text in texts}) > 100


def test_a_grammar_without_constants_grows_variables_only() -> None:
    text = 'name = "bare"\nslot = "classification"\n[operators]\nadd = 1\n[variables]\nt = 1\np = 1\n'
    grammar = read_grammar(text + "[limits]\ninitial_depth = [0, 2]\nmax_depth = 2\nmax_nodes = 7\n", "bare.toml")
    assert all(grow(grammar, random.Random(seed)).variables <= {"t", "p"} for seed in range(50))
    with pytest.raises(GrammarError, match="1 is no constant"):
        parse_tree("add(t, 1)", grammar)
