"""Templates: numbers go in and come out to the last bit, at ones a formula is what it was, limits hold."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import FormulaError
from symloss.language.formula import parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import PlainWord, Prober, prefix
from symloss.language.template import (
    DIGITS,
    PLACES,
    Hole,
    Template,
    depth_of,
    shortened,
    with_coefficients,
    written,
)
from symloss.language.tree import StoredTree, grow
from symloss.language.zoo import ZOO, zoo

BAIKAL = list(prefix(zoo["baikal"].node))
GRAMMAR = load_grammar("compact")
NUMBERS = st.floats(-1e30, 1e30, allow_subnormal=False)
CLASSIFICATION = [name for name, entry in ZOO.items() if entry.slot == "classification"]


def test_each_node_takes_a_coefficient() -> None:
    template = with_coefficients(BAIKAL, "nodes")
    assert template.count == 6  # Baikal has six nodes, and BaikalCMA six coefficients
    assert written(template.fill([2, 3, 4, 5, 6, 7])) == (
        "mul(2.0, sub(mul(3.0, div(mul(4.0, t), mul(5.0, p))), mul(6.0, log(mul(7.0, p)))))"
    )


def test_each_edge_is_each_node_below_another() -> None:
    template = with_coefficients(BAIKAL, "edges")
    assert template.count == 5
    assert written(template.fill([3, 4, 5, 6, 7])).startswith("sub(mul(3.0, div(")


def test_constants_stay_single_numbers_and_zero_has_no_coefficient() -> None:
    words = list(prefix(parse("2*p**0.7 - 3*t").node))
    template = with_coefficients(words, "constants")
    assert template.count == 3
    assert written(template.fill([1.5, 2, 0.5])) == "sub(mul(3.0, pow(p, 1.4)), mul(1.5, t))"
    zero = [PlainWord("max", arity=2), PlainWord("p"), PlainWord("", 0.0)]
    assert with_coefficients(zero, "constants").count == 0
    assert with_coefficients(zero, "nodes").count == 2


def test_published_coefficients_come_out_of_the_published_structure() -> None:
    published = ZOO["baikal_cma"].constants
    # log(p) - x/y as published, with its minus outside
    words = list(prefix(parse("log(p) - t/p").node))
    assert written(words) == "sub(log(p), div(t, p))"
    order = ("c0", "c1", "c2", "c3", "c4", "c5")
    filled = with_coefficients(words, "nodes").fill([published[name] for name in order])
    found, known = parse(f"-{written(filled)}"), zoo["baikal_cma"]
    prober = Prober("classification", 10)
    assert prober.look_at(found).digest == prober.look_at(known).digest


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_at_ones_a_formula_is_what_it_was(name: str, places: str) -> None:
    formula, prober = zoo[name], Prober("classification", 10)
    words = list(prefix(formula.node))
    filled = with_coefficients(words, places).fill([1.0] * with_coefficients(words, places).count, digits=17)
    known = prober.look_at(formula)
    found = prober.look_at(parse(written(filled)))
    assert (found.digest, found.failed) == (known.digest, known.failed)


@settings(deadline=None)
@given(st.data(), st.integers(0, 10**6), st.sampled_from(PLACES))
def test_what_is_filled_in_is_read_back_from_the_text(data: st.DataObject, seed: int, places: str) -> None:
    tree = grow(GRAMMAR, random.Random(seed))
    template = with_coefficients(tree.nodes, places)
    numbers = data.draw(st.lists(NUMBERS, min_size=template.count, max_size=template.count))
    text = written(template.fill(numbers))
    read = template.read(StoredTree(text, GRAMMAR).nodes)
    assert read is not None
    assert read == pytest.approx([shortened(each) for each in numbers], rel=2e-5)
    # What was read once is what is read again: a run that is told from its texts learns the same to the last bit.
    again = StoredTree(text, GRAMMAR).nodes
    assert template.read(again) == read
    assert written(again) == text


def test_another_formula_is_not_read() -> None:
    template = with_coefficients(BAIKAL, "nodes")
    assert template.read(with_coefficients(list(prefix(zoo["focal"].node)), "nodes").words) is None
    assert template.read(BAIKAL) is None
    words = list(template.fill([1.0] * 6))
    for at, word in ((0, PlainWord("add", arity=2)), (1, PlainWord("p")), (2, PlainWord("add", arity=2))):
        assert template.read([*words[:at], word, *words[at + 1 :]]) is None
    constant = with_coefficients(list(prefix(parse("0.5*p - t").node)), "edges")
    other = with_coefficients(list(prefix(parse("0.5*t - p").node)), "edges")
    assert constant.read(other.words) is None


def test_a_number_may_stand_in_several_places() -> None:
    words = (PlainWord("mul", arity=2), PlainWord("", 1.0), PlainWord("", 1.0))
    template = Template(words, (Hole(1, 0), Hole(2, 0, 0.5)))
    assert template.count == 1
    assert written(template.fill([3.0])) == "mul(3.0, 1.5)"
    assert template.read(template.fill([3.0])) == (3.0,)


def test_a_formula_that_grows_too_large_is_refused() -> None:
    wide = "+".join(f"p**{n}*t*{n}.25" for n in range(1, 30))
    with pytest.raises(FormulaError, match="Allowed: 256 nodes, depth 32; choose a simpler formula, or fewer numbers"):
        with_coefficients(list(prefix(parse(wide).node)), "nodes")
    deep = "tanh(" * 20 + "p + t" + ")" * 20
    with pytest.raises(FormulaError, match="depth 4"):
        with_coefficients(list(prefix(parse(deep).node)), "nodes")
    long = [PlainWord("add", arity=2), PlainWord("", 1.0)] * 127 + [PlainWord("p")]
    with pytest.raises(FormulaError, match=r"depth 127|characters"):
        with_coefficients(long, "constants")


def test_numbers_are_shortened_but_for_nothing_that_training_tells_apart() -> None:
    assert DIGITS == 6
    assert shortened(1.23456789) == 1.23457
    assert str(shortened(-0.0)) == "0.0"
    assert shortened(1 / 3, 17) == 1 / 3


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_words_are_written_as_a_tree_is(seed: int) -> None:
    tree = grow(GRAMMAR, random.Random(seed))
    assert written(tree.nodes) == tree.text
    assert depth_of(tree.nodes) == tree.depth
