"""One model, trained on all rows with the loss that a search chose."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from symloss.judging.batches import batches
from symloss.judging.tasks.networks import mlp
from symloss.judging.tasks.standardised import Standardised
from symloss.judging.threads import one_thread
from symloss.language.formula import Formula
from symloss.language.loss import SymbolicLoss


def refit(
    x: Tensor,
    y: Tensor,
    outputs: int,
    hidden: Sequence[int],
    formula: Formula,
    learning_rate: float,
    steps: int,
    batch_size: int,
    seed: int,
) -> nn.Module:
    """Train a perceptron with Adam, as the search trained its models, on all rows.

    Args:
        x: (rows, features).
        y: (rows,) class indices or values.
        outputs: of the model.
        steps: of the optimiser.

    Returns:
        The model, behind its inputs' mean and deviation, ready to predict.
    """
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(seed)
        model = Standardised(mlp((x.shape[1], *hidden, outputs)), x)
        loss, optimiser = SymbolicLoss(formula), torch.optim.Adam(model.parameters(), lr=learning_rate)
        for rows in batches(len(x), batch_size, steps, torch.Generator().manual_seed(seed)):
            output = model(x[rows])
            optimiser.zero_grad()
            loss(output if formula.slot == "classification" else output[:, 0], y[rows]).backward()
            optimiser.step()
    return model.eval()
