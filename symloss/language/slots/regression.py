"""The regression slot: g(y, f), averaged over the batch, with r = f - y as a variable of its own.

A formula that sees target and prediction through their difference alone is written in r: (y - f)**2 is r**2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import sympy

from symloss.language.extremes import replaced
from symloss.language.reading import Call, Name
from symloss.language.slots.base import (
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

_Y, _F, _R = (
    Variable("y", -1e6, 1e6, "target"),
    Variable("f", -1e6, 1e6, "prediction"),
    Variable("r", -1e6, 1e6, "residual f - y", stands_for=("y", "f")),
)


def link(prediction: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Turn predictions into the slot's variables; both tensors broadcast."""
    return {"y": y, "f": prediction, "r": prediction - y}


def objective(function: Function, output: Tensor, target: Tensor) -> Tensor:
    """Return each member's mean over its mini-batch; the model has one output."""
    prediction = output[..., 0]
    return function(**link(prediction, target.to(prediction.dtype))).expand(prediction.shape).mean(-1)


def given(target: Tensor, output: Tensor) -> dict[str, Tensor]:
    """Return the variables that the output does not move."""
    return {"y": target.to(output.dtype).unsqueeze(-1)}


def call(function: Function, options: Options, prediction: Tensor, y: Tensor) -> Tensor:
    """Compute the loss with the conventions of `torch.nn.functional.mse_loss`.

    Raises:
        ValueError: prediction and target differ in shape, which would broadcast silently.
    """
    if prediction.shape != y.shape:
        raise ValueError(
            f"target: got shape {tuple(y.shape)} for predictions of shape {tuple(prediction.shape)}. Give equal shapes."
        )
    losses = function(**link(prediction, y.to(prediction.dtype))).expand(prediction.shape)
    return reduced(losses, options.reduction, losses.numel())


_HALF = np.array([0.013, 0.11, 0.37, 0.83, 1.41, 2.9, 7.3, 30.0])
_SCALE = np.concatenate([-_HALF[::-1], _HALF])
_TARGETS = np.linspace(-1.5, 1.5, 7)


def probes(width: int) -> Probes:
    """Lay out targets and residuals from 0 to 30 standard deviations, then predictions that are off by one."""
    y, r = (part.ravel() for part in np.meshgrid(_SCALE, _SCALE, indexing="ij"))
    off = np.repeat([-1.0, 1.0], len(_TARGETS))
    targets, residuals = np.concatenate([y, _TARGETS, _TARGETS]), np.concatenate([r, off])
    ones = np.ones(len(targets))
    return Probes(
        inputs={"y": targets, "f": targets + residuals, "r": residuals},
        moving={"f": ones, "r": ones},
        points=len(targets),
        proper=len(y),
        pull_back=lambda slopes: slopes,
        trace=lambda response: response.gradients[: len(y)],
        fused={},
    )


def approaches_target(response: Response, width: int) -> str:
    """Check that one gradient step moves a prediction that is off by one standard deviation towards its target."""
    for side, slopes in zip((-1.0, 1.0), response.gradients[-2 * len(_TARGETS) :].reshape(2, -1), strict=True):
        slope = float(slopes.mean())
        if not slope * side > 1e-9:
            place = "above" if side > 0 else "below"
            return f"a step does not bring a prediction that is {place} its target nearer (gradient {slope:.3g})"
    return ""


def free_predictions(generator: Generator, samples: int, width: int) -> tuple[Tensor, Tensor]:
    """Draw predictions that know nothing of their targets, both of about a standard deviation."""
    import torch

    prediction = 2 * torch.randn(1, 1, samples, 1, generator=generator)
    return prediction, torch.randn(1, 1, samples, generator=generator)


def nearness(prediction: Tensor, y: Tensor) -> Tensor:
    """Return minus the mean absolute error."""
    return -(prediction[..., 0] - y).abs().mean(-1)


def normalise(expr: sympy.Expr) -> sympy.Expr:
    """Write a formula in r alone where that is possible, in y and f otherwise."""
    y, f, r = _Y.symbol, _F.symbol, _R.symbol
    if not expr.has(y, f):
        return expr
    in_residual = replaced(expr, lambda leaf: y + r if leaf == f else leaf)
    return replaced(expr, lambda leaf: f - y if leaf == r else leaf) if in_residual.has(y) else in_residual


REGRESSION = Slot(
    name="regression",
    about="a loss of target and prediction; mean over the batch",
    variables=(_Y, _F, _R),
    required=("y", "f"),
    accepts=frozenset(),
    baselines=("mse", "l1", "huber", "log_cosh"),
    target="values",
    traits=(
        "residual_optimum",
        "residual_shape",
        "residual_symmetry",
        "residual_convexity",
        "residual_bounds",
        "tails",
        "sensitivity",
        "parts",
        "kinship",
        "forms",
    ),
    shares_forward=True,
    forward=forward_plain,
    objective=objective,
    probes=probes,
    call=call,
    tests=(FreeTest("approach", "a step brings a prediction nearer to its target", approaches_target),),
    normalise=normalise,
    free_outputs=FreeOutputs(
        "minus the mean absolute error of free predictions", free_predictions, nearness, least=0.1
    ),
    output_link=OutputLink(
        along="f", log_softmax=False, derived={"r": Call("sub", (Name("f"), Name("y")))}, given=given
    ),
)
