"""What every grammar that comes with symloss keeps."""

import random

import pytest

from symloss.errors import FormulaError
from symloss.language.formula import Formula, parse
from symloss.language.grammar import count_space, list_grammars, load_grammar
from symloss.language.probing import Prober
from symloss.language.slots import SLOTS
from symloss.language.tree import Tree, grow, parse_tree
from symloss.searching.variation import repair

names = pytest.mark.parametrize("name", list_grammars())


def formula_or_none(tree: Tree) -> Formula | None:
    try:
        return tree.formula()
    except FormulaError:
        return None


@names
def test_it_is_called_as_its_file_and_says_what_it_is(name: str) -> None:
    grammar = load_grammar(name)
    assert grammar.name == name
    assert grammar.about
    assert grammar.slot in SLOTS
    assert grammar.lacks(grammar.variables) == ()
    assert count_space(grammar, 2) > 1000


@names
def test_its_trees_are_mostly_formulas_of_its_slot_and_seldom_repeat(name: str) -> None:
    grammar = load_grammar(name)
    rng = random.Random(0)
    formulas = [formula_or_none(repair(grow(grammar, rng), rng)) for _ in range(200)]
    found = [formula for formula in formulas if formula is not None]
    assert len(found) >= 150
    assert all(formula.variables <= set(grammar.variables) | {"r"} for formula in found)
    assert len({formula.key for formula in found}) >= 50


@names
def test_a_formula_that_it_grew_is_what_its_text_says(name: str) -> None:
    grammar = load_grammar(name)
    for seed in range(30):
        formula = formula_or_none(grow(grammar, random.Random(seed)))
        if formula is not None and formula.variables:
            again = parse(formula.text, grammar.slot)
            assert again == formula


@names
def test_a_tree_reads_as_its_formula_and_numbers_see_the_same_in_both(name: str) -> None:
    # what the driver looks at is the tree; what a worker reads, trains and shows is the formula of its text
    grammar = load_grammar(name)
    prober = Prober(grammar.slot, 1 if grammar.slot == "regression" else 10, grammar.lacks)
    compared = 0
    for seed in range(60):
        tree = repair(grow(grammar, random.Random(seed)), random.Random(seed))
        formula, finding = formula_or_none(tree), prober.look(tree.nodes, tree.text)
        if not finding.failed and formula is not None:
            assert parse(tree.text, grammar.slot) == formula
            assert prober.look_at(formula) == finding
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize(
    ("name", "text", "formula"),
    [
        ("compact", "neg(mul(t, log(p)))", "-t*log(p)"),
        ("compact", "mul(1.43, mul(t, sub(1, pow(p, 0.7))))", "1.43*t*(1 - p**0.7)"),
        ("compact", "mul(t, sub(sub(1, p), log(p)))", "t*(1 - p - log(p))"),
        ("compact", "neg(mul(mul(t, pow(sub(1, p), 2.0)), log(p)))", "-t*(1 - p)**2*log(p)"),
        ("compact", "neg(mul(t, add(mul(0.1, log(p)), mul(0.92, p))))", "-t*(0.1*log(p) + 0.92*p)"),
        ("glo", "sub(div(t, p), log(p))", "t/p - log(p)"),
        ("evomal", "mul(t, log_abs(p))", "t*log(p)"),
        ("regression", "square(r)", "(f - y)**2"),
        ("regression", "sqrt(add(1, square(r)))", "sqrt(1 + r**2)"),
        ("activation", "max(x, 0)", "max(x, 0)"),
        ("activation", "mul(x, sigmoid(x))", "x*sigmoid(x)"),
    ],
)
def test_known_formulas_lie_in_the_space(name: str, text: str, formula: str) -> None:
    grammar = load_grammar(name)
    made = parse_tree(text, grammar).formula()
    if name != "evomal":  # protected operators mean themselves
        assert made == parse(formula, grammar.slot)
    assert not grammar.lacks(made.variables)


def test_glo_is_the_published_space() -> None:
    grammar = load_grammar("glo")
    odds = dict(grammar.operators) | dict(grammar.variables)
    assert odds == {"add": 1, "sub": 1, "mul": 1, "div": 1, "square": 1, "sqrt": 2, "log": 3, "t": 3, "p": 3}
    assert (grammar.constants.fixed, grammar.constants.weight) == ((1, -1), 1)
    assert grammar.limits.initial_depth[1] == 2
    assert (grammar.initialisation, grammar.when_missing) == ("glo", "reject")


def test_evomal_is_the_published_space() -> None:
    grammar = load_grammar("evomal")
    assert set(grammar.operators) == {
        *("add", "sub", "mul", "min", "max", "sign", "square", "abs", "log_abs", "sqrt_abs", "tanh", "aq")
    }
    assert grammar.constants.fixed == (1, -1)
    assert (grammar.limits.initial_depth, grammar.limits.max_depth) == ((2, 4), 10)
    assert (grammar.initialisation, grammar.when_missing) == ("ramped", "repair")
