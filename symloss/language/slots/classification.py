"""The classification slot: f(t, p) summed over the classes, averaged over the batch (GLO, arXiv:1905.11528, section 3).

The model's logits become probabilities here, once, with the one clamp of the engine; log(p) comes from log-softmax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symloss.language.reading import Call, Constant, Name
from symloss.language.slots.base import (
    Array,
    FreeOutputs,
    FreeTest,
    Function,
    Options,
    OutputLink,
    Probes,
    Response,
    Slot,
    Variable,
    forward_plain,
    reduced,
)

if TYPE_CHECKING:
    from torch import Generator, Tensor

EPSILON = 1e-7  # p stays in [1e-7, 1 - 1e-7]: the nearest to 0 and 1 that keeps 1/p and log(1 - p) finite in float32


def link(logits: Tensor, t: Tensor) -> dict[str, Tensor]:
    """Turn raw outputs into the slot's variables.

    Args:
        logits: (..., classes).
        t: target probabilities, (..., classes), broadcast against the logits.
    """
    log_p = logits.log_softmax(-1)
    return {
        "t": t,
        "p": log_p.exp().clamp(EPSILON, 1 - EPSILON),
        "log_p": log_p,
        "C": logits.new_full((), logits.shape[-1]),
    }


def one_hot(target: Tensor, like: Tensor) -> Tensor:
    """Return (..., classes) in the dtype of `like`, whose last dimension counts the classes."""
    import torch

    classes = torch.arange(like.shape[-1], device=target.device)
    return (target.unsqueeze(-1) == classes).to(like.dtype)


def objective(function: Function, output: Tensor, target: Tensor) -> Tensor:
    """Return each member's mean over its mini-batch of the formula's sum over the classes."""
    return _summed(function, output, one_hot(target, output)).mean(-1)


def given(target: Tensor, output: Tensor) -> dict[str, Tensor]:
    """Return the variables that the output does not move."""
    return {"t": one_hot(target, output), "C": output.new_full((), output.shape[-1])}


def _summed(function: Function, logits: Tensor, t: Tensor) -> Tensor:
    return function(**link(logits, t)).expand(logits.shape).sum(-1)


def call(function: Function, options: Options, logits: Tensor, target: Tensor) -> Tensor:
    """Compute the loss with the conventions of `torch.nn.functional.cross_entropy`.

    Args:
        logits: (classes,), (batch, classes) or (batch, classes, d1, ...).
        target: class indices without the class dimension, or probabilities shaped like the logits.

    Raises:
        ValueError: the shapes or the type of the target, or the number of weights, do not fit the logits.
        RuntimeError: a label is no class, on the CPU; other devices stop as torch's own losses make them.
    """
    axis = 0 if logits.dim() == 1 else 1
    _check_target(logits, target, axis)
    _check_weight(options.weight, logits.shape[axis])
    logits = logits.movedim(axis, -1)
    if target.is_floating_point():
        losses = _weighted(function, options, logits, target.movedim(axis, -1).to(logits.dtype))
        return reduced(losses, options.reduction, losses.numel())
    kept = target != options.ignore_index
    logits = logits.where(kept.unsqueeze(-1), logits.new_zeros(()))
    target = target.where(kept, target.new_zeros(()))
    losses = _weighted(function, options, logits, labelled(target, logits))
    losses = losses.where(kept, losses.new_zeros(()))
    share = kept.to(losses.dtype) if options.weight is None else options.weight.to(losses.dtype)[target] * kept
    return reduced(losses, options.reduction, share.sum())


def _weighted(function: Function, options: Options, logits: Tensor, t: Tensor) -> Tensor:
    smoothing = options.label_smoothing
    if smoothing:
        t = t * (1 - smoothing) + smoothing / logits.shape[-1]
    variables = link(logits, t)
    terms = function(**variables | {"log_p": bounded(variables["log_p"], t)}).expand(logits.shape)
    return (terms if options.weight is None else terms * options.weight.to(terms.dtype)).sum(-1)


def labelled(target: Tensor, like: Tensor) -> Tensor:
    """Return `one_hot`, where torch refuses a label that is no class."""
    import torch

    return torch.zeros_like(like).scatter(-1, target.long().unsqueeze(-1), 1.0)


def bounded(log_p: Tensor, t: Tensor) -> Tensor:
    """Make a masked class (a logit of -inf) count for nothing where it is no target, as t*log(p) then is 0, not NaN."""
    import torch

    masked = (log_p == -torch.inf) & (t == 0)
    return log_p.where(~masked, torch.finfo(log_p.dtype).min)


def _check_weight(weight: Tensor | None, classes: int) -> None:
    if weight is not None and len(weight) != classes:
        raise ValueError(f"weight: got {len(weight)} numbers for {classes} classes. Give one for each class.")


def _check_target(logits: Tensor, target: Tensor, axis: int) -> None:
    without_classes = logits.shape[:axis] + logits.shape[axis + 1 :]
    if target.shape != (logits.shape if target.is_floating_point() else without_classes):
        raise ValueError(
            f"target: got {target.dtype} of shape {tuple(target.shape)} for logits of shape {tuple(logits.shape)}. "
            f"Give class indices (integers) of shape {tuple(without_classes)}, or probabilities shaped like the logits."
        )


ROWS = 24  # of outputs from uniform to confidently wrong


def probes(width: int) -> Probes:
    """Lay out outputs from uniform to confidently wrong, a sure right and a sure wrong one, and at last a uniform one.

    The sure ones lie on the clamped edge, where all gradients but log(p)'s vanish, so they leave no trace.
    """
    usual = np.random.default_rng(0).standard_normal((ROWS, width)) * np.linspace(0, 4, ROWS)[:, None]
    edge = np.zeros((2, width))
    edge[:, 0] = 20.0
    logits = np.concatenate([usual, edge, np.zeros((1, width))])
    target = np.concatenate([np.arange(ROWS) % width, [0, 1, 0]])
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    softmax = np.exp(log_p)
    p = softmax.clip(EPSILON, 1 - EPSILON)

    def pull_back(slopes: Array) -> Array:
        along = slopes.reshape(softmax.shape)
        return np.asarray(along - softmax * along.sum(1, keepdims=True)).ravel()

    return Probes(
        inputs={
            "t": (np.arange(width) == target[:, None]).astype(float).ravel(),
            "p": p.ravel(),
            "log_p": log_p.ravel(),
            "C": np.array(float(width)),
        },
        moving={"p": np.where(p == softmax, p, 0.0).ravel(), "log_p": np.ones(logits.size)},
        points=logits.size,
        proper=logits.size,
        pull_back=pull_back,
        trace=lambda response: response.gradients[: usual.size],
        fused={("log", "p"): "log_p"},
    )


def raises_true_class(response: Response, width: int) -> str:
    """Check that a gradient step from a uniform output raises the true class (TaylorGLO's invariant, formula-free)."""
    first, *others = response.gradients[-width:].tolist()
    if first < max(others) - 1e-9:
        return ""
    return f"a step at uniform output does not raise the true class (gradient {first:.3g} on its logit)"


def free_logits(generator: Generator, samples: int, width: int) -> tuple[Tensor, Tensor]:
    """Draw logits that know nothing of their labels; every class has equally many labels."""
    import torch

    return torch.randn(1, 1, samples, width, generator=generator), (torch.arange(samples) % width).expand(1, 1, -1)


def agreement(logits: Tensor, target: Tensor) -> Tensor:
    """Return the share of samples whose largest logit is the label's."""
    return (logits.argmax(-1) == target).float().mean(-1)


CLASSIFICATION = Slot(
    name="classification",
    about="a loss of label and softmax output; sum over classes, mean over the batch",
    variables=(
        Variable("t", 0.0, 1.0, "target probability of the class: 0 or 1 for one-hot labels"),
        Variable("p", EPSILON, 1 - EPSILON, "softmax output of the class"),
        Variable("C", 2, 1e6, "number of classes", integer=True),
    ),
    required=("t", "p"),
    accepts=frozenset({"weight", "ignore_index", "label_smoothing"}),
    baselines=("cross_entropy", "label_smoothing", "focal", "poly1", "gce", "sce", "brier"),
    target="labels",
    traits=(
        "optimum",
        "optimum_by_classes",
        "first_step",
        "true_class",
        "wrong_class",
        "pull",
        "bounds",
        "ends",
        "convexity",
        "symmetry",
        "noisy_optimum",
        "sensitivity",
        "parts",
        "kinship",
        "forms",
        "one_hot",
    ),
    shares_forward=True,
    forward=forward_plain,
    objective=objective,
    probes=probes,
    call=call,
    tests=(FreeTest("uniform_step", "a step at uniform output raises the true class", raises_true_class),),
    fused=(("log(p)", "log_p"),),
    free_outputs=FreeOutputs("the share of free outputs that meet their target", free_logits, agreement, least=0.1),
    output_link=OutputLink(
        along="log_p",
        log_softmax=True,
        derived={"p": Call("clamp", (Call("exp", (Name("log_p"),)), Constant(EPSILON), Constant(1 - EPSILON)))},
        given=given,
    ),
)
