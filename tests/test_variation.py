"""Variation: what each does to a tree, by hand; the repair of a tree that lacks a variable."""

import random
from collections import Counter

import pytest

from symloss.language.grammar import load_grammar, read_grammar
from symloss.language.tree import Tree, grow, parse_tree
from symloss.searching.variation import (
    MUTATIONS,
    crossover,
    gaussian,
    hoist,
    integer_step,
    leaf_to_node,
    mutate,
    regrow,
    repair,
    subtree_to_leaf,
    wrap,
)

COMPACT = load_grammar("compact")
GLO = load_grammar("glo")
EVOMAL = load_grammar("evomal")


def compact(text: str) -> Tree:
    return parse_tree(text, COMPACT)


def children(mutation: str, tree: Tree, index: int, draws: int = 300) -> Counter[str]:
    return Counter(str(MUTATIONS[mutation](tree, index, random.Random(seed))) for seed in range(draws))


def test_crossover_puts_a_subtree_of_the_second_into_the_first() -> None:
    first, second = compact("add(t, 1)"), compact("mul(p, log(p))")
    found = {str(crossover(first, second, random.Random(seed))) for seed in range(100)}
    assert found == {"add(p, 1)", "add(t, p)", "add(log(p), 1)", "add(t, log(p))"}


def test_crossover_swaps_exponents_with_exponents_only() -> None:
    first, second = compact("pow(t, 0.5)"), compact("mul(pow(p, 0.7), 2.5)")
    found = {str(crossover(first, second, random.Random(seed))) for seed in range(200)}
    assert found == {"pow(t, 0.7)", "pow(p, 0.5)", "pow(pow(p, 0.7), 0.5)", "pow(2.5, 0.5)"}


def test_parents_stay_what_they_were() -> None:
    first, second = compact("add(t, 1)"), compact("mul(p, log(p))")
    crossover(first, second, random.Random(0))
    assert (str(first), str(second)) == ("add(t, 1)", "mul(p, log(p))")


def test_integers_step_by_one_within_their_range() -> None:
    assert children("integer_step", parse_tree("add(t, 1)", GLO), 2).keys() == {"add(t, 0)", "add(t, 2)"}
    assert children("integer_step", parse_tree("add(t, 9)", GLO), 2).keys() == {"add(t, 8)", "add(t, 9)"}
    for text in ("add(t, 1)", "add(t, 1.5)"):  # compact has no integers to step through
        assert integer_step(compact(text), 2, random.Random(0)) == compact(text)


def exponent_range() -> tuple[float, float]:
    drawn = COMPACT.exponents.ephemeral
    assert drawn is not None
    return drawn.low, drawn.high


def test_an_operator_gives_way_to_one_with_the_same_arguments() -> None:
    assert children("same_arity", compact("log(t)"), 0).keys() == {"neg(t)"}
    found = children("same_arity", compact("add(t, p)"), 0)
    assert {"mul(t, p)", "sub(t, p)"} <= found.keys()
    assert not any(text.startswith("pow") for text in found)
    assert children("same_arity", compact("pow(t, 0.5)"), 0).keys() == {"pow(t, 0.5)"}


def test_a_leaf_gives_way_to_a_leaf_of_its_sort() -> None:
    assert children("same_arity", parse_tree("log(t)", GLO), 1).keys() == {"log(p)", "log(1)", "log(-1)"}
    low, high = exponent_range()
    drawn = [float(text.split(", ")[1].strip(")")) for text in children("same_arity", compact("pow(t, 0.5)"), 2)]
    assert low <= min(drawn) < max(drawn) <= high


def test_a_subtree_becomes_a_leaf_and_a_leaf_a_subtree() -> None:
    tree = parse_tree("add(log(t), p)", GLO)
    assert children("subtree_to_leaf", tree, 1).keys() == {"add(t, p)", "add(p, p)", "add(1, p)", "add(-1, p)"}
    assert subtree_to_leaf(tree, 2, random.Random(0)) is tree
    grown = children("leaf_to_node", tree, 3)
    assert {"add(log(t), log(p))", "add(log(t), log(t))"} <= grown.keys()
    assert all(parse_tree(text, GLO).depth == 2 for text in grown)
    assert leaf_to_node(tree, 1, random.Random(0)) is tree
    power = compact("pow(t, 0.5)")
    assert leaf_to_node(power, 2, random.Random(0)) is power


def test_real_constants_move_by_sigma_and_stay_in_range() -> None:
    tree = compact("add(t, 1.5)")
    values = [gaussian(tree, 2, random.Random(seed)).nodes[2].value or 0.0 for seed in range(2000)]
    assert sum(values) / 2000 == pytest.approx(1.5, abs=0.05)
    sigma = COMPACT.constants.ephemeral.sigma if COMPACT.constants.ephemeral else 0.0
    assert (sum((value - 1.5) ** 2 for value in values) / 2000) ** 0.5 == pytest.approx(sigma, rel=0.1)
    low, _ = exponent_range()
    edge = compact(f"pow(t, {low})")
    assert min(gaussian(edge, 2, random.Random(seed)).nodes[2].value or 0.0 for seed in range(100)) == low
    whole = compact("add(t, 1)")
    assert gaussian(whole, 2, random.Random(0)) is whole


def test_a_subtree_is_regrown_with_its_own_sort() -> None:
    found = children("regrow", compact("pow(t, 0.5)"), 2)
    assert len(found) > 20
    assert all(text.startswith("pow(t, ") for text in found)
    assert any(regrow(compact("log(t)"), 1, random.Random(seed)).depth > 2 for seed in range(50))


def test_wrapping_keeps_what_was_there_and_hoisting_takes_a_part_of_it() -> None:
    tree = compact("mul(t, log(p))")
    for seed in range(100):
        wrapped = wrap(tree, 0, random.Random(seed))
        assert str(tree) in str(wrapped)
        assert wrapped.size > tree.size
    assert children("hoist", tree, 0).keys() == {"t", "log(p)"}
    assert children("hoist", compact("pow(t, 0.5)"), 0).keys() == {"t"}
    assert hoist(tree, 1, random.Random(0)) is tree


def test_what_would_break_a_limit_leaves_the_parent() -> None:
    text = "p"
    for _ in range(COMPACT.limits.max_depth):
        text = f"neg({text})"
    tree = compact(text)
    deepest = tree.size - 1
    for name in ("leaf_to_node", "wrap"):
        assert MUTATIONS[name](tree, deepest, random.Random(0)) is tree


def test_rates_are_probabilities_per_node() -> None:
    tree = parse_tree("add(add(1, 1), add(1, 1))", GLO)
    changed = 0
    for seed in range(1000):
        child, names = mutate(tree, {"integer_step": 0.1}, random.Random(seed))
        changed += sum(a != b for a, b in zip(tree.nodes, child.nodes, strict=True))
        assert names == (("integer_step",) if child != tree else ())
    assert changed / 4000 == pytest.approx(0.1, abs=0.02)


def test_no_rate_no_change_and_full_rate_every_node() -> None:
    tree = parse_tree("add(add(1, 1), add(1, 1))", GLO)
    assert mutate(tree, dict.fromkeys(MUTATIONS, 0.0), random.Random(0)) == (tree, ())
    child, _ = mutate(tree, {"integer_step": 1.0}, random.Random(0))
    assert all(a != b for a, b in zip(tree.nodes, child.nodes, strict=True) if a.value is not None)


def test_mutation_goes_bottom_up() -> None:
    # the root is visited last, so a full rate of subtree_to_leaf leaves one leaf
    assert mutate(parse_tree("add(log(t), p)", GLO), {"subtree_to_leaf": 1.0}, random.Random(0))[0].size == 1


# --- repair ---


@pytest.mark.parametrize("text", ["tanh(t)", "p", "add(1, abs(-1))", "aq(t, t)"])
def test_a_tree_that_lacks_a_variable_is_repaired(text: str) -> None:
    for seed in range(50):
        mended = repair(parse_tree(text, EVOMAL), random.Random(seed))
        assert mended.variables == {"t", "p"}
        assert mended.fits


def test_a_leaf_becomes_an_operator_over_both_variables() -> None:
    found = {str(repair(parse_tree("tanh(t)", EVOMAL), random.Random(seed))) for seed in range(200)}
    assert found == {f"tanh({name}(t, p))" for name in ("add", "sub", "mul", "min", "max", "aq")}


def test_a_tree_that_lacks_nothing_is_left_alone() -> None:
    tree = parse_tree("add(t, p)", EVOMAL)
    assert repair(tree, random.Random(0)) is tree


def test_a_grammar_that_rejects_is_not_repaired() -> None:
    tree = parse_tree("log(t)", GLO)
    assert repair(tree, random.Random(0)) is tree


def test_a_stand_in_repairs_where_it_can() -> None:
    regression = load_grammar("regression")
    assert str(repair(parse_tree("square(y)", regression), random.Random(0))) == "square(r)"
    activation = load_grammar("activation")
    assert str(repair(parse_tree("tanh(1)", activation), random.Random(0))) == "tanh(x)"


def test_a_full_tree_is_repaired_within_its_limits() -> None:
    text = EVOMAL.text.replace("max_nodes = 60", "max_nodes = 5").replace("[2, 4]", "[1, 2]")
    tight = read_grammar(text, "tight.toml")
    mended = repair(parse_tree("add(add(t, 1), 1)", tight), random.Random(0))
    assert mended.variables == {"t", "p"}
    assert mended.fits
    # no room for both: the tree stays, and the search reports what it lacks
    tightest = read_grammar(text.replace("max_nodes = 5", "max_nodes = 3"), "tight.toml")
    stuck = parse_tree("abs(abs(1))", tightest)
    assert repair(stuck, random.Random(0)) is stuck


def test_most_grown_trees_of_a_repairing_grammar_see_both_variables() -> None:
    trees = [repair(grow(EVOMAL, random.Random(seed)), random.Random(seed)) for seed in range(200)]
    assert all(tree.variables >= {"t", "p"} for tree in trees)
