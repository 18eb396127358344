"""Looking at trees by numbers: the same answers as torch's, fingerprints of six digits, no algebra."""

import random

import numpy as np
import pytest
from hypothesis import given, settings

from symloss.language import probing
from symloss.language.formula import Formula, parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import DIGEST, Finding, Prober, by_torch, fingerprint, prefix
from symloss.language.slots import SLOTS
from symloss.language.tree import parse_tree
from tests.strategies import formulas

PROBER = Prober("classification", 10)


def look(text: str, slot: str = "classification", width: int = 10) -> Finding:
    return Prober(slot, width).look_at(parse(text, slot))


def test_a_tree_is_looked_at_as_its_formula_is() -> None:
    tree = parse_tree("neg(mul(t, log(p)))", load_grammar("compact"))
    assert PROBER.look(tree.nodes, tree.text) == look("-t*log(p)")
    assert len(look("-t*log(p)").digest) == DIGEST


@pytest.mark.parametrize(
    ("text", "failed", "void"),
    [
        ("p", "missing variable", True),
        ("t*0*p", "missing variable", True),
        ("t*sign(p - 2)", "no gradient", True),
        ("log(-t - p)", "undefined", True),
        ("log(t - p)", "not finite", False),
        ("t*p", "uniform_step", False),
        ("-t*log(p)", "", False),
    ],
)
def test_what_fails_and_what_is_no_loss_at_all(text: str, failed: str, void: bool) -> None:
    words = list(prefix(parse(text).node)) if failed != "undefined" else None
    if words is None:  # sympy refuses to make a formula of it; the tree can be looked at all the same
        tree = parse_tree("log(sub(neg(t), p))", load_grammar("compact"))
        finding = PROBER.look(tree.nodes, tree.text)
    else:
        finding = PROBER.look(words, text)
    assert (finding.failed, finding.is_void, bool(finding.reason)) == (failed, void, bool(failed))


@pytest.mark.parametrize(
    "text",
    [
        "-t*log(p) + 1",
        "t - t*log(p)",
        "-t*log(p) + 0.3*p",
        "-t*log(p) + t**2",
        "-log(p)*t",
        "t*log(1/p)",
        "-t*log(p**2)/2",
    ],
)
def test_equal_gradients_have_one_fingerprint(text: str) -> None:
    assert look(text) == look("-t*log(p)")


@pytest.mark.parametrize("text", ["-2*t*log(p)", "-1.0001*t*log(p)", "-t*log(p) + 0.001*p**2", "-t*log(p + 0.0001)"])
def test_other_gradients_have_others(text: str) -> None:
    assert look(text) != look("-t*log(p)")


def test_rejected_losses_with_equal_gradients_are_known_as_one() -> None:
    assert look("t*p") == look("t*p + 3")


def test_fingerprints_see_six_digits_and_the_scale() -> None:
    gradient = np.linspace(-1, 1, 50)
    assert fingerprint(gradient) == fingerprint(gradient * (1 + 1e-9))
    assert fingerprint(gradient) != fingerprint(gradient * 1.001)
    bent = gradient.copy()
    bent[3] += 1e-4
    assert fingerprint(gradient) != fingerprint(bent)
    assert fingerprint(np.zeros(3)) == fingerprint(np.full(3, -0.0))


def test_fingerprints_tell_large_and_small_gradients_apart() -> None:
    gradient = np.linspace(-1, 1, 50)
    assert fingerprint(gradient * 1e200) != fingerprint(np.square(gradient) * 1e200)
    assert fingerprint(gradient * 1e308) == fingerprint(gradient * 1e308 * (1 + 1e-9))
    assert fingerprint(gradient * 1e308) != fingerprint(gradient * 0.9e308)
    assert fingerprint(gradient * 1e-300) != fingerprint(gradient * 2e-300)


@pytest.mark.parametrize("slot", SLOTS)
def test_numbers_carried_through_a_formula_are_torchs(slot: str) -> None:
    prober, probes = Prober(slot, 1 if slot == "regression" else 10), SLOTS[slot].probes(10)
    probes = SLOTS[slot].probes(1 if slot == "regression" else 10)

    @settings(max_examples=60, deadline=None)
    @given(formulas(slot))
    def agree(formula: Formula) -> None:
        found = prober.respond(list(prefix(formula.node)), formula.text)
        with np.errstate(all="ignore"):  # as whoever looks does: exp(t/p) is infinite where t is not moving
            value, slope = by_torch(formula, probes)
        slope = np.zeros(probes.points) if slope is None else slope
        sound = np.isfinite(value) & np.isfinite(slope) & (np.abs(slope) < 1e100)
        assert np.allclose(found.values[sound], value[sound], rtol=1e-8, atol=1e-8)
        if sound.all():
            assert np.allclose(
                found.gradients, probes.pull_back(slope), rtol=1e-6, atol=1e-6 * (1 + np.abs(slope).max())
            )

    agree()


def test_an_operator_without_a_rule_is_looked_at_through_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("t*tanh(1 - p)", "tanh(t)*p", "-t*log(p)", "t*tanh(log(p - 2))")
    expected = [look(text) for text in texts if text != texts[3]]
    rules = {name: rule for name, rule in probing.DUALS.items() if name != "tanh"}
    monkeypatch.setattr(probing, "DUALS", rules)
    assert [look(text) for text in texts if text != texts[3]] == expected
    tree = [*prefix(parse("tanh(t*p)").node)]
    assert PROBER.look(tree, "tanh(log(mul(neg(t), p)))").failed in ("undefined", "not finite")


def test_a_look_draws_nothing_at_random() -> None:
    random.seed(3)
    before = random.getstate(), np.random.get_state()[1].tolist()
    assert look("-t*log(p)") == look("-t*log(p)")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


@pytest.mark.parametrize("width", [2, 3, 10, 100])
def test_any_number_of_classes(width: int) -> None:
    assert look("-t*log(p)", width=width).failed == ""
    assert look("t*log(p)", width=width).failed == "uniform_step"
