"""What is in flight: a batch lands when all of it has ended, and a duplicate after its twin."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.grammar import load_grammar
from symloss.language.probing import Prober
from symloss.language.tree import parse_tree
from symloss.running.flight import Flight, Flights

TREE = parse_tree("mul(t, p)", load_grammar("compact"))
FINDING = Prober("classification", 10).look(TREE.nodes, TREE.text)


def flight(first: int, size: int = 2) -> Flight:
    own = [Candidate(n, TREE.text, "classification", FINDING, (), "initial", 0) for n in range(first, first + size)]
    return Flight(own, Counter({"trainable": size}))


def ended(number: int, twin: int | None = None) -> Outcome:
    return Outcome(number, State.CRASHED if twin is None else State.DUPLICATE, "so it is", twin=twin)


@given(st.permutations(range(8)), st.lists(st.sampled_from([None, 0, 1, 2, 3]), min_size=4, max_size=4))
def test_all_land_once_each_after_its_twins(order: list[int], twins: list[int | None]) -> None:
    flights, landed = Flights(), list[int]()
    for first in range(0, 8, 2):
        flights.add(flight(first))
    for number in order:
        twin = twins[number - 4] if number >= 4 else None
        for each in flights.landing(flights.enter([ended(number, twin)])):
            first = each.candidates[0].number
            assert all(one.twin is None or one.twin // 2 * 2 in landed for one in each.outcomes.values())
            landed.append(first)
    assert sorted(landed) == [0, 2, 4, 6]
    assert not flights
    assert not flights.screened


def test_what_is_not_whole_does_not_land() -> None:
    flights = Flights()
    flights.add(flight(0))
    assert list(flights.landing(flights.enter([ended(0)]))) == []
    assert flights
    assert flights.screened == {"trainable": 2}
