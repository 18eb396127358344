"""The compiled loss and its module: equal to torch where torch has it, at home wherever torch modules are."""

import copy
import io
import itertools
import pickle

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional

from symloss.language.formula import Formula, parse
from symloss.language.loss import SymbolicLoss, compile_loss
from symloss.language.reading import evaluate
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo
from tests.strategies import formulas

SHAPES = [(5,), (7, 5), (7, 5, 3), (4, 5, 3, 2)]
OPTIONS = list(
    itertools.product(["mean", "sum", "none"], [False, True], [-100, 2], [0.0, 0.1, 1.0], ["index", "probabilities"])
)


def batch(shape: tuple[int, ...], kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "probabilities":
        return logits, torch.rand(shape, generator=generator, dtype=torch.float64).softmax(min(1, len(shape) - 1))
    return logits, torch.randint(0, 5, shape[2:] if len(shape) == 1 else (shape[0], *shape[2:]), generator=generator)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("reduction", "weighted", "ignore", "smoothing", "kind"), OPTIONS)
def test_equals_cross_entropy(
    shape: tuple[int, ...], reduction: str, weighted: bool, ignore: int, smoothing: float, kind: str
) -> None:
    if kind == "probabilities" and ignore >= 0:
        pytest.skip("torch refuses ignore_index with probabilities")
    logits, target = batch(shape, kind)
    if target.dim() == 0:
        target = torch.tensor(1)  # torch divides 0 by 0 where the only example is ignored
    weight = torch.linspace(0.5, 2, 5, dtype=torch.float64) if weighted else None
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    got = SymbolicLoss("-t*log(p)", reduction, weight, ignore, smoothing)(ours, target)
    expected = functional.cross_entropy(
        theirs, target, weight, ignore_index=ignore, reduction=reduction, label_smoothing=smoothing
    )
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
    got.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)


def test_ignored_examples_cannot_poison_the_gradient() -> None:
    logits = torch.tensor([[1.0, 2.0], [float("inf"), 0.0]], requires_grad=True)
    SymbolicLoss("-t*log(p)")(logits, torch.tensor([0, -100])).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("logits", "target"),
    [
        ((4, 3), torch.zeros(4)),
        ((4, 3), torch.zeros(5, dtype=torch.long)),
        ((4, 3, 2), torch.zeros(4, dtype=torch.long)),
    ],
)
def test_wrong_targets_are_named(logits: tuple[int, ...], target: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"target: got torch\.\w+ of shape .* Give class indices"):
        SymbolicLoss("-t*log(p)")(torch.zeros(logits), target)


def test_a_weight_for_each_class() -> None:
    with pytest.raises(ValueError, match="weight: got 3 numbers for 4 classes"):
        SymbolicLoss("-t*log(p)", weight=torch.ones(3))(torch.zeros(2, 4), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"reduction": "max"}, "Allowed: mean, sum, none"),
        ({"label_smoothing": 1.5}, "Allowed: 0 to 1"),
        ({"ignore_index": "a"}, "Allowed: a whole number"),
        ({"weight": torch.ones(2, 2)}, "one number for each class"),
    ],
)
def test_wrong_options_are_named(option: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SymbolicLoss("-t*log(p)", **option)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SLOTS)).flatmap(formulas), st.integers(0, 2**32 - 1))
def test_torch_computes_what_numpy_computes(formula: Formula, seed: int) -> None:
    draw = np.random.default_rng(seed)
    point = {v.name: draw.uniform(0.05, 0.95, size=5) for v in SLOTS[formula.slot].variables}
    tensors = {name: torch.from_numpy(values) for name, values in point.items()}
    fused = {"log_p": tensors["p"].log()} if "p" in tensors else {}
    got = compile_loss(formula)(**tensors, **fused).expand(5)
    np.testing.assert_allclose(got.numpy(), np.broadcast_to(evaluate(formula.node, point), 5), rtol=1e-6, atol=1e-9)


def test_shared_parts_are_computed_once() -> None:
    function = compile_loss(parse("exp(t*p)/(1 + exp(t*p))**2"))
    assert len(function._steps) == 5


def test_log_p_goes_through_log_softmax() -> None:
    logits = torch.tensor([[0.0, 200.0]], requires_grad=True)
    loss = SymbolicLoss("-t*log(p)")(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(200)


def module() -> SymbolicLoss:
    return SymbolicLoss(
        "max(p, 0.5)*t - t*log(p) - exp(-p)*sigmoid(t)", weight=torch.linspace(0.5, 1, 4), label_smoothing=0.1
    )


def test_survives_pickle_deepcopy_and_state_dict() -> None:
    logits, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    expected = module()(logits, target)
    buffer = io.BytesIO()
    torch.save(module().state_dict(), buffer)
    buffer.seek(0)
    loaded = SymbolicLoss(module().formula, weight=torch.zeros(4), label_smoothing=0.1)
    loaded.load_state_dict(torch.load(buffer))
    for twin in (pickle.loads(pickle.dumps(module())), copy.deepcopy(module()), loaded):
        assert torch.equal(twin(logits, target), expected)


def test_computes_in_float32_under_autocast() -> None:
    logits, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = SymbolicLoss(zoo["brier"])(logits.bfloat16(), target)
    assert got.dtype == torch.float32
    assert torch.equal(got, SymbolicLoss(zoo["brier"])(logits.bfloat16().float(), target))


@pytest.mark.filterwarnings("ignore")
def test_a_masked_class_counts_as_in_cross_entropy() -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    logits[:, 2] = -torch.inf
    logits.requires_grad_()
    target = torch.tensor([0, 1, 3, 4])
    mine, theirs = (loss(logits, target) for loss in (SymbolicLoss("-t*log(p)"), torch.nn.CrossEntropyLoss()))
    assert mine.item() == pytest.approx(theirs.item())
    (got,), (expected,) = (torch.autograd.grad(loss, logits) for loss in (mine, theirs))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("label", [5, -1, -100])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    with pytest.raises(RuntimeError, match=f"index {label} is out of bounds"):
        SymbolicLoss("-t*log(p)", ignore_index=-7)(torch.zeros(2, 5), torch.tensor([0, label]))


def test_survives_compile_as_one_graph() -> None:
    logits, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    compiled = torch.compile(module(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(logits, target), module()(logits, target))


@pytest.mark.filterwarnings("ignore")
def test_survives_export_with_a_dynamic_batch() -> None:
    rows = {0: torch.export.Dim("batch", min=2)}
    exported = torch.export.export(
        module(), (torch.randn(6, 4), torch.randint(0, 4, (6,))), dynamic_shapes={"arguments": (rows, rows)}
    )
    logits, target = torch.randn(9, 4), torch.randint(0, 4, (9,))
    torch.testing.assert_close(exported.module()(logits, target), module()(logits, target))
