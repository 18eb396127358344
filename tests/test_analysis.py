"""What is said of a formula without training it: checked against the published figures and against calculus."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.formula import parse
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis import TRAITS, evaluate, first_step, optimum, residual_optimum, slope, traits
from symloss.telling.curves import curves

# name: p* and first-step gradient relative to cross-entropy's, 10 classes, as published or derived
PUBLISHED = {
    "cross_entropy": (1.0, 1.0),
    "poly1": (1.0, 1.1),
    "focal": (1.0, 1.2245),
    "gce": (1.0, 0.1995),
    "sce": (1.0, None),
    "brier": (1.0, 0.2),
    "label_smoothing": (0.910, 0.90),
    "baikal": (0.316, 10.0),
    "baikal_cma": (0.389, 49.5),
    "taylorglo_mnist": (0.531, 14.0),
    "ngl": (0.391, 0.08),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_optimum_is_the_published_one(name):
    assert optimum(zoo[name]).p == pytest.approx(PUBLISHED[name][0], abs=6e-4)


@pytest.mark.parametrize("name", [name for name, (_, step) in PUBLISHED.items() if step is not None])
def test_first_step_is_the_published_one(name):
    assert first_step(zoo[name]) == pytest.approx(PUBLISHED[name][1], rel=0.02)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_baikal_optimum_is_one_over_the_root_of_the_classes(classes):
    assert optimum(zoo["baikal"], classes).p == pytest.approx(1 / math.sqrt(classes), abs=1e-6)


def test_an_uneven_optimum_is_found():
    # Rewards one wrong class for having much mass, so sharing it evenly is not the best.
    found = optimum(parse("-t*log(p) - 3*(1 - t)*p**2"))
    assert not found.even
    assert found.p < 0.5


@pytest.mark.parametrize("text", ["t + C", "-p", "0"])
def test_a_flat_formula_has_no_optimum(text):
    assert math.isnan(optimum(parse(text)).p)


def test_a_formula_undefined_at_every_output_has_no_optimum():
    assert math.isnan(optimum(parse("t*sqrt(p - 0.5)")).p)  # NaN for the other classes, who have p < 0.5


@given(st.floats(0.05, 0.95))
def test_optimum_of_a_parabola_is_its_vertex(vertex):
    assert optimum(parse(f"t*(p - {vertex!r})**2")).p == pytest.approx(vertex, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r**2", 0.0),
        ("abs(f - y)", 0.0),
        ("(f - 1.1*y)**2", 0.1),
        ("(r - 2)**2", 2.0),
        ("-r**2", math.nan),
        ("y", math.nan),
    ],
)
def test_residual_optimum(text, expected):
    assert residual_optimum(parse(text, "regression")) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", [name for name in ZOO if "p" in zoo[name].variables])
def test_slope_is_the_difference_quotient(name):
    formula, h = zoo[name], 1e-6
    p = np.linspace(0.05, 0.95, 19)  # away from the kink of abs(p - t)
    for t in (0.0, 1.0):
        sides = [evaluate(formula.node, {"t": t, "p": p + side * h, "C": 10.0}) for side in (-1, 1)]
        quotient = (sides[1] - sides[0]) / (2 * h)
        assert np.allclose(evaluate(slope(formula, "p"), {"t": t, "p": p, "C": 10.0}), quotient, rtol=1e-4, atol=1e-5)


def test_slope_at_a_kink_is_the_mean_of_both_sides():
    for text in ("abs(x)", "max(x, -x)", "sign(x)"):
        assert evaluate(slope(parse(text, "activation"), "x"), {"x": 0.0}) == 0


def test_evaluate_says_nan_where_a_formula_is_undefined():
    values = evaluate(parse("t*sqrt(p - 0.5)").node, {"t": 1.0, "p": np.array([0.4, 0.6])})
    assert np.isnan(values[0])
    assert np.isfinite(values[1])


@pytest.mark.parametrize("name", ZOO)
def test_every_trait_of_a_published_formula_can_be_told(name):
    found = traits(zoo[name])
    assert tuple(found) == SLOTS[zoo[name].slot].traits
    assert all(finding.words for finding in found.values())


@pytest.mark.parametrize("slot", SLOTS)
def test_slots_name_known_traits_and_have_curves(slot):
    assert set(SLOTS[slot].traits) <= TRAITS.keys()
    assert curves(zoo[SLOTS[slot].baselines[0]]).x.size


@pytest.mark.parametrize("name", ZOO)
def test_gradient_curve_follows_the_values(name):
    drawn = curves(zoo[name])
    assert drawn.x.shape == drawn.values.shape == drawn.gradients.shape
    numeric = np.gradient(drawn.values, drawn.x)
    if zoo[name].slot == "classification":
        numeric = numeric * drawn.x * (1 - drawn.x)  # dp/dz of the true class; others move along evenly
    inner = slice(40, -40)
    assert np.median(np.abs(numeric[inner] - drawn.gradients[inner])) < 1e-2 * (1 + np.abs(numeric[inner]).max())


def test_a_slot_without_a_curve_of_its_own_is_drawn_over_its_last_required_variable(monkeypatch):
    monkeypatch.setattr("symloss.telling.curves.CURVES", {})
    drawn = curves(parse("x**2", "activation"))
    assert drawn.axis == SLOTS["activation"].variables[0].meaning
    assert np.allclose(drawn.values, drawn.x**2)
    assert np.allclose(drawn.gradients, 2 * drawn.x)
    for name in ("mse", "cross_entropy"):
        assert np.isfinite(curves(zoo[name]).values).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-t*log(p)", "drives outputs to certainty"),
        ("t/p - log(p)", "holds confidence back"),
        ("t*(p - 0.05)**2", "does not prefer the true class"),
    ],
)
def test_the_optimum_says_what_it_means(text, words):
    assert words in traits(parse(text))["optimum"].words
