"""How rows become training, validation and test parts: stratified, disjoint, and checked.

Counts depend on the class sizes alone, so that every seed's parts have the same sizes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from symloss.errors import ExperimentError


def read_part(place: str, part: Any, missing: bool = False) -> tuple[Tensor, Tensor]:
    """Turn a pair of arrays or a torch Dataset of `(input, target)` into float inputs and targets.

    Args:
        place: for the complaint, e.g. `task 'mine': train`.
        part: the pair or the Dataset.
        missing: whether an input may be NaN.

    Raises:
        ExperimentError: it is neither, the lengths differ, it is empty or holds numbers that are not finite.
    """
    pair = part if isinstance(part, tuple | list) and len(part) == 2 else read_dataset(place, part)
    try:
        x, y = torch.as_tensor(pair[0]), torch.as_tensor(pair[1])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ExperimentError(f"{place}: x and y must be tensors or arrays of numbers ({error}).") from error
    return check_part(place, x, y, missing)


def read_dataset(place: str, dataset: Any) -> tuple[Tensor, Tensor]:
    """Stack a map-style Dataset once: an iterator per step would take most of the training time."""
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        kind = type(dataset).__name__
        raise ExperimentError(f"{place} must be a pair (x, y) or a torch Dataset with a length, got {kind}.")
    rows = [dataset[i] for i in range(len(dataset))]
    if not rows or any(not isinstance(row, tuple | list) or len(row) != 2 for row in rows):
        raise ExperimentError(f"{place}: each row of a Dataset must be (input, target), and it needs at least one row.")
    return torch.stack([torch.as_tensor(x) for x, _ in rows]), torch.stack([torch.as_tensor(y) for _, y in rows])


def check_part(place: str, x: Tensor, y: Tensor, missing: bool = False) -> tuple[Tensor, Tensor]:
    """Refuse parts that cannot be trained on; settle the types: float inputs, long labels or float targets."""
    y = y.squeeze(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or len(y) == 0:
        raise ExperimentError(
            f"{place}: x must be (rows, ...) and y (rows,), at least one row, "
            f"got {tuple(x.shape)} and {tuple(y.shape)}."
        )
    x = x.to("cpu", torch.float32)
    y = y.to("cpu", torch.float32 if y.is_floating_point() else torch.int64)
    if not (bool((x.isfinite() | x.isnan()).all()) and bool(y.isfinite().all())):
        raise ExperimentError(f"{place} holds numbers that are not finite. Clean them before training.")
    if not missing and bool(x.isnan().any()):
        raise ExperimentError(
            f"{place} holds inputs that are not finite. Clean them before training; or set standardise, which puts the "
            "training part's mean in place of each NaN."
        )
    return x.contiguous(), y.contiguous()


def check_no_shared_rows(name: str, parts: Mapping[str, Tensor]) -> None:
    """Refuse parts with identical inputs: a row that is trained on must not be judged on.

    Raises:
        ExperimentError: names the two parts, how many rows they share and the first of them.
    """
    seen: dict[bytes, tuple[str, int]] = {}
    for part, x in parts.items():
        rows = contents(x)
        shared = [(i, seen[row]) for i, row in enumerate(rows) if row in seen]
        if shared:
            i, (other, j) = shared[0]
            raise ExperimentError(
                f"task '{name}': {len(shared)} rows of the {part} part are also in the {other} part, the first is "
                f"{part} row {i} = {other} row {j}. Remove them from one part, or let symloss split x and y."
            )
        seen |= {row: (part, i) for i, row in enumerate(rows)}


def without_shared(x: Tensor, y: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Drop the rows whose inputs are also in another part, so that a published test part can stay as it is."""
    taken = set(contents(other))
    kept = torch.tensor([row not in taken for row in contents(x)])
    return x[kept], y[kept]


def contents(x: Tensor) -> list[bytes]:
    """Return each row's numbers as bytes, the same for equal rows."""
    return [row.tobytes() for row in (x + 0.0).numpy()]  # adding turns -0.0 into 0.0


def first_equals(x: Tensor) -> Tensor:
    """Return for each row the number of the first row that equals it, `(rows,)`; its own where no earlier one does."""
    first: dict[bytes, int] = {}
    return torch.tensor([first.setdefault(row, i) for i, row in enumerate(contents(x))], dtype=torch.int64)


def groups_of(y: Tensor) -> list[Tensor]:
    """Return the rows of each class, or all rows as one group where targets are no labels."""
    if y.is_floating_point():
        return [torch.arange(len(y))]
    return [torch.nonzero(y == label).squeeze(1) for label in torch.unique(y)]


def share_out(total: int, weights: Sequence[float]) -> list[int]:
    """Divide a total in proportion to weights, by largest remainders, so that the counts add up exactly."""
    exact = [total * weight / sum(weights) for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def pick(groups: Sequence[Tensor], counts: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw a number of rows from each group without replacement; sorted."""
    drawn = [
        group[torch.randperm(len(group), generator=generator)[:count]]
        for group, count in zip(groups, counts, strict=True)
    ]
    return torch.cat(drawn).sort().values


def carve(y: Tensor, fraction: float, generator: torch.Generator, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Divide rows into the kept and the carved-out ones, each class by the same fraction.

    Args:
        y: `(rows,)` targets.
        fraction: of the rows that is carved out, in (0, 1).
        first: as `first_equals` returns it: equal rows stay together, in one part. By default no rows are equal.

    Returns:
        kept `(rows - n,)` and carved `(n,)`, both sorted; together they are all rows, and they share none.
    """
    first = torch.arange(len(y)) if first is None else first
    leaders, sizes = torch.unique(first, return_counts=True)
    groups = [of_class[sizes[of_class] == size] for of_class in groups_of(y[leaders]) for size in torch.unique(sizes)]
    counts = share_out(round(fraction * len(leaders)), [float(len(group)) for group in groups])
    carved = torch.isin(first, leaders[pick(groups, counts, generator)])
    return torch.nonzero(~carved).squeeze(1), torch.nonzero(carved).squeeze(1)
