"""The hall of fame: each formula once, twins once, best per complexity, the front."""

import math

from hypothesis import given
from hypothesis import strategies as st

from symloss.language.candidate import Candidate
from symloss.language.formula import parse
from symloss.searching.archive import HallOfFame

# by complexity: 1, 3, 3, 5, ...
TEXTS = ("p", "t*p", "t + p", "t*p + 0.5", "t*p + p", "t*p*2 + p", "t*p*2 + p*3", "t*p*2 + p*3 + 0.1")


def candidate(number: int, text: str) -> Candidate:
    return Candidate(number, text, parse(text))


def texts(entries: list) -> list[str]:
    return [entry.formula.text for entry in entries]


def test_the_front_gets_fitter_with_complexity() -> None:
    hall = HallOfFame()
    for number, (text, fitness) in enumerate(zip(TEXTS, (0.1, 0.5, 0.3, 0.4, 0.6, 0.6, 0.2, 0.9), strict=True)):
        hall.add(candidate(number, text), fitness)
    assert texts(hall.front()) == [parse(text).text for text in ("p", "t*p", "t*p + p", "t*p*2 + p*3 + 0.1")]
    assert texts(hall.best(2)) == [parse("t*p*2 + p*3 + 0.1").text, parse("t*p + p").text]
    assert hall.by_complexity()[3].formula == parse("t*p")


def test_a_formula_is_listed_once() -> None:
    hall = HallOfFame()
    hall.add(candidate(0, "t*p"), 0.5)
    hall.add(candidate(7, "p*t"), 0.9)
    assert len(hall) == 1
    assert hall.best(5)[0].fitness == 0.5


def test_failures_are_not_listed() -> None:
    hall = HallOfFame()
    hall.add(candidate(0, "t*p"), -math.inf)
    hall.add(candidate(1, "t+p"), math.nan)
    hall.add(Candidate(2, "log(-1)", None, "undefined"), 0.5)
    assert hall.best(5) == hall.front() == []


def test_of_twins_the_simplest_stands_for_all() -> None:
    hall = HallOfFame()
    hall.add(candidate(0, "t*p + 0.5"), 0.5)
    hall.add(candidate(1, "t*p + 0.25"), 0.5, twin=0)
    hall.add(candidate(2, "t*p"), 0.5, twin=0)
    hall.add(candidate(3, "t*p*2 + p*3"), 0.4)
    assert [(entry.candidate.number, entry.fitness) for entry in hall.best(5)] == [(2, 0.5), (3, 0.4)]
    assert texts(hall.front()) == ["p*t"]


def test_of_equally_fit_formulas_the_simpler_comes_first_then_the_earlier() -> None:
    hall = HallOfFame()
    for number, text in ((0, "t*p + p"), (1, "t + p"), (2, "t*p")):
        hall.add(candidate(number, text), 0.5)
    assert [entry.candidate.number for entry in hall.best(3)] == [1, 2, 0]


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.floats(0, 1), st.integers(0, 20)), max_size=20))
def test_nothing_listed_beats_the_front(rows: list[tuple[str, float, int]]) -> None:
    hall = HallOfFame()
    for number, (text, fitness, _) in enumerate(rows):
        hall.add(candidate(number, text), fitness)
    front = hall.front()
    for entry in hall.best(len(hall)):
        assert any(other.fitness >= entry.fitness and other.complexity <= entry.complexity for other in front)
    assert len({entry.formula.key for entry in hall.best(99)}) == len(hall)
