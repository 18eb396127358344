"""How a labelled training part is made harder: fewer rows, rarer classes, wrong labels.

The hook that a task applies to the training part of each split; validation and test parts stay clean.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.errors import ExperimentError, unknown
from symloss.judging.tasks.parts import groups_of, pick, share_out


@dataclass(frozen=True)
class Hardship:
    """What happens to a training part; a task calls it with each split.

    Args:
        noise: the share of training labels flipped to another class, drawn anew for each seed; in [0, 1).
        noise_kind: to which class, a name in FLIPS.
        examples: number of training rows kept, the classes in proportion; None keeps all.
        imbalance: rows of the most frequent class over those of the rarest, at least 1; in between, a geometric row.

    Raises:
        ExperimentError: a value is out of its range, or (when called) there are fewer rows than asked for.

    Example:
        >>> Hardship(noise=0.4, noise_kind="pair", examples=500)
    """

    noise: float = 0.0
    noise_kind: str = "uniform"
    examples: int | None = None
    imbalance: float = 1.0

    def __post_init__(self) -> None:
        if not is_number(self.noise) or not 0 <= self.noise < 1:
            raise ExperimentError(
                f"[task] noise must be at least 0 and below 1, got {self.noise!r}. 0.4 flips 40 % of the labels."
            )
        if not isinstance(self.noise_kind, str) or self.noise_kind not in FLIPS:
            raise ExperimentError(unknown("[task] noise_kind", "kind of noise", str(self.noise_kind), FLIPS))
        if self.examples is not None and (isinstance(self.examples, bool) or not isinstance(self.examples, int)):
            raise ExperimentError(f"[task] examples must be a whole number of training rows, got {self.examples!r}.")
        if self.examples is not None and self.examples < 1:
            raise ExperimentError(f"[task] examples must be at least 1, got {self.examples}.")
        if not is_number(self.imbalance) or not 1 <= self.imbalance < float("inf"):
            raise ExperimentError(
                f"[task] imbalance must be at least 1 (rows of the most frequent class over the rarest's), "
                f"got {self.imbalance!r}."
            )

    def __call__(self, index: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Thin and spoil a training part: `(n,)` rows and labels in, fewer rows and noisier labels out."""
        classes = int(y.max()) + 1
        groups = groups_of(y)
        kept = pick(groups, self._counts([len(group) for group in groups]), generator)
        return index[kept], flip_labels(y[kept], self.noise, classes, generator, self.noise_kind)

    def _counts(self, available: list[int]) -> list[int]:
        """Return how many rows of each class are kept."""
        last = max(len(available) - 1, 1)
        profile = [self.imbalance ** (-place / last) for place in range(len(available))]
        if self.imbalance == 1:
            profile = [float(count) for count in available]
        wanted = self.examples
        if wanted is None:
            fullest = min(count / weight for count, weight in zip(available, profile, strict=True))
            return [max(1, int(fullest * weight + 1e-9)) for weight in profile]
        counts = share_out(wanted, profile)
        if any(count > most for count, most in zip(counts, available, strict=True)):
            raise ExperimentError(
                f"[task] examples = {wanted} with imbalance = {self.imbalance} needs more rows than the training part "
                f"has: {counts} of {available} per class. Ask for fewer examples."
            )
        return counts


def is_number(value: object) -> bool:
    """Whether it is a number that a setting may hold; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def to_any(count: int, classes: int, generator: torch.Generator) -> Tensor:
    """Draw by how much each label is shifted, all other classes alike."""
    return torch.randint(1, max(classes, 2), (count,), generator=generator)


def to_next(count: int, classes: int, generator: torch.Generator) -> Tensor:
    """Shift each label by one, the last class to the first.

    Source: Han et al. 2018, "Co-teaching", arXiv:1804.06872, section 4, pair flipping.
    """
    return torch.ones(count, dtype=torch.int64)


FLIPS: dict[str, Callable[[int, int, torch.Generator], Tensor]] = {"uniform": to_any, "pair": to_next}


def flip_labels(y: Tensor, share: float, classes: int, generator: torch.Generator, kind: str = "uniform") -> Tensor:
    """Flip exactly a share of labels, rounded to whole rows, to another class.

    Args:
        y: `(n,)` labels.
        share: in [0, 1).
        classes: number of classes.
        generator: of the draws.
        kind: a name in FLIPS: `uniform` to any other class, `pair` to the next one.

    Example:
        >>> flip_labels(torch.zeros(10, dtype=torch.int64), 0.4, 3, torch.Generator()).count_nonzero()
        tensor(4)
    """
    flipped = torch.randperm(len(y), generator=generator)[: round(share * len(y))]
    noisy = y.clone()
    noisy[flipped] = (noisy[flipped] + FLIPS[kind](len(flipped), classes, generator)) % classes
    return noisy


CLEAN = Hardship()  # a training part as it is
