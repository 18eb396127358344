"""The winner's family: its line of descent, everybody drawn once, and no circle whatever a store says."""

import pytest

from symloss.language.candidate import Measurement, Outcome, State
from symloss.running.storage.store import StoredCandidate
from symloss.telling.report.ancestry import MOST, family
from symloss.telling.report.material import Row


def row(number: int, parents=(), text: str = "mul(t, p)", fitness: float | None = 0.5) -> Row:
    candidate = StoredCandidate(number, number // 4, text, "-t*p", "k", 3, "", tuple(parents), "crossover", 1)
    outcome = Outcome(number, State.SCORED, measurements=(Measurement(1, 0.1, 1, {"accuracy": 0.5}),))
    return Row(candidate, outcome, fitness, number + 1)


def rows(*made: Row) -> dict[int, Row]:
    return {each.number: each for each in made}


def test_the_line_follows_first_parents_from_the_oldest():
    known = family(
        rows(row(0), row(1, text="log(p)"), row(2, [0, 1], "mul(t, log(p))", 0.75), row(3, [2], "mul(t, p)", None)), 3
    )
    assert [step.row.number for step in known.line] == [0, 2, 3]
    first, second, third = known.line
    assert (first.pieces, first.donor, first.gain) == (None, None, None)
    assert (second.donor.number, second.lent, second.gain) == (1, ("log(p)",), 0.25)
    assert [piece.change for piece in second.pieces] == ["same", "in", "same", "in", "same"]
    assert third.gain is None
    assert {each.number for each in known.members} == {0, 1, 2, 3}
    assert set(known.links) == {(0, 2), (1, 2), (2, 3)}
    assert known.left_out == 0


def test_a_newly_grown_winner_has_no_ancestors():
    known = family(rows(row(5)), 5)
    assert [step.row.number for step in known.line] == [5]
    assert known.links == ()


def test_a_parent_that_mated_with_itself_is_no_donor():
    assert family(rows(row(0), row(1, [0, 0])), 1).line[1].donor is None


def test_parents_that_are_missing_or_come_later_lead_nowhere():
    known = family(rows(row(0, [1]), row(1, [0, 7])), 1)
    assert [step.row.number for step in known.line] == [0, 1]
    assert family(rows(row(3, [3])), 3).links == ()


def test_nobody_is_unknown():
    assert family({}, 3) is None


@pytest.mark.parametrize("count", [MOST + 50])
def test_the_nearest_are_drawn_and_the_others_counted(count):
    chain = rows(*(row(number, [number - 1] if number else []) for number in range(count)))
    known = family(chain, count - 1)
    assert len(known.members) == MOST
    assert known.left_out == 50
    assert min(each.number for each in known.members) == 50
