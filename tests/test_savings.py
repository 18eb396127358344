"""What the free tests and the rungs saved, counted from a store: all of it, and in groups that mean something."""

import re

import pytest

from symloss.language.candidate import Measurement, Outcome, State
from symloss.running.reached import Reached
from symloss.running.run import search
from symloss.telling.report.material import gather
from symloss.telling.report.savings import TWIN, rungs, savings, without_numbers
from tests.runs import make_run


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("its value is not finite at 44 of 440 probe points of the range: nan at point 0", "its value is not finite"),
        ("a step does not raise the true class (gradient 0.09 on its logit)", "a step does not raise the true class"),
        ("its gradient is zero everywhere, so nothing is learnt", "its gradient is zero everywhere"),
        ("it does not see t and p", "it does not see t and p"),
        ("ValueError: got 3", "ValueError"),
        ("-3 is too small", "-3 is too small"),
        ("", ""),
    ],
)
def test_reasons_lose_their_particulars(reason, kind):
    assert without_numbers(reason) == kind


def test_a_real_search_is_counted_whole(tmp_path):
    small = ["search.population=60", "search.elites=2", "budget.steps=2", "budget.seeds=1", "stop.generations=1"]
    few = ["finals.seeds=2", "finals.steps=2", "finals.top=1", "finals.resamples=100", 'finals.baselines=["gce"]']
    rates = ["budget.learning_rates=[0.01]", "finals.learning_rates=[0.01]", "budget.rungs=[]"]
    search("noisy_digits", tmp_path / "run", workers=0, overrides=[*small, *few, *rates])
    material = gather(tmp_path / "run")
    found = savings(material.endings, material.mean_seconds)
    ended = {state: sum(each.count for each in found if each.state == state) for state in ("rejected", "duplicate")}
    assert ended == {state: material.counts.get(state, 0) for state in ended}
    assert ended["rejected"] > 10
    assert len(found) < 12  # kinds, not single reasons
    assert not [each for each in found if re.search(r"\d", each.kind)]


def test_a_test_saves_what_training_costs_on_average(tmp_path):
    material = gather(make_run(tmp_path / "run", 100))
    found = savings(material.endings, material.mean_seconds)
    zero = "the tree divides by zero"
    assert [(each.kind, each.count) for each in found] == [("its value is not finite", 50), (zero, 10), (TWIN, 9)]
    assert all(each.seconds == pytest.approx(0.25 * each.count) for each in found)
    assert found[0].example.startswith("its value is not finite at ")


def scored(number: int, *places: tuple[int, float, int]) -> Outcome:
    measured = tuple(Measurement(*place, {"accuracy": 0.5}) for place in places)
    return Outcome(number, State.SCORED, measurements=measured)


def test_rungs_say_how_far_trainings_went():
    full = scored(0, (50, 0.1, 1), (50, 0.2, 1), (200, 0.1, 1), (200, 0.2, 1))
    early = scored(1, (50, 0.1, 1), (50, 0.2, 1))
    halved = scored(2, (50, 0.1, 1), (50, 0.2, 1), (200, 0.1, 1))
    failed = Outcome(3, State.DIVERGED, "it was not finite")
    first, last = rungs(Reached().plus([full, early]).plus([failed, halved]))
    assert (first.step, first.trainings, first.candidates, first.stopped) == (50, 6, 3, 1)
    assert (last.step, last.trainings, last.candidates, last.stopped) == (200, 3, 2, 0)
    assert first.saved == 3 * 150  # both trainings of the early one, and one of the halved one
    assert last.saved == 0


def test_nothing_saves_nothing():
    assert savings([], 0.0) == []
    assert rungs(Reached()) == []
