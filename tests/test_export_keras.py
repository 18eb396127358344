"""The Keras file keeps Keras's conventions, on the torch and on the JAX backend, and computes what symloss computes."""

import importlib.util

import pytest
import torch

from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss
from symloss.language.operators import OPERATORS
from symloss.language.zoo import ZOO
from symloss.telling.heading import class_name, function_name
from symloss.telling.keras_file import to_keras
from symloss.telling.target import Target, find_target
from tests.exporting import TARGETS, run_apart
from tests.laws.test_exports import sample

pytest.importorskip("h5py", reason="Keras is not installed: pip install 'symloss[keras]'")
if importlib.util.find_spec("keras") is None:
    pytest.skip("Keras is not installed: pip install 'symloss[keras]'", allow_module_level=True)

BACKENDS = ["torch", *(["jax"] if importlib.util.find_spec("jax") else [])]

CALLER = """
import numpy as np
import keras
from keras import ops

def gradient_of(function, x):
    if keras.backend.backend() == "torch":
        x = ops.convert_to_tensor(x).clone().requires_grad_()
        function(x).backward()
        return x.grad
    import jax
    return jax.grad(function)(ops.convert_to_tensor(x))

def answer(module, names, call):
    x = np.asarray(call["y_pred"], np.float32)
    others = [np.asarray(each) for each in call["y_true"]]
    options = call["options"]
    if call["loss"]:
        made = getattr(module, names[0])(**options)
        again = keras.losses.deserialize(keras.losses.serialize(made))
        function = lambda y: again(*others, y, sample_weight=call["weight"])
    else:
        function = lambda y: getattr(module, names[1])(*others, y, **options)
    gradient = gradient_of(lambda y: ops.sum(function(y)), x)
    return [ops.convert_to_numpy(each).tolist() for each in (function(x), gradient)]

jobs = json.load(sys.stdin)
print(json.dumps([[answer(load(path), names, call) for call in calls] for path, names, calls in jobs]))
"""

OWN = """
import numpy as np
import keras
from keras import ops

rng = np.random.default_rng(0)
ce, mse = (load(path) for path in json.load(sys.stdin))
logits, deep = rng.normal(size=(6, 4)).astype("float32"), rng.normal(size=(3, 5, 4)).astype("float32")
index, grid = rng.integers(0, 4, 6), rng.integers(0, 4, (3, 5))
soft = np.exp(rng.normal(size=(6, 4))); soft = (soft / soft.sum(-1, keepdims=True)).astype("float32")
probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
losses, pairs = keras.losses, []
for reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None):
    for weight in (None, np.asarray([1.0, 0, 2, 0.5, 1, 3])):
        own = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
        mine = ce.CrossEntropy(from_logits=True, reduction=reduction)
        pairs.append((own(index, logits, weight), mine(index, logits, weight)))
        pairs.append((own(index[:, None], logits, weight), mine(index[:, None], logits, weight)))
        own = losses.CategoricalCrossentropy(label_smoothing=0.1, reduction=reduction)
        mine = ce.CrossEntropy(label_smoothing=0.1, reduction=reduction)
        pairs.append((own(soft, probabilities, weight), mine(soft, probabilities, weight)))
        own, mine = losses.MeanSquaredError(reduction=reduction), mse.Mse(reduction=reduction)
        pairs.append((own(soft, logits, weight), mine(soft, logits, weight)))
    own = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    mine = ce.CrossEntropy(from_logits=True, reduction=reduction)
    pairs.append((own(grid, deep), mine(grid, deep)))
moved = np.moveaxis(deep, -1, 1)
pairs.append((mine(grid, deep), ce.CrossEntropy(from_logits=True, axis=1, reduction=None)(grid, moved)))
pairs.append((losses.MeanSquaredError()(logits[:, :1], logits[:, 1]), mse.Mse()(logits[:, :1], logits[:, 1])))
said = []
for call in (lambda: ce.CrossEntropy()(index[:4, None, None], logits[:4]), lambda: mse.Mse()(soft[:3], logits)):
    try:
        call()
    except ValueError as error:
        said.append(str(error))
far = [[bool(np.allclose(*map(ops.convert_to_numpy, pair), rtol=1e-4, atol=1e-6))] for pair in pairs]
print(json.dumps([far, said]))
"""

TRAINED = """
import os
import numpy as np
import keras

keras.utils.set_random_seed(0)
path, activation, folder = json.load(sys.stdin)
loss, act = load(path), load(activation)
x = np.random.default_rng(0).normal(size=(128, 2)).astype("float32")
y = (x[:, 0] * x[:, 1] > 0).astype("int64")
layers = keras.layers
model = keras.Sequential([layers.Input((2,)), layers.Dense(32, activation=act.swish), layers.Dense(2)])
model.compile(keras.optimizers.Adam(0.05), loss=loss.Gce(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, epochs=60, batch_size=128, verbose=0)
model.save(os.path.join(folder, "model.keras"))
again = keras.saving.load_model(os.path.join(folder, "model.keras"))
print(json.dumps([
    history.history["accuracy"][-1], type(again.loss).__name__, again.loss.from_logits,
    bool(np.allclose(model.predict(x, verbose=0), again.predict(x, verbose=0))),
]))
"""


def written(folder, target, number=0):
    path = folder / f"exported{number}.py"
    path.write_text(to_keras(target))
    return str(path)


def calls_of(slot: str) -> list[dict]:
    generator = torch.Generator().manual_seed(1)
    flat, deep = torch.randn(6, 4, generator=generator), torch.randn(3, 2, 4, generator=generator)
    index, grid = torch.randint(0, 4, (6,), generator=generator), torch.randint(0, 4, (3, 2), generator=generator)
    if slot == "activation":
        return [{"y_pred": [-2.0, 0.0, 0.5, 9.0], "y_true": [], "options": {}, "loss": False, "weight": None}]
    if slot == "regression":
        cases = [([0.3, -2.0, 5.0], [0.0, 1.0, 1.0], {}), ([[0.3, -2.0]], [[0.0, 1.0]], {"reduction": "sum"})]
    else:
        cases = [
            (flat.tolist(), index.tolist(), {"from_logits": True}),
            (deep.tolist(), grid.tolist(), {"from_logits": True, "label_smoothing": 0.2}),
            (flat.softmax(1).tolist(), flat.flip(0).softmax(1).tolist(), {}),
        ]
    return [
        {"y_pred": x, "y_true": [y], "options": options, "loss": loss, "weight": None}
        for x, y, options in cases
        for loss in ((True, False) if "reduction" not in options else (True,))
    ]


def expected(target: Target, call: dict) -> list:
    """Return value and gradient as Keras has them, computed by symloss."""
    y_pred = torch.tensor(call["y_pred"], requires_grad=True)
    options, y_true = call["options"], [torch.tensor(each) for each in call["y_true"]]
    if target.formula.slot == "activation":
        value = SymbolicLoss(target.formula)(y_pred)
    elif target.formula.slot == "regression":
        each = SymbolicLoss(target.formula, "none")(y_pred, *y_true).mean(-1)
        value = (
            each.sum() if call["loss"] and options.get("reduction") == "sum" else each.mean() if call["loss"] else each
        )
    else:
        loss = SymbolicLoss(
            target.formula, "mean" if call["loss"] else "none", label_smoothing=options.get("label_smoothing", 0.0)
        )
        logits = y_pred if options.get("from_logits") else y_pred.log()
        last = y_true[0].movedim(-1, 1) if y_true[0].is_floating_point() else y_true[0]
        value = loss(logits.movedim(-1, 1), last)
    (gradient,) = torch.autograd.grad(value.sum(), y_pred)
    return [value.tolist(), gradient.tolist()]


@pytest.mark.parametrize("backend", BACKENDS)
def test_keras_export_computes_the_same(backend, tmp_path):
    jobs = []
    for number, target in enumerate(TARGETS):
        name = function_name(target)
        jobs.append([written(tmp_path, target, number), [class_name(name), name], calls_of(target.formula.slot)])
    answers = run_apart(CALLER, jobs, {"KERAS_BACKEND": backend})
    for target, answer in zip(TARGETS, answers, strict=True):
        for got, call in zip(answer, calls_of(target.formula.slot), strict=True):
            for one, other in zip(got, expected(target, call), strict=True):
                assert torch.allclose(torch.tensor(one), torch.tensor(other), rtol=1e-4, atol=1e-5), target.formula.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_operator_computes_the_same(backend, tmp_path):
    call = {"y_pred": [[0.3], [0.9]], "y_true": [[[0.4], [0.2]]], "options": {}, "loss": False, "weight": None}
    targets = [Target("formula", "formula", parse(sample(name), "regression")) for name in OPERATORS]
    jobs = [[written(tmp_path, each, n), ["Symbolic", "symbolic"], [call]] for n, each in enumerate(targets)]
    for target, (got,) in zip(targets, run_apart(CALLER, jobs, {"KERAS_BACKEND": backend}), strict=True):
        for one, other in zip(got, expected(target, call), strict=True):
            assert torch.allclose(torch.tensor(one), torch.tensor(other), rtol=1e-5), target.formula.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_cross_entropy_and_mse_are_keras_own_in_every_reduction(backend, tmp_path):
    paths = [written(tmp_path, find_target(name), name) for name in ("cross_entropy", "mse")]
    same, said = run_apart(OWN, paths, {"KERAS_BACKEND": backend})
    assert same == [[True]] * len(same)
    assert len(same) > 50
    assert said[0].startswith("y_true: got shape (4, 1, 1) for 4 classes and y_pred of rank 2. Give class indices")
    assert said[1] == "y_true: got shape (3, 4) for y_pred of shape (6, 4)."


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_trains_with_it_and_is_loaded_again(backend, tmp_path):
    paths = [written(tmp_path, find_target(name), name) for name in ("gce", "swish")]
    accuracy, kind, from_logits, same = run_apart(TRAINED, [*paths, str(tmp_path)], {"KERAS_BACKEND": backend})
    assert accuracy > 0.9
    assert (kind, from_logits, same) == ("Gce", True, True)


def test_two_formulas_of_one_name_are_registered_apart():
    one, other = (to_keras(Target("file", "mine", parse(text))) for text in ("-t*log(p)", "-t*sqrt(p)"))
    packages = [text.split('package="')[1].split('"')[0] for text in (one, other)]
    assert packages[0] != packages[1]


def test_every_published_formula_is_written():
    assert all("keras.saving" in to_keras(find_target(name)) for name in ZOO)
