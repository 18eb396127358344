"""A template as a torch function of its slot's variables that can be differentiated in its open numbers as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from symloss.language.operators import OPERATORS, torch_function
from symloss.language.slots import SLOTS
from symloss.language.template import Template


class OpenLoss:
    """A template, compiled for torch.

    Args:
        template: of operators that torch has, as those of a formula's reading are.
        slot: a name in SLOTS.

    Example:
        >>> loss = OpenLoss(with_coefficients(list(prefix(parse("-t*log(p)").node)), "edges"), "classification")
        >>> numbers = torch.ones(4, requires_grad=True)
        >>> SLOTS["classification"].objective(loss.at(numbers), output, target).sum().backward()
    """

    def __init__(self, template: Template, slot: str) -> None:
        self.template = template
        self._holes = {hole.at: hole for hole in template.holes}
        self._fused = self._fusions(dict(SLOTS[slot].fused))
        self._functions = {word.name: torch_function(OPERATORS[word.name]) for word in template.words if word.arity}

    def at(self, numbers: Tensor) -> Callable[..., Tensor]:
        """Return the loss as a function of its variables, with numbers `(count,)` in place."""

        def loss(**variables: Tensor) -> Tensor:
            return self._evaluate(numbers, variables)

        return loss

    def _fusions(self, fused: Mapping[str, str]) -> dict[int, str]:
        """Return place of a variable -> the variable that stands for it and the operator before it, as log_p does."""
        words = self.template.words
        pairs = enumerate(pairwise(words), 1)
        return {
            at: fused[f"{operator.name}({leaf.name})"]
            for at, (operator, leaf) in pairs
            if not leaf.arity and f"{operator.name}({leaf.name})" in fused
        }

    def _evaluate(self, numbers: Tensor, variables: Mapping[str, Tensor]) -> Tensor:
        stack: list[Tensor] = []
        for at, word in reversed(list(enumerate(self.template.words))):
            if at in self._holes:
                stack.append(numbers[self._holes[at].number] * self._holes[at].scale)
            elif word.value is not None:
                stack.append(numbers.new_full((), word.value))
            elif not word.arity:
                stack.append(variables[self._fused.get(at, word.name)])
            elif at + 1 not in self._fused:
                arguments: list[Any] = [stack.pop() for _ in range(word.arity)]
                stack.append(self._functions[word.name](*arguments))
        return torch.as_tensor(stack[-1])
