"""The activation slot: g(x) is the base model's nonlinearity, and the model is trained with cross-entropy.

Ramachandran, Zoph and Le 2017, "Searching for Activation Functions", arXiv:1710.05941.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symloss.language.slots.base import FreeTest, Function, Model, Options, Response, Slot, Variable

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


def respond(function: Function, width: int) -> Response:
    """Evaluate value and slope over [-6, 6] and at the far ends."""
    import torch

    x = torch.cat(
        [torch.linspace(-5.97, 6.03, 49, dtype=torch.float64), torch.tensor([-20.0, 20.0], dtype=torch.float64)]
    )
    x.requires_grad_()
    values = call(function, None, x)
    slopes = torch.autograd.grad(values.sum(), x)[0] if values.requires_grad else torch.zeros_like(x)
    return Response(values.detach(), slopes, torch.cat([values.detach(), slopes]))


def bends(function: Function, width: int) -> str:
    """Check that the activation is not affine, which would make any network linear."""
    import torch

    values = call(function, None, torch.linspace(-3, 3, 25, dtype=torch.float64))
    if float(values.diff().diff().abs().max()) > 1e-6:
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
    respond=respond,
    call=call,
    tests=(FreeTest("bend", "the activation is not a straight line", bends),),
)
