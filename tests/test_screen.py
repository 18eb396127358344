"""Screening: what the free tests reject is counted; equal gradients are duplicates; the order is the state."""

import tracemalloc
from collections.abc import Iterator

import pytest

from symloss.judging.screen import Screen
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.formula import Canonical, parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import Finding, Prober, prefix
from symloss.language.slots import SLOTS
from symloss.language.tree import parse_tree
from symloss.language.zoo import zoo
from symloss.searching.archive import HallOfFame
from symloss.searching.proposing import Draft
from symloss.searching.searches import make_search
from tests.searching import JUDGE


def candidates(*texts: str, slot: str = "classification", width: int = 10) -> list[Candidate]:
    prober = Prober(slot, width)
    return [
        Candidate(i, text, slot, prober.look(list(prefix(parse(text, slot).node)), text))
        for i, text in enumerate(texts)
    ]


def one(text: str, slot: str = "classification", width: int = 10) -> tuple[Outcome | None, dict[str, int]]:
    screen = Screen()
    return screen.check(candidates(text, slot=slot, width=width))[0], screen.counts


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("-log(p)", "missing variable", "it does not see t"),
        ("t**2", "missing variable", "it does not see p"),
        ("3", "missing variable", "it does not see t and p"),
        ("log(t - p)", "not finite", "its value is not finite at"),
        ("log(p - 0.001) * t", "not finite", "nan at point"),
        ("t*p", "uniform_step", "a step at uniform output does not raise the true class"),
        ("t*sign(p - 0.5)", "no gradient", "its gradient is zero everywhere"),
    ],
)
def test_what_is_not_worth_training_is_rejected(text: str, kind: str, words: str) -> None:
    outcome, counts = one(text)
    assert outcome is not None
    assert outcome.state is State.REJECTED
    assert words in outcome.reason
    assert counts == {kind: 1}


@pytest.mark.parametrize("slot", SLOTS)
def test_baselines_are_worth_training(slot: str) -> None:
    screen, prober = Screen(), Prober(slot, 1 if slot == "regression" else 10)
    names = SLOTS[slot].baselines
    asked = [Candidate(i, name, slot, prober.look_at(zoo[name])) for i, name in enumerate(names)]
    assert screen.check(asked) == [None] * len(asked)
    assert screen.counts == {"trainable": len(asked)}


@pytest.mark.parametrize(("text", "slot"), [("2*x + 1", "activation"), ("-r**2", "regression")])
def test_the_slots_own_tests_are_asked(text: str, slot: str) -> None:
    outcome, counts = one(text, slot, width=1)
    assert outcome is not None
    assert outcome.state is State.REJECTED
    assert set(counts) <= {test.name for test in SLOTS[slot].tests}


def test_equal_gradients_are_duplicates_of_the_first() -> None:
    texts = ("-t*log(p)", "3 - t*log(p)", "-2*t*log(p)", "-t*log(p) + t", "-log(p)*t", "-2*t*log(p) + 1")
    outcomes = Screen().check(candidates(*texts))
    assert [outcome and outcome.twin for outcome in outcomes] == [None, 0, None, 0, 0, 2]
    assert outcomes[1] is not None
    assert outcomes[1].state is State.DUPLICATE
    assert outcomes[1].reason == "its gradient equals that of candidate 0"


def test_what_the_probe_points_reject_is_nobodys_twin() -> None:
    outcomes = Screen().check(candidates("-log(p)", "-log(p)"))
    assert [outcome and outcome.state for outcome in outcomes] == [State.REJECTED] * 2


def test_the_same_candidates_in_order_rebuild_the_screen() -> None:
    texts = ("-t*log(p)", "t*p", "(t - p)**2", "-t*log(p) + 3", "t*(1 - p)")
    whole, rebuilt = Screen(), Screen()
    expected = whole.check(candidates(*texts))
    rebuilt.check(candidates(*texts)[:3])
    assert rebuilt.check(candidates(*texts)[3:]) == expected[3:]
    assert rebuilt.counts == whole.counts
    assert sum(whole.counts.values()) == len(texts)


def test_what_workers_reject_is_counted_by_its_test() -> None:
    screen = Screen()
    screen.check(candidates("-t*log(p)", "(t - p)**2", "-t*p", "t*p"))
    reasons = ("free outputs: they stay", "no formula: undefined everywhere")
    ended = [Outcome(i, State.REJECTED, reason) for i, reason in enumerate(reasons)]
    screen.learn([*ended, Outcome(2, State.CRASHED, "free outputs: not this state"), Outcome(3, State.REJECTED, "no")])
    assert screen.counts == {"trainable": 1, "free outputs": 1, "no formula": 1, "uniform_step": 1}


def synthetic(count: int) -> Iterator[Candidate]:
    for number in range(count):
        yield Candidate(number, f"mul(t, {number})", "classification", Finding(number.to_bytes(16)), seed=number)


def test_a_million_candidates_fit_into_memory() -> None:
    # what the run keeps of each: its fingerprint here, and, were it scored, its line in the hall of fame
    count = 20_000
    screen, hall = Screen(), HallOfFame("classification")
    tracemalloc.start()
    try:
        for candidate in synthetic(count):
            assert screen.check([candidate]) == [None]
        screened = tracemalloc.get_traced_memory()[0] / count
        for number in range(count):
            hall.add(number, "", number / count, Canonical(f"{number:016x}", f"t*p**{number}", 5), number)
        listed = tracemalloc.get_traced_memory()[0] / count - screened
    finally:
        tracemalloc.stop()
    assert screened < 250
    assert listed < 600


def test_a_search_keeps_little_of_each_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    count, batch = 20_000, 2_000
    search = make_search("random", load_grammar("compact"), JUDGE, 0, {"batch": batch})
    tree = parse_tree("mul(t, p)", load_grammar("compact"))
    monkeypatch.setattr(search._method, "propose", lambda rng, number: Draft(tree))
    monkeypatch.setattr(search._proposer._prober, "look", lambda words, text: Finding(search_digest(next(numbers))))
    numbers = iter(range(2 * count))
    tracemalloc.start()
    try:
        for _ in range(count // batch):
            search.tell([Outcome(each.number, State.DIVERGED, "not finite") for each in search.ask()])
        kept = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert kept < 200


def search_digest(number: int) -> bytes:
    return number.to_bytes(16)
