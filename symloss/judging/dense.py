"""Passes of stacked perceptrons without autograd: a few large products into memory that is used again at every step.

Members of a seed share their mini-batch, so the first layer of all of them is one product. Activations are held as
(seeds, columns, features, batch): then every product reads weights and activations as they lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from symloss.judging.passes import passes_for
from symloss.judging.tasks.standardised import Standardised, standardise

NARROW = 8  # rows
# A batch along the lanes leaves some of the last ones idle where they do not divide it; then outputs go along them, but
# few of those get other code alone than in company.
LANES, WIDE = 16, 32
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


@dataclass(frozen=True)
class Layer:
    """One layer's parameters of all members, over the parameters' own memory, in the shapes that its products take.

    Args:
        shape: `(seeds, columns, outputs, features)`.
        weights: `(seeds * columns, outputs, features)`, a matrix a member.
        shared: `(seeds, columns * outputs, features)`, a matrix for all members that share a mini-batch.
        biases: `(seeds * columns * outputs,)`.
    """

    name: str
    shape: tuple[int, ...]
    weights: Tensor
    shared: Tensor
    biases: Tensor

    @classmethod
    def of(cls, name: str, parameters: Mapping[str, Tensor]) -> Layer:
        """Look at a layer's parameters `(seeds, columns, ...)`, which may change in place afterwards."""
        weight, bias = (parameters[f"{name}.{kind}"].detach() for kind in ("weight", "bias"))
        seeds, columns, outputs, features = weight.shape
        weights = weight.view(seeds * columns, outputs, features)
        return cls(name, weight.shape, weights, weights.view(seeds, columns * outputs, features), bias.view(-1))


@dataclass
class DensePasses:
    """Forward and backward passes of a stack of perceptrons.

    Args:
        names: of the linear layers, first to last.
        memory: (what, layer) -> a tensor that the next step writes into again.
        inputs: `(seeds, batch, features)` of the last forward pass.
        activations: `(seeds * columns, features, batch)` of each layer of the last forward pass.
    """

    names: Sequence[str]
    memory: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    inputs: Tensor = field(default_factory=lambda: torch.empty(0))
    activations: list[Tensor] = field(default_factory=list)
    _seen: tuple[Mapping[str, Tensor], list[Layer]] = field(default_factory=lambda: ({}, []))

    def forward(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Run all members on `(seeds, batch, ...)`.

        Returns:
            `(seeds, columns, batch, outputs)`, of its own memory, in which it lies class by class.
        """
        self.inputs = standardised(x, buffers).flatten(2)
        self.activations = []
        layers = self._layers(parameters)
        for number, layer in enumerate(layers):
            members, outputs, _ = layer.weights.shape
            last, shape = number + 1 == len(layers), (members, outputs, x.shape[1])
            out = layer.weights.new_empty(shape) if last else self._room("activation", number, shape, layer.weights)
            if number:
                multiply(layer.weights, self.activations[number - 1], out)
                add_bias(out.view(-1, x.shape[1]), layer.biases, not last)
            else:
                self._first(layer, out, not last)
            self.activations.append(out)
        return out.view(*layer.shape[:3], -1).transpose(2, 3)

    def _layers(self, parameters: Mapping[str, Tensor]) -> list[Layer]:
        if self._seen[0] is not parameters:  # until columns leave, steps change what is there
            self._seen = parameters, [Layer.of(name, parameters) for name in self.names]
        return self._seen[1]

    def forget(self) -> None:
        """Let go of the parameters that were seen last."""
        self._seen = {}, []

    def _first(self, layer: Layer, out: Tensor, relu: bool) -> None:
        """Run the first layer, whose product is one for all members of a seed."""
        seeds, rows, _ = layer.shared.shape
        batch = self.inputs.shape[1]
        passes = passes_for(out)
        turned = passes.add_bias_turned if passes is not None else None
        if turned is not None and layer.shape[2] >= WIDE and batch % LANES:
            product = self._room("product", 0, (seeds, batch, rows), out)
            torch.bmm(self.inputs, layer.shared.transpose(1, 2), out=product)
            turned(product, layer.biases.view(seeds, rows), out.view(seeds, rows, batch), relu)
            return
        torch.bmm(layer.shared, self.inputs.transpose(1, 2), out=out.view(seeds, rows, batch))
        add_bias(out.view(-1, batch), layer.biases, relu)

    def backward(self, parameters: Mapping[str, Tensor], at_output: Tensor) -> dict[str, Tensor]:
        """Return every parameter's gradient, given the gradient `(seeds, columns, batch, outputs)` at the output.

        The gradients lie in memory that the next backward pass overwrites.
        """
        gradients: dict[str, Tensor] = {}
        arriving = at_output.transpose(2, 3).reshape(-1, at_output.shape[3], at_output.shape[2])
        for number, layer in reversed(list(enumerate(self._layers(parameters)))):
            room = self._room("bias gradient", number, layer.shape[:3], arriving)
            torch.sum(arriving, -1, out=room.view(-1, layer.shape[2]))
            gradients[f"{layer.name}.bias"] = room
            gradients[f"{layer.name}.weight"] = self._weight_gradient(number, layer, arriving)
            if number:
                arriving = self._passed_on(number, layer, arriving)
        return gradients

    def _weight_gradient(self, number: int, layer: Layer, arriving: Tensor) -> Tensor:
        out = self._room("gradient", number, layer.shape, arriving)
        if number:
            multiply(arriving, self.activations[number - 1].transpose(1, 2), out.view(layer.weights.shape))
        else:
            seeds, rows, _ = layer.shared.shape
            torch.bmm(arriving.view(seeds, rows, -1), self.inputs, out=out.view(layer.shared.shape))
        return out

    def _passed_on(self, number: int, layer: Layer, arriving: Tensor) -> Tensor:
        below = self.activations[number - 1]
        out = self._room("arriving", number, tuple(below.shape), below)
        multiply(layer.weights.transpose(1, 2), arriving, out)
        _zero_where_off(out, below, 0, grad_input=out)
        return out

    def _room(self, what: str, number: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
        room = self.memory.get((what, number))
        if room is None or room.shape != shape:
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
