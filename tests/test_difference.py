"""Differences of genotypes: the least change that a reader needs to see, and nothing lost."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.grammar import load_grammar
from symloss.language.tree import grow
from symloss.searching.variation import MUTATIONS
from symloss.telling.report.difference import borrowed, difference, read_term


def marked(before: str, after: str) -> str:
    signs = {"same": "{}", "out": "-{}-", "in": "+{}+"}
    return "".join(signs[piece.change].format(piece.text) for piece in difference(before, after))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("mul(t, p)", "mul(t, p)", "mul(t, p)"),
        ("mul(t, p)", "mul(t, log(p))", "mul(t, +log(+p+)+)"),
        ("mul(t, log(p))", "mul(t, p)", "mul(t, -log(-p-)-)"),
        ("mul(t, sub(p, 1))", "mul(t, add(p, 1))", "mul(t, -sub-+add+(p, 1))"),
        ("mul(t, 1.5)", "mul(t, 2.5)", "mul(t, -1.5-+2.5+)"),
        ("log(p)", "add(t, log(p))", "+add(t, +log(p)+)+"),
        ("add(log(p), t)", "mul(exp(t), p)", "-add(log(p), t)-+mul(exp(t), p)+"),
        ("pow(p, -0.5)", "pow(p, 1e-05)", "pow(p, --0.5-+1e-05+)"),
        ("2*p - log(t)", "3*p - log(t)", "-2-+3+*p - log(t)"),
        ("-t*log(p)", "", "--t*log(p)-"),
    ],
)
def test_what_is_marked(before, after, expected):
    assert marked(before, after) == expected


def joined(pieces, without: str) -> str:
    return "".join(piece.text for piece in pieces if piece.change != without)


@given(st.text(max_size=40), st.text(max_size=40))
def test_both_texts_can_be_read_off_whatever_they_are(before, after):
    pieces = difference(before, after)
    assert joined(pieces, "in").split() == (before if read_term(before) is None or read_term(after) is None
                                            else str(read_term(before))).split()  # fmt: skip
    assert joined(pieces, "out").split() == (after if read_term(before) is None or read_term(after) is None
                                             else str(read_term(after))).split()  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_real_mutations_give_both_trees_back(name):
    grammar, rng = load_grammar("compact"), random.Random(7)
    for _ in range(30):
        tree = grow(grammar, rng)
        child = MUTATIONS[name](tree, rng.randrange(tree.size), rng)
        pieces = difference(str(tree), str(child))
        assert joined(pieces, "in") == str(tree)
        assert joined(pieces, "out") == str(child)
        if tree is not child:
            assert any(piece.change != "same" for piece in pieces)


def test_texts_beyond_all_measure_are_not_compared():
    assert [piece.change for piece in difference("p" * 5000, "t")] == ["out", "in"]
    deep = "log(" * 990 + "p" + ")" * 990
    assert joined(difference(deep, "p"), "in") == deep


@pytest.mark.parametrize(
    ("first", "donor", "child", "expected"),
    [
        ("mul(t, p)", "add(log(p), t)", "mul(t, log(p))", ["log(p)"]),
        ("mul(log(p), p)", "add(t, 1)", "mul(t, p)", ["t"]),
        ("mul(t, p)", "mul(sub(t, p), 1)", "mul(sub(t, p), p)", ["sub(t, p)"]),
        ("mul(t, p)", "exp(t)", "mul(t, log(p))", []),
        ("-t*log(p)", "-t", "-t*log(p) + t", []),
    ],
)
def test_what_a_second_parent_lent(first, donor, child, expected):
    assert borrowed(first, donor, child) == expected
