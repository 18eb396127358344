"""The activation slot: g(x) is the base model's nonlinearity, and the model is trained with cross-entropy.

Ramachandran, Zoph and Le 2017, "Searching for Activation Functions", arXiv:1710.05941.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symloss.language.slots.base import FreeTest, Function, Model, Options, Probes, Response, Slot, Variable

if TYPE_CHECKING:
    from torch import Tensor


def forward(function: Function, model: Model, x: Any) -> Any:
    """Run a model that takes its nonlinearity as second argument."""
    return model(x, lambda hidden: call(function, None, hidden))


def objective(function: Function, output: Tensor, target: Tensor) -> Tensor:
    """Return each member's cross-entropy, averaged over its mini-batch."""
    index = target.expand(output.shape[:-1]).unsqueeze(-1)
    return -output.log_softmax(-1).gather(-1, index)[..., 0].mean(-1)


def call(function: Function, options: Options | None, x: Tensor) -> Tensor:
    """Apply the activation elementwise."""
    return function(x=x).expand(x.shape)


_NEAR = np.linspace(-5.97, 6.03, 49)
_FAR = np.array([-20.0, 20.0])
_EVEN = np.linspace(-3, 3, 25)


def probes(width: int) -> Probes:
    """Lay out inputs over [-6, 6] and at the far ends, then evenly spaced ones to see a bend."""
    x = np.concatenate([_NEAR, _FAR, _EVEN])
    proper = len(_NEAR) + len(_FAR)
    return Probes(
        inputs={"x": x},
        moving={"x": np.ones(len(x))},
        points=len(x),
        proper=proper,
        pull_back=lambda slopes: slopes,
        trace=lambda response: np.concatenate([response.values[:proper], response.gradients[:proper]]),
        fused={},
    )


def bends(response: Response, width: int) -> str:
    """Check that the activation is not affine, which would make any network linear."""
    if float(np.abs(np.diff(response.values[-len(_EVEN) :], 2)).max()) > 1e-6:
        return ""
    return "it is a straight line on [-3, 3], so the network would be linear"


ACTIVATION = Slot(
    name="activation",
    about="the base model's nonlinearity, elementwise; trained with cross-entropy",
    variables=(Variable("x", -1e6, 1e6, "the input of the nonlinearity"),),
    required=("x",),
    accepts=frozenset(),
    baselines=("relu", "tanh", "gelu", "swish"),
    target="labels",
    traits=(
        "input_shape",
        "middle",
        "stretch",
        "input_convexity",
        "input_ends",
        "sensitivity",
        "parts",
        "kinship",
        "forms",
    ),
    shares_forward=False,
    forward=forward,
    objective=objective,
    probes=probes,
    call=call,
    tests=(FreeTest("bend", "the activation is not a straight line", bends),),
)
