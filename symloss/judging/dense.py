"""Passes of stacked perceptrons without autograd: a few large products into memory that is used again at every step.

Members of a seed share their mini-batch, so the first layer of all of them is one product. Activations are held as
(seeds, columns, features, batch): then every product reads weights and activations as they lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import gcd, prod

import torch
from torch import Tensor, nn

from symloss.judging.bound import Call, Part
from symloss.judging.passes import passes_for
from symloss.judging.tasks.standardised import Standardised, standardise

NARROW = 8  # rows of a product, below which torch may round in another way
PART = 2**18  # numbers of the first gradient that are computed and used at once: what a core has near, often 1 MiB
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


@dataclass(frozen=True)
class BoundPasses:
    """The calls of a forward and a backward pass.

    Args:
        backward: to the gradients of all parameters but those that come in parts.
        parts: name of a parameter -> its gradient, part after part.
    """

    forward: Sequence[Call]
    backward: Sequence[Call]
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)


@dataclass
class DensePasses:
    """Forward and backward passes of a stack of perceptrons.

    Every product and view of a pass is bound to its memory once, so that a step is a list of calls. They are bound anew
    where other parameters come, inputs elsewhere in memory, or gradients at the output.

    Args:
        names: of the linear layers, first to last.
        memory: (what, layer) -> a tensor that the next step writes into again.
    """

    names: Sequence[str]
    memory: dict[tuple[str, int], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Let go of the parameters that were seen last."""
        self._parameters: Mapping[str, Tensor] = {}
        self._layers: list[Layer] = []
        self._x: Tensor | None = None
        self._at_output: Tensor | None = None
        self._activations: list[Tensor] = []  # of each layer, (seeds * columns, features, batch)
        self._arriving: Tensor | None = None  # at the first layer, (seeds, columns * outputs, batch)
        self._gradients: dict[str, Tensor] = {}
        self._forward: list[Call] = []
        self._backward: list[Call] = []

    def forward(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Run all members on `(seeds, batch, ...)`.

        Returns:
            `(seeds, columns, batch, outputs)`, which lies class by class in memory that the next pass overwrites.
        """
        if self._parameters is not parameters:  # until columns leave, steps change what is there
            self.forget()
            self._parameters, self._layers = parameters, [Layer.of(name, parameters) for name in self.names]
        if self._x is not x:
            self._bind_forward(buffers, x)
        for call in self._forward:
            call()
        return self._output

    def backward(self, at_output: Tensor) -> Mapping[str, Tensor]:
        """Return every parameter's gradient, given the gradient `(seeds, columns, batch, outputs)` at the output.

        The gradients lie in memory that the next backward pass overwrites.
        """
        if self._at_output is not at_output:
            self._bind_backward(at_output)
        for call in self._backward:
            call()
        return self._gradients

    def bound(self) -> BoundPasses:
        """Return the calls of the last passes; a large gradient of the first layer comes in parts, after the others."""
        layer, arriving = self._layers[0], self._arriving
        assert arriving is not None
        seeds, columns, *shape = layer.shape
        spans = parts_of(columns, seeds * prod(shape), shape[0])
        if len(spans) == 1:
            return BoundPasses(self._forward, self._backward)
        room, parts = arriving.new_empty(seeds * max(len(range(columns)[own]) for own in spans), *shape), []
        for own in spans:
            gradient = room[: seeds * (own.stop - own.start)].view(seeds, -1, *shape)
            rows = arriving[:, own.start * shape[0] : own.stop * shape[0]]
            parts.append(Part(own, gradient, partial(torch.bmm, rows, self._inputs, out=gradient.flatten(1, 2))))
        return BoundPasses(self._forward, self._backward[:-1], {f"{layer.name}.weight": parts})

    def _bind_forward(self, buffers: Mapping[str, Tensor], x: Tensor) -> None:
        self._x, self._at_output, self._forward, self._activations = x, None, [], []
        self._inputs = self._standardised(x, buffers).flatten(2)
        batch = x.shape[1]
        for number, layer in enumerate(self._layers):
            members, outputs, _ = layer.weights.shape
            rectify = number + 1 < len(self._layers)
            out = self._room("activation", number, (members, outputs, batch), layer.weights)
            if number:
                self._forward.append(product(layer.weights, self._activations[number - 1], out))
                self._forward.append(bias(out.view(-1, batch), layer.biases, rectify))
            else:
                self._forward += self._first(layer, out, rectify)
            self._activations.append(out)
            self._output = out.view(*layer.shape[:3], -1).transpose(2, 3)

    def _standardised(self, x: Tensor, buffers: Mapping[str, Tensor]) -> Tensor:
        """Return the inputs as the first layer sees them, where the model shifts and scales them at every step."""
        if "mean" not in buffers:
            return x
        mean, deviation = (buffers[name][:, :1] for name in ("mean", "deviation"))  # the same in all columns
        room = self._room("inputs", 0, tuple(x.shape), x)
        self._forward.append(lambda: room.copy_(standardise(x, mean, deviation)))
        return room

    def _first(self, layer: Layer, out: Tensor, rectify: bool) -> list[Call]:
        """Run the first layer, whose product is one for all members of a seed."""
        seeds, rows, _ = layer.shared.shape
        batch = self._inputs.shape[1]
        passes, by_row = passes_for(out), out.view(seeds, rows, batch)
        turned = passes.add_bias_turned if passes is not None else None
        if turned is not None and layer.shape[2] >= WIDE and batch % LANES:
            room = self._room("product", 0, (seeds, batch, rows), out)
            multiply = partial(torch.bmm, self._inputs, layer.shared.transpose(1, 2), out=room)
            return [multiply, turned(room, layer.biases.view(seeds, rows), by_row, rectify)]
        multiply = partial(torch.bmm, layer.shared, self._inputs.transpose(1, 2), out=by_row)
        return [multiply, bias(out.view(-1, batch), layer.biases, rectify)]

    def _bind_backward(self, at_output: Tensor) -> None:
        self._at_output, self._backward, self._gradients = at_output, [], {}
        arriving = at_output.transpose(2, 3).reshape(-1, at_output.shape[3], at_output.shape[2])
        for number, layer in reversed(list(enumerate(self._layers))):
            room = self._room("bias gradient", number, layer.shape[:3], arriving)
            self._gradients[f"{layer.name}.bias"] = room
            self._backward.append(partial(torch.sum, arriving, -1, out=room.view(-1, layer.shape[2])))
            room = self._room("gradient", number, layer.shape, arriving)
            self._gradients[f"{layer.name}.weight"] = room
            self._backward.append(self._weight_gradient(number, layer, arriving, room))
            if number:
                below = self._activations[number - 1]
                room = self._room("arriving", number, tuple(below.shape), below)
                self._backward.append(product(layer.weights.transpose(1, 2), arriving, room))
                self._backward.append(partial(_zero_where_off, room, below, 0, grad_input=room))
                arriving = room

    def _weight_gradient(self, number: int, layer: Layer, arriving: Tensor, room: Tensor) -> Call:
        if number:
            return product(arriving, self._activations[number - 1].transpose(1, 2), room.view(layer.weights.shape))
        seeds, rows, _ = layer.shared.shape
        self._arriving = arriving.view(seeds, rows, -1)
        return partial(torch.bmm, self._arriving, self._inputs, out=room.view(layer.shared.shape))

    def _room(self, what: str, number: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
        room = self.memory.get((what, number))
        if room is None or room.shape != shape:
            room = self.memory[what, number] = like.new_empty(shape)
        return room


def parts_of(columns: int, numbers: int, rows: int) -> list[slice]:
    """Cut columns of so many numbers and rows each into parts of about PART numbers, or one.

    They begin where a whole number of LANES rows lies before them: torch rounds the rows of a product that are left
    over in another way.
    """
    together = LANES // gcd(LANES, rows)
    units = columns // together
    count = max(1, min(-(-columns * numbers // PART), units))
    starts = [part * units // count * together for part in range(count)]
    return [slice(start, stop) for start, stop in pairwise([*starts, columns])]


def bias(activations: Tensor, biases: Tensor, rectify: bool) -> Call:
    """Return what adds biases `(rows,)` to activations `(rows, batch)`, and rectifies; in place."""
    passes = passes_for(activations)
    if passes is not None:
        return passes.add_bias(activations, biases, rectify)

    def add() -> None:
        activations.add_(biases.unsqueeze(1))
        if rectify:
            activations.relu_()

    return add


def product(a: Tensor, b: Tensor, out: Tensor) -> Call:
    """Return what multiplies two batches of matrices so that each product has the same bits in a batch of any size.

    Torch multiplies a batch of one by other code, and rows of few by code that depends on where they lie in memory.
    """
    if len(out) == 1:
        a, b = a.expand(2, -1, -1), b.expand(2, -1, -1)
    if a.shape[1] < NARROW:
        return _copied(b.transpose(1, 2), a.transpose(1, 2), out.transpose(1, 2))
    return _copied(a, b, out) if len(a) > len(out) else partial(torch.bmm, a, b, out=out)


def _copied(a: Tensor, b: Tensor, out: Tensor) -> Call:
    """Return what multiplies into memory of its own and copies the first products from there."""
    return lambda: out.copy_(torch.bmm(a, b)[: len(out)])
