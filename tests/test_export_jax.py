"""The JAX file computes what symloss computes, and is what JAX needs: pure, jittable, differentiable, vmappable."""

import importlib.util
from dataclasses import replace

import pytest
import torch

from symloss.errors import FormulaError
from symloss.language.formula import parse
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO
from symloss.telling.heading import function_name
from symloss.telling.jax_file import to_jax
from symloss.telling.target import Target, find_target
from tests.exporting import CALLS, TARGETS, expected, run_apart
from tests.laws.test_exports import sample

if importlib.util.find_spec("jax") is None:  # not imported here: it warns whoever forks afterwards, as Ray's start does
    pytest.skip("JAX is not installed: pip install 'symloss[jax]'", allow_module_level=True)

CALLER = """
import functools
import numpy as np
import jax, jax.numpy as jnp

def answer(function, call, jitted):
    options = {k: jnp.asarray(v, jnp.float32) if isinstance(v, list) else v for k, v in call["options"].items()}
    others = [jnp.asarray(each) for each in call["others"]]
    output = jnp.asarray(call["output"], jnp.float32)
    if call["axis"] is not None:
        options["axis"] = call["axis"]
    whole = functools.partial(function, **options)
    value, gradient = whole(output, *others), jax.grad(lambda x: whole(x, *others).sum())(output)
    if jitted:
        again = jax.jit(whole)(output, *others)
        assert np.allclose(again, value, rtol=1e-5, atol=1e-6, equal_nan=True), (again, value)
    return [value.tolist(), gradient.tolist()]

jobs = json.load(sys.stdin)
print(json.dumps([
    [answer(getattr(load(path), name), call, number == 1) for number, call in enumerate(calls)]
    for path, name, calls in jobs
]))
"""

EDGES = """
import jax, jax.numpy as jnp, numpy as np

jobs = json.load(sys.stdin)
found = {}
for path, name, slot in jobs:
    module = load(path)
    function = getattr(module, name, None) or module.symbolic  # where the name is an option's
    if slot == "classification":
        logits = jnp.asarray([[0.0, 0, 0], [200, 0, -200], [-200, 0, 200], [30, -30, 5], [16.11809, 0, 0]])
        labels = jnp.asarray([0, 0, 0, 1, 2])
        single = jax.vmap(lambda x, y: function(x, y))(logits, labels)
        assert np.allclose(single, function(logits, labels, reduction="none"), equal_nan=True), name
        gradient = jax.vmap(jax.grad(function))(logits, labels)
    elif slot == "regression":
        gradient = jax.grad(function)(jnp.asarray([0.0, 1, -1, 1000]), jnp.zeros(4))
    else:
        gradient = jax.vmap(jax.grad(function))(jnp.asarray([0.0, 1, -1, 50, -50]))
    found[name] = [bool(jnp.isfinite(gradient).all()), gradient.dtype.name]
print(json.dumps(found))
"""

MISUSE = """
import jax, jax.numpy as jnp

path = json.load(sys.stdin)
loss = load(path).cross_entropy
said = []
for arguments, options in (
    ((jnp.zeros((4, 3)), jnp.zeros(3, int)), {}),
    ((jnp.zeros((4, 3)), jnp.zeros((4, 2))), {}),
    ((jnp.zeros((4, 3)), jnp.zeros(4, int)), {"reduction": "average"}),
):
    try:
        loss(*arguments, **options)
    except ValueError as error:
        said.append(str(error))
none = loss(jnp.zeros((4, 3)), jnp.asarray([0, 3, -1, -100]), reduction="none")
half = loss(jnp.zeros((4, 3), jnp.bfloat16), jnp.zeros(4, int))
masked = jax.grad(loss)(jnp.asarray([[0.0, -jnp.inf, 1.0]]), jnp.asarray([0]))
print(json.dumps([said, jnp.isnan(none).tolist(), half.dtype.name, float(half), jnp.isfinite(masked).tolist()]))
"""


def written(folder, target, number=0):
    path = folder / f"exported{number}.py"
    path.write_text(to_jax(target))
    return str(path)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> list:
    folder, jobs = tmp_path_factory.mktemp("exported"), []
    for number, target in enumerate(TARGETS):
        slot = target.formula.slot
        calls = [{**call, "axis": 1 if slot == "classification" else None} for call in CALLS[slot]()]
        jobs.append([written(folder, target, number), function_name(target), calls])
    return run_apart(CALLER, jobs)


@pytest.mark.parametrize("number", range(len(TARGETS)), ids=lambda number: TARGETS[number].formula.text)
def test_jax_export_computes_the_same(number, answers):
    target = TARGETS[number]
    for got, call in zip(answers[number], CALLS[target.formula.slot](), strict=True):
        for one, other in zip(got, expected(target, call), strict=True):
            assert torch.allclose(torch.tensor(one), torch.tensor(other), rtol=1e-4, atol=1e-5, equal_nan=True)


def test_every_operator_computes_the_same(tmp_path):
    call = {"output": [0.3, 0.9], "others": [[0.4, 0.2]], "options": {"reduction": "none"}, "module": False}
    targets = [Target("formula", "formula", parse(sample(name), "regression")) for name in OPERATORS]
    jobs = [[written(tmp_path, each, n), "symbolic", [{**call, "axis": None}]] for n, each in enumerate(targets)]
    for target, (got,) in zip(targets, run_apart(CALLER, jobs), strict=True):
        for one, other in zip(got, expected(target, call), strict=True):
            assert torch.allclose(torch.tensor(one), torch.tensor(other), rtol=1e-5), target.formula.text


def test_published_formulas_have_finite_gradients_at_the_clamps(tmp_path):
    targets = [find_target(name) for name in ZOO]
    jobs = [[written(tmp_path, each, n), function_name(each), each.formula.slot] for n, each in enumerate(targets)]
    found = run_apart(EDGES, jobs)
    assert found == {name: [True, "float32"] for name in ZOO}


def test_misuse_is_said_and_what_cannot_be_said_is_nan(tmp_path):
    said, unknown_labels, dtype, value, finite = run_apart(MISUSE, written(tmp_path, find_target("cross_entropy")))
    assert said[0] == "labels: got indices of shape (3,) for logits of shape (4, 3)."
    assert said[1] == "labels: got probabilities of shape (4, 2) for logits of shape (4, 3)."
    assert said[2] == "reduction: got 'average'. Allowed: mean, sum, none."
    assert unknown_labels == [False, True, True, False]
    assert dtype == "float32"
    assert value == pytest.approx(1.0986123)
    assert finite == [[True, True, True]]


def test_a_slot_without_a_form_is_said(monkeypatch):
    monkeypatch.setitem(SLOTS, "ranking", replace(SLOTS["regression"], name="ranking"))
    with pytest.raises(FormulaError, match=r"slot ranking cannot be exported for jax yet; it has forms of class"):
        to_jax(Target("formula", "formula", parse("r**2", "ranking")))


def test_numbers_that_jax_has_no_integers_for_are_floats():
    text = to_jax(Target("formula", "formula", parse("t*p*3000000000", "classification")))
    assert "3000000000.0" in text
