"""TaylorGLO: its polynomials, its published loss, and its invariant, which is the free test of every search."""

import math

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from symloss.errors import ExperimentError
from symloss.language import reading
from symloss.language.formula import parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import Prober
from symloss.language.template import written
from symloss.language.tree import StoredTree
from symloss.language.zoo import ZOO, zoo
from symloss.searching.searches import make_search
from symloss.searching.taylor import taylor_template, terms
from tests.searching import JUDGE, Bench, rejected, run

GLO = load_grammar("glo")
SMALL = st.floats(-4, 4).map(lambda x: round(x, 3))


@pytest.mark.parametrize(("order", "numbers"), [(2, 5), (3, 8), (4, 12)])
def test_orders_have_as_many_numbers_as_published(order: int, numbers: int) -> None:
    assert taylor_template(order).count == numbers == 2 + len(list(terms(order)))


def test_the_published_loss_comes_out_of_the_parameters() -> None:
    c = ZOO["taylorglo_mnist"].constants
    # The zoo's constants have absorbed the factorials.
    theta = [c["t0"], c["p0"], c["d"], 2 * c["dd"], 6 * c["ddd"], c["ed"], 2 * c["edd"], 2 * c["eed"]]
    text = written(taylor_template(3).fill(theta))
    prober = Prober("classification", 10)
    assert prober.look_at(parse(text)).digest == prober.look_at(zoo["taylorglo_mnist"]).digest
    assert taylor_template(3).read(StoredTree(text, GLO).nodes) == pytest.approx(theta)


@settings(deadline=None, max_examples=25)
@given(st.lists(SMALL, min_size=12, max_size=12), st.sampled_from([0.0, 1.0]), st.floats(0.01, 0.99))
def test_a_polynomial_has_the_derivatives_that_its_numbers_say(theta: list[float], t: float, p: float) -> None:
    def polynomial(x: float, y: float) -> float:
        powers = zip(theta[2:], terms(4), strict=True)
        factorial = math.factorial
        return sum(
            th * (x - theta[0]) ** i * (y - theta[1]) ** j / (factorial(i) * factorial(j)) for th, (i, j) in powers
        )

    assume(any(theta[2:]))
    loss = parse(written(taylor_template(4).fill(theta, digits=17)))
    difference = reading.evaluate(loss.node, {"t": t, "p": p}) - reading.evaluate(loss.node, {"t": t, "p": 0.5})
    assert difference == pytest.approx(-(polynomial(t, p) - polynomial(t, 0.5)), rel=1e-6, abs=1e-6)


def invariant(theta: list[float], classes: int) -> float:
    """Return by how much the true class's slope exceeds the others' at uniform output: TaylorGLO's closed form.

    With f(t, p) the polynomial, the loss's gradient at the true class's logit is -(1 - 1/n)/n (f_p(1, 1/n) -
    f_p(0, 1/n)): a step raises the class exactly where the difference is positive.
    """
    return theta[5] + theta[6] * (1 / classes - theta[1]) + theta[7] * (1 - 2 * theta[0]) / 2


@settings(deadline=None)
@given(st.lists(SMALL, min_size=8, max_size=8), st.sampled_from([2, 3, 10, 100]))
@example([0.0, 0.0, 1.0, 0.0, 0.0, 0.5, 0.0, 0.0], 10)
@example([0.0, 0.0, 1.0, 0.0, 0.0, -0.5, 0.0, 0.0], 10)
def test_the_free_test_of_all_searches_is_the_invariant(theta: list[float], classes: int) -> None:
    margin = invariant(theta, classes)
    assume(abs(margin) > 1e-4)
    text = written(taylor_template(3).fill(theta, digits=17))
    finding = Prober("classification", classes).look(StoredTree(text, GLO).nodes, text)
    assert (finding.failed == "") == (margin > 0)
    assert finding.failed in ("", "uniform_step")


def test_it_starts_around_the_zero_vector_with_the_published_population() -> None:
    search = make_search("taylor", GLO, JUDGE, 0, {})
    first = search.ask()
    assert len(first) == 28
    drawn = [taylor_template(3).read(StoredTree(each.text, GLO).nodes) or () for each in first]
    values = [number for numbers in drawn for number in numbers]
    assert len(values) == 28 * 8
    assert abs(sum(values) / len(values)) < 0.3
    assert 0.9 < math.sqrt(sum(value**2 for value in values) / len(values)) < 1.5
    assert {each.variation for each in first} == {"taylor"}


def test_it_moves_to_where_the_invariant_holds() -> None:
    search, bench = make_search("taylor", GLO, JUDGE, 0, {"order": 2}), Bench(lambda candidate: 0.5)

    def judged(candidates):
        return [bench([each])[0] if not each.finding.failed else rejected(each) for each in candidates]

    shares = []
    for _ in range(12):
        asked = search.ask()
        shares.append(sum(not each.finding.failed for each in asked) / len(asked))
        search.tell(judged(asked))
    assert shares[0] < 0.7 < 0.85 < sum(shares[-3:]) / 3


def test_it_serves_every_slot_with_a_target_and_an_output() -> None:
    search = make_search("taylor", load_grammar("regression"), JUDGE, 0, {"order": 2}, width=1)
    first = parse(search.ask()[0].text, "regression")
    assert first.variables >= {"y", "f"} or first.variables >= {"r"}
    with pytest.raises(ExperimentError, match="of the slot activation, whose formulas see x; choose a grammar of"):
        make_search("taylor", load_grammar("activation"), JUDGE, 0, {})


@pytest.mark.parametrize("order", [1, 5, "3", True])
def test_other_orders_are_refused(order: object) -> None:
    with pytest.raises(ExperimentError, match=r"order is .*; allowed: one of 2, 3, 4"):
        make_search("taylor", GLO, JUDGE, 0, {"order": order})


def test_higher_orders_run() -> None:
    for order in (2, 4):
        assert len(run(make_search("taylor", GLO, JUDGE, 0, {"order": order, "population": 6}), 3)) == 18
