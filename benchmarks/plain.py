"""The straightforward loop that symloss is measured against, as a competent user would write it today.

DEAP compiles each candidate to a Python function of torch tensors; each trains alone by autograd, with torch's own
optimiser; a process per core takes candidates as they come. Torch is set up well: one thread a process, data as tensors
in memory, mini-batches by index, the fused optimiser, gradients set to None, no bookkeeping inside the loop.
"""

from __future__ import annotations

import multiprocessing
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from deap import gp
from torch import Tensor, nn

EPSILON = 1e-7
PATIENCE = 50  # steps between two looks whether a loss is still finite

Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Problem:
    """A data set, a perceptron and how long it trains.

    Args:
        train: inputs `(rows, features)` and labels `(rows,)`.
        valid: likewise; accuracy on it is what training returns.
        sizes: of the layers.
        optimiser: `adam` or `sgd`.
    """

    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    sizes: tuple[int, ...]
    optimiser: str
    rate: float
    batch: int
    steps: int


def primitives() -> gp.PrimitiveSet:
    """Return DEAP's primitives over torch tensors: the operators of the grammar `compact`."""
    pset = gp.PrimitiveSet("loss", 2)
    pset.renameArguments(ARG0="p", ARG1="t")
    pset.addPrimitive(operator.add, 2, "add")
    pset.addPrimitive(operator.sub, 2, "sub")
    pset.addPrimitive(operator.mul, 2, "mul")
    pset.addPrimitive(operator.truediv, 2, "div")
    pset.addPrimitive(operator.neg, 1, "neg")
    pset.addPrimitive(torch.log, 1, "log")
    pset.addPrimitive(operator.pow, 2, "pow")
    return pset


def compiled(text: str) -> Function:
    """Compile a candidate as DEAP does: text, a tree's prefix form or a formula's, to a Python function."""
    function: Function = gp.compile(text, primitives())
    return function


def perceptron(sizes: Sequence[int]) -> nn.Sequential:
    """Make linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def batches(rows: int, size: int, steps: int) -> Iterator[Tensor]:
    """Yield row numbers of mini-batches, shuffled anew each epoch."""
    while True:
        order = torch.randperm(rows)
        for first in range(0, rows - size + 1, size):
            if not steps:
                return
            steps -= 1
            yield order[first : first + size]


def train(problem: Problem, function: Function, seed: int = 0) -> float:
    """Train one model with one loss; return its accuracy on validation, -1 where the loss is not finite."""
    torch.manual_seed(seed)
    model = perceptron(problem.sizes)
    make = torch.optim.Adam if problem.optimiser == "adam" else torch.optim.SGD
    optimiser = make(model.parameters(), lr=problem.rate, fused=True)
    x, y = problem.train
    targets = nn.functional.one_hot(y, problem.sizes[-1]).float()
    loss = torch.zeros(())
    for step, rows in enumerate(batches(len(x), problem.batch, problem.steps)):
        p = model(x[rows]).softmax(-1).clamp(EPSILON, 1 - EPSILON)
        loss = function(p, targets[rows]).sum(-1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % PATIENCE == 0 and not loss.isfinite():
            return -1.0
    if not loss.isfinite():
        return -1.0
    with torch.no_grad():
        x, y = problem.valid
        return float((model(x).argmax(-1) == y).double().mean())


Asked = tuple[str, float, int]  # a candidate's text, a learning rate, a seed

_PROBLEMS: list[Problem] = []  # of this worker process, one a seed


def _begin(problems: Sequence[Problem]) -> None:
    torch.set_num_threads(1)
    _PROBLEMS.extend(problems)


def _train_text(asked: Asked) -> float:
    text, rate, seed = asked
    try:
        return train(replace(_PROBLEMS[seed], rate=rate), compiled(text), seed)
    except (RuntimeError, TypeError, ZeroDivisionError, OverflowError):
        return -1.0  # a constant expression, or one without p: a plain loop gives such a tree the worst fitness


@contextmanager
def workers(problems: Sequence[Problem], count: int) -> Iterator[Callable[[Sequence[Asked]], Iterator[float]]]:
    """Give a function that trains with a process per core, and yields accuracies in order as they come.

    The processes are warm when it is given: torch is imported and one candidate was trained in each.

    Args:
        problems: seed n trains on the n-th.
    """
    context: Any = multiprocessing.get_context("spawn")
    with context.Pool(count, _begin, (tuple(problems),)) as pool:
        warm = replace(problems[0], steps=3)
        pool.starmap(train_once, [(warm, "-t*log(p)")] * count, chunksize=1)
        yield lambda asked: pool.imap(_train_text, asked, chunksize=1)


def train_once(problem: Problem, text: str) -> float:
    """Compile and train one candidate in this process."""
    return train(problem, compiled(text))
