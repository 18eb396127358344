"""Measures for classes of unequal sizes, where a model that always says the most frequent one has a high accuracy.

Every function maps outputs `(*members, n, classes)` and labels that broadcast to `(*members, n)` to `(*members,)`, and
gives what scikit-learn gives. With two classes, ranks are those of class 1; with more, each class is ranked against the
rest, and the mean over the classes is taken.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Ranking = Callable[[Tensor, Tensor], Tensor]  # scores and whether positive, both `(..., n)` -> `(...)`


def average_precision(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the area under the steps of the precision-recall curve, in [0, 1]; by chance, the share of positives.

    Source: scikit-learn, `average_precision_score`; Davis and Goadrich 2006, "The relationship between precision-recall
    and ROC curves", ICML, on why the steps are not joined by lines.
    """
    return ranked(precision_of_ranks, outputs, targets)


def area_under_roc(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the chance that a positive is ranked above a negative, in [0, 1]; 0.5 by chance, ties count half.

    Source: Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating characteristic curve".
    """
    return ranked(wins_of_ranks, outputs, targets)


def ranked(ranking: Ranking, outputs: Tensor, targets: Tensor) -> Tensor:
    """Rank by class 1 of two, or by each class against the rest: the mean over those that have both kinds of rows."""
    # What is ranked is no probability: those tie where they round to 0 or 1. These have the same order.
    scores = outputs.double()
    if scores.shape[-1] == 2:
        scores, classes = (scores[..., 1] - scores[..., 0]).unsqueeze(-2), torch.ones(1, device=scores.device)
    else:
        scores = scores.log_softmax(-1).transpose(-1, -2)
        classes = torch.arange(scores.shape[-2], device=scores.device)
    positive = targets.unsqueeze(-2) == classes.unsqueeze(-1)
    return ranking(scores, positive.expand(scores.shape)).nanmean(-1)


def precision_of_ranks(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the mean, over the positives, of the share of positives among all that rank as high or higher."""
    order, _, last = descending(scores)
    hits = positive.gather(-1, order).double()
    rows = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
    precision = (hits.cumsum(-1) / rows).gather(-1, last)
    return (hits * precision).sum(-1) / hits.sum(-1)


def wins_of_ranks(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the share of pairs of a positive and a negative in which the positive ranks higher; ties count half."""
    order, first, last = descending(scores)
    hits = positive.gather(-1, order).double()
    seen = hits.cumsum(-1)
    higher, as_high = (seen - hits).gather(-1, first), seen.gather(-1, last)
    positives, negatives = hits.sum(-1), (1 - hits).sum(-1)
    return ((1 - hits) * (higher + as_high) / 2).sum(-1) / (positives * negatives)


def descending(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the order from the highest score down, and for each place in it the first and last one of that score."""
    values, order = scores.sort(dim=-1, descending=True)
    places = torch.arange(values.shape[-1], device=values.device).expand(values.shape)
    starts = torch.ones_like(places, dtype=torch.bool)
    starts[..., 1:] = values[..., :-1] != values[..., 1:]
    ends = starts.roll(-1, -1)
    first = torch.where(starts, places, 0).cummax(-1).values
    last = torch.where(ends, places, values.shape[-1] - 1).flip(-1).cummin(-1).values.flip(-1)
    return order, first, last


def counts(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count for each class the rows that are found, that are said to be it, and that are it: `(*members, classes)`."""
    classes = torch.arange(outputs.shape[-1], device=outputs.device)
    said = outputs.argmax(-1).unsqueeze(-1) == classes
    true = (targets.unsqueeze(-1) == classes).expand(said.shape)
    return (said & true).sum(-2).double(), said.sum(-2).double(), true.sum(-2).double()


def f1_of_one(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the harmonic mean of precision and recall of class 1, in [0, 1]; 0 where it is neither said nor true."""
    both, said, true = (each[..., 1] for each in counts(outputs, targets))
    return 2 * both / (said + true).clamp_min(1)


def f1_of_all(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of every class's F1, over the classes that are said or true."""
    both, said, true = counts(outputs, targets)
    there = said + true
    return (2 * both / there).nanmean(-1)


def mean_recall(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over the classes of the share of their rows that are found, in [0, 1].

    Source: Brodersen et al. 2010, "The balanced accuracy and its posterior distribution", ICPR.
    """
    both, _, true = counts(outputs, targets)
    return (both / true).nanmean(-1)
