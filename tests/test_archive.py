"""The hall of fame: each formula once, twins once, best per complexity, the front."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.formula import parse
from symloss.searching.archive import HallOfFame, count_words

# by complexity: 1, 3, 3, 5, ...
TEXTS = ("p", "t*p", "t + p", "t*p + 0.5", "t*p + p", "t*p*2 + p", "t*p*2 + p*3", "t*p*2 + p*3 + 0.1")


class Hall(HallOfFame):
    """A hall of fame of classification losses, entered as read formulas."""

    def __init__(self) -> None:
        super().__init__("classification")

    def enter(self, number: int, text: str, fitness: float, twin: int | None = None) -> None:
        self.add(number, text, fitness, parse(text).canonical(), twin)


def texts(entries: list) -> list[str]:
    assert all(entry.formula.text == entry.text for entry in entries)
    return [entry.text for entry in entries]


def test_the_front_gets_fitter_with_complexity() -> None:
    hall = Hall()
    for number, (text, fitness) in enumerate(zip(TEXTS, (0.1, 0.5, 0.3, 0.4, 0.6, 0.6, 0.2, 0.9), strict=True)):
        hall.enter(number, text, fitness)
    assert texts(hall.front()) == [parse(text).text for text in ("p", "t*p", "t*p + p", "t*p*2 + p*3 + 0.1")]
    assert texts(hall.best(2)) == [parse("t*p*2 + p*3 + 0.1").text, parse("t*p + p").text]
    assert hall.by_complexity()[3].formula == parse("t*p")


def test_a_formula_is_listed_once() -> None:
    hall = Hall()
    hall.enter(0, "t*p", 0.5)
    hall.enter(7, "p*t", 0.9)
    assert len(hall) == 1
    assert hall.best(5)[0].fitness == 0.5


def test_failures_are_not_listed() -> None:
    hall = Hall()
    hall.enter(0, "t*p", -math.inf)
    hall.enter(1, "t+p", math.nan)
    hall.add(2, "log(neg(1))", 0.5)
    assert hall.best(5) == hall.front() == []


def test_of_twins_the_simplest_stands_for_all() -> None:
    hall = Hall()
    hall.enter(0, "t*p + 0.5", 0.5)
    hall.enter(1, "t*p + 0.25", 0.5, twin=0)
    hall.enter(2, "t*p", 0.5, twin=0)
    hall.enter(3, "t*p*2 + p*3", 0.4)
    assert [(entry.number, entry.fitness) for entry in hall.best(5)] == [(2, 0.5), (3, 0.4)]
    assert texts(hall.front()) == ["p*t"]


def test_of_equally_fit_formulas_the_simpler_comes_first_then_the_earlier() -> None:
    hall = Hall()
    for number, text in ((0, "t*p + p"), (1, "t + p"), (2, "t*p")):
        hall.enter(number, text, 0.5)
    assert [entry.number for entry in hall.best(3)] == [1, 2, 0]


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.floats(0, 1), st.integers(0, 20)), max_size=20))
def test_nothing_listed_beats_the_front(rows: list[tuple[str, float, int]]) -> None:
    hall = Hall()
    for number, (text, fitness, _) in enumerate(rows):
        hall.enter(number, text, fitness)
    front = hall.front()
    for entry in hall.best(len(hall)):
        assert any(other.fitness >= entry.fitness and other.complexity <= entry.complexity for other in front)
    assert len({entry.formula.key for entry in hall.best(99)}) == len(hall)


def test_a_twin_that_nobody_has_read_is_read_only_where_it_may_be_simpler(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    hall.enter(0, "t*p + 0.5", 0.5)
    read: list[str] = []
    monkeypatch.setattr("symloss.searching.archive._read", lambda text, slot: read.append(text) or parse(text, slot))
    hall.add(1, "add(mul(t, p), sub(0.7, 0.4))", 0.5, twin=0)
    hall.add(2, "mul(t, p)", 0.5, twin=0)
    hall.add(3, "mul(p, t)", 0.5, twin=0)
    assert read == ["mul(t, p)"]
    assert [(entry.number, entry.text) for entry in hall.best(5)] == [(2, "p*t")]


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.floats(0, 1), st.integers(0, 3)), max_size=20))
def test_the_leader_is_the_best(rows: list[tuple[str, float, int]]) -> None:
    hall = Hall()
    for number, (text, fitness, _) in enumerate(rows):
        hall.enter(number, text, fitness)
    leader = hall.leader()
    assert ([] if leader is None else [leader]) == hall.best(1)


@pytest.mark.parametrize(
    ("text", "words"), [("mul(t, log(p))", 4), ("pow(p, -1.5e-05)", 3), ("sub(1, t)", 3), ("p", 1)]
)
def test_the_words_of_a_trees_text_are_its_nodes(text: str, words: int) -> None:
    assert count_words(text) == words
