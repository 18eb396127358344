"""What is told of losses beyond p* and the first step: against calculus, published facts, and planted answers."""

import math

import numpy as np
import pytest
import torch

from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis import Analysis, analyse, optimum, traits
from symloss.telling.analysis.ablation import ablate
from symloss.telling.analysis.convexity import tell_convexity
from symloss.telling.analysis.evaluation import evaluate_expression
from symloss.telling.analysis.families import FAMILIES
from symloss.telling.analysis.field import gradient_of, match, probes_of
from symloss.telling.analysis.kinship import kin, tell_kinship
from symloss.telling.analysis.noise_tolerance import tell_noisy_optimum, tell_symmetry
from symloss.telling.analysis.sensitivity import effects
from symloss.telling.analysis.simplification import checked, form_of

CLASSES = 10


def finding(name, text, slot="classification"):
    formula = zoo[text] if text in ZOO else parse(text, slot)
    return traits(formula, CLASSES, [name])[name]


@pytest.mark.parametrize("name", ["baikal", "label_smoothing", "baikal_cma", "taylorglo_mnist", "ngl", "cross_entropy"])
def test_published_optima_are_proven(name):
    found = finding("optimum", name)
    assert found.certainty == "proven"
    assert found.value == pytest.approx(optimum(zoo[name]).p)
    assert 0 < found.tolerance < 1e-4


def test_an_optimum_that_is_one_of_several_valleys_is_not_told_proven():
    found = finding("optimum", "t*sin(20*p) + t*p")
    assert found.certainty == "refined"
    assert "nowhere else" not in found.how


@pytest.mark.parametrize(
    ("text", "trait", "words"),
    [
        ("cross_entropy", "true_class", "falls throughout"),
        ("cross_entropy", "wrong_class", "plays no part"),
        ("bootstrap", "wrong_class", "rises to p = 0.3679, then falls"),
        ("baikal", "pull", "pulls the true class up below p = 0.3162, pushes it back above"),
        ("mae", "pull", "everywhere; strongest at p = 0.5"),
        ("cross_entropy", "bounds", "gradient bounded: at most 1"),
        ("baikal", "bounds", "gradient unbounded"),
        ("gce", "bounds", "value bounded"),
        ("gce", "ends", "gradient 0 like p^0.7"),
        ("focal", "ends", "true class 0 like (1 - p)^3"),
        ("sce", "ends", "gradient -0.1"),
        ("mse", "residual_bounds", "not robust"),
        ("huber", "residual_bounds", "robust: the gradient is at most 1"),
        ("log_cosh", "residual_convexity", "convex"),
        ("l1", "residual_convexity", "convex"),
        ("huber", "tails", "near its optimum like |r|^2"),
        ("l1", "tails", "near its optimum like |r|"),
        ("relu", "input_ends", "x -> -infinity: 0; x -> infinity: infinity like |x|"),
        ("tanh", "middle", "odd"),
        ("swish", "input_shape", "falls to x = -1.278, then rises"),
        ("relu", "input_convexity", "convex"),
    ],
)
def test_the_shape_of_published_formulas(text, trait, words):
    assert words in finding(trait, text).words


@pytest.mark.parametrize(
    ("text", "trait", "words"),
    [
        ("r**2/(1 + r**2)", "residual_bounds", "outliers count for nothing"),
        ("exp(r) - r", "residual_symmetry", "predictions above the target cost more"),
        ("min(r**2, 1)", "residual_convexity", "neither convex nor concave"),
        ("-abs(r)", "residual_convexity", "concave"),
        ("(f - 1.1*y)**2", "residual_shape", "falls to r = 0.1, then rises (target 1)"),
    ],
)
def test_the_shape_of_other_regression_losses(text, trait, words):
    assert words in finding(trait, text, "regression").words


CONVEX = {"cross_entropy", "label_smoothing", "poly1", "baikal", "baikal_cma", "bootstrap"}


@pytest.mark.parametrize("name", [name for name in ZOO if ZOO[name].slot == "classification"])
def test_convexity_in_the_logits(name):
    found = tell_convexity(zoo[name], CLASSES)
    assert found.certainty == "proven"
    assert (found.value == 1) == (name in CONVEX)


def test_a_direction_in_which_a_loss_is_not_convex_is_one_of_torchs_loss():
    found = tell_convexity(zoo["focal"], 4)
    p, direction = (torch.tensor(found.details[key], dtype=torch.float64) for key in ("p", "direction"))
    loss = SymbolicLoss(zoo["focal"])
    hessian = torch.autograd.functional.hessian(lambda z: loss(z, torch.tensor(0)), p.log())
    assert float(direction @ hessian @ direction) < 0


@pytest.mark.parametrize("name", ["focal", "gce", "baikal", "ngl", "brier"])
def test_the_field_is_torchs_gradient(name):
    p = probes_of("classification", 5).values["p"]
    logits = torch.tensor(np.log(p), requires_grad=True)
    loss = SymbolicLoss(zoo[name], reduction="sum")(logits, torch.zeros(len(p), dtype=torch.long))
    (expected,) = torch.autograd.grad(loss, logits)
    assert np.allclose(gradient_of(zoo[name].expr, "classification", 5)({}), expected.numpy(), atol=1e-9)


def test_only_a_symmetric_loss_is_told_symmetric():
    assert tell_symmetry(zoo["mae"], CLASSES).certainty == "closed form"
    assert tell_symmetry(zoo["mae"], CLASSES).value == 0
    assert "not symmetric" in tell_symmetry(zoo["cross_entropy"], CLASSES).words
    order = [tell_symmetry(zoo[name], CLASSES).value for name in ("mae", "gce", "cross_entropy")]
    assert order == sorted(order)


def test_two_classes_are_symmetric_where_both_labels_add_up():
    assert tell_symmetry(parse("t*sin(3*p - 1.5)"), 2).certainty == "closed form"
    assert "not symmetric" in tell_symmetry(parse("t*sin(3*p - 1.5)"), 3).words


def test_label_noise_moves_the_optimum_of_proper_losses_and_not_of_a_symmetric_one():
    for name in ("cross_entropy", "brier"):  # proper: the optimum is the label's distribution
        assert tell_noisy_optimum(zoo[name], CLASSES).details["p"] == pytest.approx([0.8, 0.6, 0.4], abs=1e-6)
    assert tell_noisy_optimum(zoo["mae"], CLASSES).details["p"] == pytest.approx([1.0, 1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_its_published_formula_at_the_published_constant(name):
    family, formula = FAMILIES[name], zoo[name]
    published = {**ZOO[name].constants, "k": 1.0}
    gradient = gradient_of(family.expr, formula.slot, CLASSES)({family.parameter: published[family.parameter]})
    assert match(gradient_of(formula.expr, formula.slot, CLASSES)({}), gradient, exact=True).gap < 1e-6


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("-3*t*(1 - p)**1.9*log(p) + 5", "focal", 1.9),
        ("-t*sqrt(p)", "gce", 0.5),
        ("-(0.7*t + 0.3/C)*log(p)", "label_smoothing", 0.3),
        ("baikal_cma", "baikal", 4.953344 / 2.690528),
        ("-0.5*t*log(p) - p*log(max(t, 1e-4))", "poly1", 9.210340 / 0.5),
    ],
)
def test_a_relative_is_found_with_its_parameter(text, name, value):
    found = {each.name: each for each in kin(zoo[text] if text in ZOO else parse(text), CLASSES)}
    assert found[name].gap < 1e-3
    assert found[name].value == pytest.approx(value, rel=2e-3)
    assert min(each.gap for each in found.values()) >= 0
    assert parse(found[name].formula).slot == "classification"


def test_a_formula_is_no_relative_of_itself_and_a_far_one_is_told_far():
    assert "focal" not in {each.name for each in kin(zoo["focal"], CLASSES)}
    assert "cross_entropy itself" in tell_kinship(zoo["cross_entropy"], CLASSES).words
    assert "none is near" in tell_kinship(parse("t*(p - 0.5)**2 - 3*(1 - t)*p**2"), CLASSES).words


def test_the_constant_that_moves_the_optimum_is_told():
    found = effects(parse("t*(p - 0.6)**2"), CLASSES)
    vertex = next(each for each in found if each.value == 0.6)
    assert vertex.optimum == pytest.approx(0.06, abs=1e-4)
    factor = next(each for each in effects(parse("-3*t*log(p)"), CLASSES) if each.value == 3)
    assert factor.shape < 1e-6
    assert factor.strength == pytest.approx(0.1)


def test_an_exponent_can_be_turned():
    assert any(each.value == 2 for each in effects(zoo["focal"], CLASSES))


def test_the_part_that_carries_the_loss_is_told_from_an_idle_one():
    found = {each.text: each.lost for each in ablate(parse("-t*log(p) + 0.0001*p**2"), CLASSES)}
    assert found["t*log(p)"] > 0.9
    assert found["0.0001*p**2"] < 0.01


def test_forms_are_checked_against_the_executed_formula():
    formula = parse("t*(0.123456 - p)**2")
    rounded = form_of("rounded", formula, parse("t*(0.1235 - p)**2"))
    assert 1e-6 < rounded.value_gap < 1e-2
    assert 1e-6 < rounded.gradient_gap < 1e-2
    texts = ["t*(p - 0.123456)**2", "t*(p - 0.1235)**2", "t*(p", 7, "p"]
    assert [each.text for each in checked(formula, texts)] == ["t*(p - 0.123456)**2"]
    assert checked(parse("t**2*p"), ["t*p"]) == []  # another loss for soft labels
    assert [each.text for each in checked(parse("t**2*p + t"), ["t*p", "2*t*p"], one_hot=True)] == ["p*t"]


def test_an_analysis_is_told_in_closed_form():
    found = analyse(zoo["baikal"], limit=60.0)
    assert found.algebra == "answered"
    assert found.findings["optimum_by_classes"].closed_form == "1/sqrt(C)"
    assert found.findings["first_step"].closed_form == "C"
    assert found.findings["ends"].certainty == "closed form"


def test_an_answer_that_disagrees_with_the_numbers_is_not_told():
    numbers = Analysis(zoo["baikal"], CLASSES, traits(zoo["baikal"], CLASSES))
    found = numbers.confirmed({"optimum": ["1/C", "sqrt(C)"], "ends": {"gradient": ["oo", "9"]}}, True, 5.0)
    assert found.findings["optimum_by_classes"].closed_form == ""
    assert found.findings["ends"].certainty == "refined"
    assert found.algebra == "stopped after 5 s"


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("t*log(t)*p", "classification"),
        ("t + C", "classification"),
        ("t*sqrt(p - 0.5)", "classification"),
        ("exp(exp(1/p))*t", "classification"),
        ("log_abs(p - 0.3)*t", "classification"),
        ("sign(p - t)", "classification"),
        ("p", "classification"),
        ("y", "regression"),
        ("sin(f)*y", "regression"),
        ("sign(x)", "activation"),
        ("sin(4*x**2)", "activation"),
        ("x**64", "activation"),
    ],
)
@pytest.mark.parametrize("classes", [2, 5])
def test_every_formula_can_be_told_something_of(text, slot, classes):
    found = traits(parse(text, slot), classes)
    assert all(each.words for each in found.values())


def test_parameters_may_stand_in_exponents():
    family = FAMILIES["focal"]
    values = evaluate_expression(family.expr, {"t": 1.0, "p": 0.25, "g": 1.5})
    assert float(values) == pytest.approx(-(0.75**1.5) * math.log(0.25))
