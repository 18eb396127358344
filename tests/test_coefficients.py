"""Searches over coefficients: of given formulas, in turn; GLO's two stages; what cannot be searched is refused."""

import random

import pytest

from symloss.errors import ExperimentError
from symloss.language.formula import parse
from symloss.language.grammar import load_grammar
from symloss.language.tree import StoredTree
from symloss.language.zoo import zoo
from symloss.searching.searches import Search, make_search
from tests.searching import JUDGE, Bench, formula_of, rejected, run

COMPACT, GLO = load_grammar("compact"), load_grammar("glo")


def make(formulas: list[str], **settings: object) -> Search:
    return make_search("coefficients", COMPACT, JUDGE, 0, {"formulas": formulas, **settings})


def test_the_formula_itself_is_asked_first() -> None:
    first, *others = make(["baikal"], fresh=0).ask()
    assert first.text == "mul(1.0, sub(mul(1.0, div(mul(1.0, t), mul(1.0, p))), mul(1.0, log(mul(1.0, p)))))"
    assert parse(first.text) == zoo["baikal"]
    assert first.variation == "initial"
    assert {each.variation for each in others} == {"cma"}
    assert len({each.text for each in others}) == len(others) == 8  # 4 + 3 log 6 is 9


def test_formulas_take_turns_a_generation_each() -> None:
    search, bench = make(["baikal", "-t*log(p)"], population=5), Bench()
    shapes = []
    for _ in range(5):
        asked = search.ask()
        search.tell(bench(asked))
        shapes.append({"div" in each.text for each in asked})
    assert shapes == [{True}, {False}, {True}, {False}, {True}]


def test_it_finds_the_coefficients_that_are_best() -> None:
    def closeness(candidate) -> float:
        formula = formula_of(candidate.text, candidate.slot)
        constants = formula.constants if formula else ()
        return 1 / (1 + sum((each - 0.5) ** 2 for each in constants) + 9 * (len(constants) != 2))

    search = make(["0.1*t*p + 2.9*p"], coefficients="constants", population=8, sigma=1.0)
    run(search, 40, Bench(closeness))
    best = search.archive.leader()
    assert best is not None
    assert best.fitness > 0.99
    assert best.formula.constants == pytest.approx((0.5, 0.5), abs=0.1)


def test_proposals_that_are_no_loss_are_drawn_anew_and_nothing_is_grown() -> None:
    search = make(["-t*log(p)"], fresh=20, population=30)  # half of the coefficients under the logarithm are negative
    asked = search.ask()
    assert not any(each.finding.is_void for each in asked)
    assert all(each.text.startswith("mul(") and "log(mul(" in each.text for each in asked)
    taken = make(["-t*log(p)"], fresh=0, population=30).ask()
    assert any(each.finding.is_void for each in taken)


@pytest.mark.parametrize(
    ("formulas", "settings", "words"),
    [
        ([], {}, "formulas is"),
        (["-t*lgo(p)"], {}, r"'-t\*lgo\(p\)' cannot be read.*Did you mean 'log'"),
        (["baikla"], {}, "'baikla' cannot be read.*Or give a published name"),
        (["mse"], {}, "is of the slot regression; allowed: classification"),
        (["-t*log(p)"], {"coefficients": "constants"}, "no number with a coefficient to search.*'constants'"),
        (["-t*log(p)"], {"coefficients": "node"}, "Did you mean 'nodes'"),
        (["+".join(f"p**{n}*t*{n}.25" for n in range(1, 30))], {}, "cannot be used.*256 nodes"),
        (["baikal", "baikal"], {}, "a list of different values"),
    ],
)
def test_what_cannot_be_searched_is_refused(formulas: list[str], settings: dict[str, object], words: str) -> None:
    with pytest.raises(ExperimentError, match=f"(?s){words}"):
        make(formulas, **settings)


def test_no_formula_is_no_search() -> None:
    with pytest.raises(ExperimentError, match=r"formulas is empty; name those"):
        make_search("coefficients", COMPACT, JUDGE, 0, {})


def test_a_formula_with_long_constants_is_asked_to_the_last_bit() -> None:
    text = "-t*log(p)*0.30000000000000004 + p**0.12345678901234567"
    assert parse(make([text]).ask()[0].text) == parse(text)


def test_what_is_asked_does_not_depend_on_what_was_looked_at_before() -> None:
    one, other = make(["baikal", "focal"], population=5), make(["baikal", "focal"], population=5)
    for generation in range(4):
        for number in range(5 * generation, 5 * generation + 7):
            other._method.propose(random.Random(number), number)
        asked = one.ask()
        assert other.ask() == asked
        outcomes = Bench()(asked)
        one.tell(outcomes)
        other.tell(outcomes)


def glo(**settings: object) -> Search:
    stages = {"population": 12, "elites": 2, "fresh": 5, "generations": 3, "coefficients": {"population": 7, "best": 2}}
    return make_search("glo", GLO, JUDGE, 0, stages | settings)


def test_glo_goes_on_with_the_coefficients_of_its_best() -> None:
    search, bench = glo(), Bench()
    for size in (12, 10, 10):
        asked = search.ask()
        assert len(asked) == size
        assert not any("cma" in each.variation for each in asked)
        search.tell(bench(asked))
    leaders = [entry.number for entry in search.archive.best(2)]
    asked = [search.ask()]
    search.tell(bench(asked[0]))
    asked.append(search.ask())
    assert [len(each) for each in asked] == [7, 7]
    assert [{each.variation for each in batch} for batch in asked] == [{"cma"}, {"cma"}]
    assert [{each.parents for each in batch} for batch in asked] == [{(leaders[0],)}, {(leaders[1],)}]


def test_glo_goes_on_after_its_trainings_too() -> None:
    search = glo(generations=99, evaluations=5)
    run(search, 2)
    assert {each.variation for each in search.ask()} == {"cma"}


def test_glo_waits_until_there_is_something_to_go_on_with() -> None:
    search = glo(generations=1)
    for _ in range(3):
        search.tell([rejected(each) for each in search.ask()])
    run(search, 1)
    assert {each.variation for each in search.ask()} == {"cma"}


def test_glo_has_the_published_settings_and_changes_those_that_are_named() -> None:
    search = make_search("glo", GLO, JUDGE, 0, {"mutations": {"regrow": 0.25}})
    settings = search._settings
    assert (settings.population, settings.elites, settings.crossover, settings.selection) == (80, 6, 0.8, "roulette")
    assert (settings.generations, settings.coefficients.sigma, settings.fresh) == (100, 1.5, 0)
    rates = settings.mutations
    assert (rates.integer_step, rates.same_arity, rates.subtree_to_leaf, rates.leaf_to_node) == (
        0.05,
        0.05,
        0.025,
        0.025,
    )
    assert (rates.gaussian, rates.regrow, rates.wrap, rates.hoist) == (0.0, 0.25, 0.0, 0.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"coefficients": {"sigm": 1}}, r"\[search.coefficients\] .*Did you mean 'sigma'"),
        ({"coefficients": {"best": 0}}, "best is 0"),
        ({"coefficients": 3}, "coefficients is 3"),
        ({"mutations": {"gausian": 0.1}}, "Did you mean 'gaussian'"),
        ({"generations": 0}, "generations is 0"),
    ],
)
def test_glo_refuses_unfit_settings(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        glo(**settings)


def test_told_texts_are_formulas_of_the_template() -> None:
    search = make(["baikal"], population=6)
    for candidate in run(search, 3):
        assert StoredTree(candidate.text, COMPACT).text == candidate.text
        assert candidate.finding.is_void or formula_of(candidate.text, "classification") is not None
