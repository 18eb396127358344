"""Screening: each free test rejects what it is for, in words; equal gradients are duplicates; order is the state."""

from dataclasses import replace

import pytest
import torch

from symloss.judging.screen import Screen, fingerprint
from symloss.language.candidate import Candidate, State
from symloss.language.formula import parse
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo


def candidates(*texts, slot="classification"):
    return [Candidate(i, text, parse(text, slot)) for i, text in enumerate(texts)]


def one(text, slot="classification", width=10):
    screen = Screen(slot, width)
    return screen.check(candidates(text, slot=slot))[0], screen.counts


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
def test_what_is_not_worth_training_is_rejected(text, kind, words):
    outcome, counts = one(text)
    assert outcome.state is State.REJECTED
    assert words in outcome.reason
    assert counts == {kind: 1}


@pytest.mark.parametrize("slot", SLOTS)
def test_baselines_are_worth_training(slot):
    screen = Screen(slot, 1 if slot == "regression" else 10)
    asked = [Candidate(i, name, zoo[name]) for i, name in enumerate(SLOTS[slot].baselines)]
    assert screen.check(asked) == [None] * len(asked)
    assert screen.counts == {"trainable": len(asked)}


@pytest.mark.parametrize(("text", "slot"), [("2*x + 1", "activation"), ("-r**2", "regression")])
def test_the_slots_own_tests_are_asked(text, slot):
    outcome, counts = one(text, slot, width=1)
    assert outcome.state is State.REJECTED
    assert set(counts) <= {test.name for test in SLOTS[slot].tests}


def test_a_candidate_without_formula_is_rejected_with_its_fault():
    outcome = Screen("classification", 10).check([Candidate(4, "log(neg(1))", None, fault="log(-1) is undefined")])[0]
    assert (outcome.candidate, outcome.state, outcome.reason) == (4, State.REJECTED, "log(-1) is undefined")


def test_equal_gradients_are_duplicates_of_the_first():
    texts = ("-t*log(p)", "3 - t*log(p)", "-2*t*log(p)", "-t*log(p) + t", "-log(p)*t", "-2*t*log(p) + 1")
    outcomes = Screen("classification", 10).check(candidates(*texts))
    assert [outcome and outcome.twin for outcome in outcomes] == [None, 0, None, 0, 0, 2]
    assert outcomes[1].state is State.DUPLICATE
    assert outcomes[1].reason == "its gradient equals that of candidate 0"


def test_rejected_candidates_are_nobodys_twins():
    outcomes = Screen("classification", 10).check(candidates("-log(p)", "-log(p)"))
    assert [outcome.state for outcome in outcomes] == [State.REJECTED] * 2


def test_the_same_candidates_in_order_rebuild_the_screen():
    texts = ("-t*log(p)", "t*p", "(t - p)**2", "-t*log(p) + 3", "t*(1 - p)")
    whole, rebuilt = Screen("classification", 10), Screen("classification", 10)
    expected = whole.check(candidates(*texts))
    rebuilt.check(candidates(*texts)[:3])
    assert rebuilt.check(candidates(*texts)[3:]) == expected[3:]
    assert rebuilt.counts == whole.counts
    assert sum(whole.counts.values()) == len(texts)


def test_fingerprints_see_six_digits_and_the_scale():
    gradient = torch.linspace(-1, 1, 50, dtype=torch.float64)
    assert fingerprint(gradient) == fingerprint(gradient * (1 + 1e-9))
    assert fingerprint(gradient) != fingerprint(gradient * 1.001)
    bent = gradient.clone()
    bent[3] += 1e-4
    assert fingerprint(gradient) != fingerprint(bent)
    assert fingerprint(torch.zeros(3, dtype=torch.float64)) == fingerprint(torch.full((3,), -0.0, dtype=torch.float64))


def test_fingerprints_tell_large_gradients_apart():
    gradient = torch.linspace(-1, 1, 50, dtype=torch.float64)
    assert fingerprint(gradient * 1e200) != fingerprint(gradient.square() * 1e200)
    assert fingerprint(gradient * 1e308) == fingerprint(gradient * 1e308 * (1 + 1e-9))
    assert fingerprint(gradient * 1e308) != fingerprint(gradient * 0.9e308)
    assert fingerprint(gradient * 1e-300) != fingerprint(gradient * 2e-300)


def test_a_formula_that_fails_to_compute_is_rejected(monkeypatch):
    def broken(function, width):
        raise RuntimeError("no memory")

    screen = Screen("classification", 10)
    monkeypatch.setattr(screen, "_slot", replace(SLOTS["classification"], respond=broken))
    outcome = screen.check(candidates("-t*log(p)"))[0]
    assert (outcome.state, outcome.reason) == (State.REJECTED, "RuntimeError: no memory")
