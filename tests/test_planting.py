"""Formulas as trees of a grammar: the same loss, by the grammar's own operators where there is a way."""

import random

import pytest

from symloss.errors import GrammarError
from symloss.language.formula import parse
from symloss.language.grammar import list_grammars, load_grammar
from symloss.language.planting import plant
from symloss.language.probing import Prober
from symloss.language.tree import StoredTree
from symloss.language.zoo import ZOO, zoo
from symloss.searching.variation import MUTATIONS, crossover, mutate

PAIRS = [
    (grammar, name)
    for grammar in list_grammars()
    for name in ZOO
    if zoo[name].slot == load_grammar(grammar).slot
]  # fmt: skip


@pytest.mark.parametrize(("grammar", "name"), PAIRS)
def test_every_published_loss_can_be_planted_everywhere_and_stays_itself(grammar: str, name: str) -> None:
    tree, prober = plant(zoo[name], load_grammar(grammar)), Prober(zoo[name].slot, 10)
    assert prober.look(tree.nodes, tree.text).digest == prober.look_at(zoo[name]).digest
    assert StoredTree(tree.text, tree.grammar).nodes == tree.nodes


@pytest.mark.parametrize(
    ("text", "grammar", "tree"),
    [
        ("-t*log(p)", "glo", "mul(-1, mul(t, log(p)))"),
        ("t/p", "compact", "mul(t, pow(p, -1.0))"),
        ("sqrt(p)*t", "compact", "mul(t, pow(p, 0.5))"),
        ("p**2*t", "glo", "mul(t, square(p))"),
        ("p*t + max(t, 0.1)", "glo", "add(mul(p, t), max(t, 0.1))"),
    ],
)
def test_the_grammars_own_operators_come_first(text: str, grammar: str, tree: str) -> None:
    planted = plant(parse(text), load_grammar(grammar))
    assert sorted(str(planted)) == sorted(tree)
    assert planted.formula() == parse(text)


@pytest.mark.parametrize(("grammar", "name"), PAIRS)
def test_what_is_planted_can_be_varied(grammar: str, name: str) -> None:
    tree, rng = plant(zoo[name], load_grammar(grammar)), random.Random(1)
    loud = dict.fromkeys(MUTATIONS, 0.3)
    children = [mutate(tree, loud, rng)[0] for _ in range(20)]
    children += [crossover(tree, child, rng) for child in children]
    assert len({child.text for child in children}) > 1 or not tree.fits
    assert all(child.fits or child.size <= tree.size for child in children)


def test_a_formula_of_another_slot_is_refused() -> None:
    with pytest.raises(GrammarError, match="is of the slot regression, and grammar compact is for classification"):
        plant(zoo["mse"], load_grammar("compact"))
