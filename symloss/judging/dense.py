"""Passes of stacked perceptrons without autograd: a few large products into memory that is used again at every step.

Members of a seed share their mini-batch, so the first layer of all of them is one product. Activations are held as
(seeds, columns, features, batch): then every product reads weights and activations as they lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from symloss.judging.passes import passes_for
from symloss.judging.tasks.standardised import Standardised, standardise

NARROW = 8  # rows
_zero_where_off = torch.ops.aten.threshold_backward.grad_input  # ReLU's gradient, in place


def dense_layers(model: nn.Module) -> list[str] | None:
    """Return the names of a perceptron's linear layers, or None for any other model.

    A perceptron is a plain `nn.Sequential` of linear layers with ReLU between them, maybe behind `nn.Flatten` and
    behind standardised inputs.
    """
    prefix = ""
    if type(model) is Standardised:
        prefix, model = "model.", model.model
    if type(model) is not nn.Sequential or has_hooks(model):
        return None
    layers = [(f"{prefix}{name}", layer) for name, layer in model.named_children()]
    if layers and type(layers[0][1]) is nn.Flatten and layers[0][1].start_dim == 1:
        layers = layers[1:]
    linear, between = layers[::2], layers[1::2]
    if len(layers) % 2 == 0 or any(type(layer) is not nn.ReLU for _, layer in between):
        return None
    return [name for name, layer in linear] if all(is_plain_linear(layer) for _, layer in linear) else None


def is_plain_linear(layer: nn.Module) -> bool:
    """Whether a layer is a linear layer with bias, nothing added, in float32."""
    names = {name for name, _ in layer.named_parameters()}
    return type(layer) is nn.Linear and names == {"weight", "bias"} and layer.weight.dtype == torch.float32


def has_hooks(model: nn.Module) -> bool:
    """Whether anything of a model's own would have to run besides its layers."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@dataclass
class DensePasses:
    """Forward and backward passes of a stack of perceptrons.

    Args:
        layers: names of the linear layers, first to last.
        memory: (what, layer, shape) -> a tensor that the next step writes into again.
        inputs: `(seeds, features, batch)` of the last forward pass.
        activations: `(seeds * columns, features, batch)` of each layer of the last forward pass.
    """

    layers: Sequence[str]
    memory: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    inputs: Tensor = field(default_factory=lambda: torch.empty(0))
    activations: list[Tensor] = field(default_factory=list)

    def forward(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Run all members on `(seeds, batch, ...)`.

        Returns:
            `(seeds, columns, batch, outputs)`, of its own memory, in which it lies class by class.
        """
        self.inputs = standardised(x, buffers).flatten(2).transpose(1, 2)
        self.activations = []
        for number, name in enumerate(self.layers):
            weight, bias = (parameters[f"{name}.{kind}"].detach() for kind in ("weight", "bias"))
            seeds, columns, outputs, _ = weight.shape
            last, shape = number + 1 == len(self.layers), (seeds * columns, outputs, x.shape[1])
            out = weight.new_empty(shape) if last else self._room("activation", number, shape, weight)
            self._product(number, weight, out)
            add_bias(out.view(-1, x.shape[1]), bias.reshape(-1), not last)
            self.activations.append(out)
        return out.view(seeds, columns, outputs, -1).transpose(2, 3)

    def _product(self, number: int, weight: Tensor, out: Tensor) -> None:
        seeds, columns, outputs, features = weight.shape
        if number == 0:
            shared = weight.reshape(seeds, columns * outputs, features)
            torch.bmm(shared, self.inputs, out=out.view(seeds, columns * outputs, -1))
        else:
            multiply(weight.reshape(-1, outputs, features), self.activations[number - 1], out)

    def backward(self, parameters: Mapping[str, Tensor], at_output: Tensor) -> dict[str, Tensor]:
        """Return every parameter's gradient, given the gradient `(seeds, columns, batch, outputs)` at the output.

        The gradients lie in memory that the next backward pass overwrites.
        """
        gradients: dict[str, Tensor] = {}
        arriving = at_output.transpose(2, 3).reshape(-1, at_output.shape[3], at_output.shape[2])
        for number in reversed(range(len(self.layers))):
            name = self.layers[number]
            weight = parameters[f"{name}.weight"].detach()
            gradients[f"{name}.bias"] = arriving.sum(-1).view(weight.shape[:3])
            gradients[f"{name}.weight"] = self._weight_gradient(number, arriving, weight.shape)
            if number:
                arriving = self._passed_on(number, arriving, weight)
        return gradients

    def _weight_gradient(self, number: int, arriving: Tensor, shape: torch.Size) -> Tensor:
        out = self._room("gradient", number, tuple(shape), arriving)
        seeds, columns, outputs, features = shape
        if number == 0:
            shared = arriving.reshape(seeds, columns * outputs, -1)
            torch.bmm(shared, self.inputs.transpose(1, 2), out=out.view(seeds, columns * outputs, features))
        else:
            below = self.activations[number - 1].transpose(1, 2)
            multiply(arriving, below, out.view(-1, outputs, features))
        return out

    def _passed_on(self, number: int, arriving: Tensor, weight: Tensor) -> Tensor:
        below = self.activations[number - 1]
        out = self._room("arriving", number, tuple(below.shape), below)
        multiply(weight.reshape(-1, *weight.shape[2:]).transpose(1, 2), arriving, out)
        _zero_where_off(out, below, 0, grad_input=out)
        return out

    def _room(self, what: str, number: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
        room = self.memory.get((what, number))
        if room is None or tuple(room.shape) != shape:
            room = self.memory[what, number] = like.new_empty(shape)
        return room


def add_bias(activations: Tensor, biases: Tensor, relu: bool) -> None:
    """Add biases `(rows,)` to activations `(rows, batch)`, and rectify; in place."""
    passes = passes_for(activations)
    if passes is not None:
        passes.add_bias(activations, biases, relu)
    else:
        activations.add_(biases.unsqueeze(1))
        if relu:
            activations.relu_()


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Multiply two batches of matrices so that each product has the same bits in a batch of any size.

    Torch multiplies a batch of one by other code, and rows of few by code that depends on where they lie in memory.
    """
    if len(out) == 1:
        a, b = a.expand(2, -1, -1), b.expand(2, -1, -1)
    if a.shape[1] < NARROW:
        out.copy_(torch.bmm(b.transpose(1, 2), a.transpose(1, 2))[: len(out)].transpose(1, 2))
    elif len(a) > len(out):
        out.copy_(torch.bmm(a, b)[: len(out)])
    else:
        torch.bmm(a, b, out=out)


def standardised(x: Tensor, buffers: Mapping[str, Tensor]) -> Tensor:
    """Shift and scale inputs `(seeds, batch, ...)` where the model does; its buffers are the same in all columns."""
    if "mean" not in buffers:
        return x
    mean, deviation = (buffers[name][:, :1] for name in ("mean", "deviation"))
    return standardise(x, mean, deviation)
