"""Bring your own model and data: a supervised task in about ten lines.

The test part is carved out once by a fixed seed; each seed draws its own training and validation part from the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symloss.errors import ExperimentError, unknown
from symloss.judging.device import find_device
from symloss.judging.failures import FAULTS, in_words
from symloss.judging.optimisers import OPTIMISERS
from symloss.judging.tasks.labels import is_number
from symloss.judging.tasks.metrics import METRICS, Metric, check_metric, read_metric
from symloss.judging.tasks.parts import carve, check_no_shared_rows, first_equals, read_part
from symloss.judging.tasks.standardised import Standardised
from symloss.judging.tasks.task import OptimiserFactory, Split, Task, generator, reseed, stream
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS, adopt_slot
from symloss.language.zoo import zoo

__all__ = ["SupervisedTask", "Split", "Task"]

DIVISIONS = 8  # seeds whose parts are remembered: every job of a search asks for the same ones
TEST_SEED = 20_190_527  # one for all tasks and for ever: no run may choose its test part

Alter = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
GivenMetric = str | tuple[Callable[[Tensor, Tensor], float], str] | Metric


@dataclass(frozen=True)
class Parts:
    """The rows that training may see and the test part.

    Args:
        fixed_validation: number of rows, the last ones, that are validation for every seed.
        first: of each row that training may see, the first row that equals it.
    """

    x: Tensor
    y: Tensor
    fixed_validation: int
    test: tuple[Tensor, Tensor]
    first: Tensor


class SupervisedTask:
    """A base problem made of data and a model.

    Args:
        name: in reports and complaints.
        model: called without arguments, returns a fresh `nn.Module`; an `nn.Module` class will do. It maps
            `(batch, ...)` to `(batch, outputs)`; in the slot `activation` its forward takes `(x, nonlinearity)`.
        x: `(rows, ...)` all inputs, with `y` `(rows,)`: integers are labels 0, 1, ..., floats are regression targets.
        y: the targets of x.
        train: instead of x and y, a pair `(x, y)` or a torch Dataset.
        validation: a part of its own; otherwise it is drawn from the training rows for each seed.
        test: a part of its own; otherwise it is carved out once.
        slot: where formulas plug in; by default `classification` for labels and `regression` for floats.
        metric: a name, or `(function, "maximise")`, or `(function, "minimise")`; by default accuracy, or mse.
        also: further metrics to measure; by default nll and ece, or mae and r2.
        optimiser: `sgd`, `momentum`, `adam`, or a factory `(parameters, learning_rate) -> torch optimiser`; with a
            factory the task trains one by one, which is slower.
        learning_rates: what an experiment tries that names none.
        batch_size: rows per step.
        fractions: of the test part in all rows, and of validation in the rest.
        standardise: shift and scale inputs by the training part's mean and deviation: all, or those of which a
            sequence of its own says so. An input that is NaN is missing, and becomes the training part's mean.
        alter: changes the training part `(index, y, generator) -> (index, y)`, e.g. adds label noise; never the others.
            It may drop or repeat rows and change targets.
        device: where models train: `cpu`, `cuda`, `cuda:1`, or `auto`, a GPU where there is one. Splits, mini-batches
            and initial weights are the same on all of them; results are bit-identical on one kind of device.

    Rows with equal inputs stay together in one part, so that no part can be learnt by heart from another.

    Raises:
        ExperimentError: data do not fit, parts share rows, the model does not map x to outputs, a name is unknown, or
            there is no such device.

    Example:
        >>> SupervisedTask("mine", x=x, y=y, model=lambda: nn.Linear(20, 3), batch_size=32)
    """

    def __init__(
        self,
        name: str,
        *,
        model: Callable[[], nn.Module],
        x: Any = None,
        y: Any = None,
        train: Any = None,
        validation: Any = None,
        test: Any = None,
        slot: str | None = None,
        metric: GivenMetric | None = None,
        also: Sequence[GivenMetric] | None = None,
        optimiser: str | OptimiserFactory = "adam",
        learning_rates: Sequence[float] = (0.001, 0.003, 0.01),
        batch_size: int = 64,
        fractions: tuple[float, float] = (0.3, 0.25),
        standardise: bool | Sequence[bool] = False,
        alter: Alter | None = None,
        device: str = "cpu",
    ) -> None:
        self.name = name
        self._device = find_device(f"task '{name}'", device)
        self._factory = model
        self._alter = alter
        self._fractions = check_fractions(name, fractions)
        whole = (x, y) if train is None else train
        if train is not None and (x is not None or y is not None):
            raise ExperimentError(f"task '{name}': give either x and y, or train, not both.")
        self._divisions: dict[int, tuple[Tensor, Tensor]] = {}
        self._parts = read_parts(name, whole, validation, test, self._fractions[0], missing=standardise is not False)
        self._standardise = read_scaled(name, standardise, self._parts.x)
        self.x = self._parts.x.to(self._device)
        labels = not self._parts.y.is_floating_point()
        self.slot = check_slot(name, slot or ("classification" if labels else "regression"), labels)
        self.metric = read_metric(f"task '{name}'", metric or ("accuracy" if labels else "mse"))
        others = (("nll", "ece") if labels else ("mae", "r2")) if also is None else also
        self.metrics = read_metrics(name, self.metric, others)
        self.optimiser = check_optimiser(name, optimiser)
        self.learning_rates = check_rates(name, learning_rates)
        self.batch_size = check_batch(name, batch_size)
        check_parts(name, *self._division(), self._parts.test[1])
        self.width = self._probe_width()
        for part, y in {"validation": self._parts.y[self._division()[1]], "test": self._parts.test[1]}.items():
            check_metrics(name, self.metrics, part, y, self.width)
        self.split(0)  # what `alter` refuses must be heard now, not in the middle of a search

    def split(self, seed: int) -> Split:
        """Divide the rows that are not the test part into training and validation.

        Args:
            seed: the same seed gives the same split, whatever was drawn before.
        """
        y = self._parts.y
        train, valid = self._division(seed)
        train_y = y[train]
        if self._alter is not None:
            altered: object = self._alter(train, train_y, generator(seed, "alter"))
            train, train_y = check_altered(self.name, altered, train, train_y)
        return Split(train, train_y, valid, y[valid])

    def _division(self, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return the rows of the training part, not altered yet, and those of validation."""
        y, fixed = self._parts.y, self._parts.fixed_validation
        if fixed:
            return torch.arange(len(y) - fixed), torch.arange(len(y) - fixed, len(y))
        if seed not in self._divisions:
            if len(self._divisions) == DIVISIONS:
                self._divisions.clear()
            self._divisions[seed] = carve(y, self._fractions[1], generator(seed, "split"), self._parts.first)
        train, valid = self._divisions[seed]
        return train.clone(), valid.clone()  # whoever asks may write into them, as `alter` does

    def test(self) -> tuple[Tensor, Tensor]:
        """Return the test part: inputs `(n, ...)` and true targets `(n,)`."""
        return self._parts.test

    def model(self, seed: int) -> nn.Module:
        """Make the base model with a seed's initial weights, drawn on the processor, and put it on the device.

        Raises:
            ExperimentError: the factory raises or returns something else.
        """
        with torch.random.fork_rng(devices=[]):
            reseed(stream(seed, "weights"), self._device)
            model = self._fresh_model()
        if self._standardise is not None:
            model = Standardised(model, self._parts.x[self.split(seed).train_index], self._standardise)
        return model.to(self._device)

    def _fresh_model(self) -> nn.Module:
        try:
            model: object = self._factory()
        except FAULTS as error:
            raise ExperimentError(f"task '{self.name}': the model factory raised {in_words(error)}.") from error
        if not isinstance(model, nn.Module):
            kind = type(model).__name__
            raise ExperimentError(
                f"task '{self.name}': model must be a function without arguments that returns an nn.Module, "
                f"it returned {kind}."
            )
        return model

    def _probe_width(self) -> int:
        """Run the model on two rows: a model that does not fit its data must say so before a search starts."""
        rows = self.x[:2]
        model, reference = self.model(0).eval(), compile_loss(zoo[SLOTS[self.slot].baselines[0]])
        try:
            with torch.no_grad():
                output = SLOTS[self.slot].forward(reference, model, rows)
        except FAULTS as error:
            raise ExperimentError(
                f"task '{self.name}': the model does not take inputs of shape {tuple(rows.shape)}: {in_words(error)}."
            ) from error
        if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != len(rows):
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ExperimentError(
                f"task '{self.name}': the model must map (batch, ...) to (batch, outputs), "
                f"it gave {got} for a batch of {len(rows)}."
            )
        return check_width(self.name, self.slot, output.shape[1], self._parts)


def read_parts(name: str, whole: Any, validation: Any, test: Any, test_fraction: float, missing: bool) -> Parts:
    """Read what the user gave, of which values may be missing; carve out the test part where there is none."""
    if whole is None or (isinstance(whole, tuple) and any(part is None for part in whole)):
        raise ExperimentError(
            f"task '{name}' has no data. Give x and y, or train (and test) as pairs (x, y) or Datasets."
        )
    x, y = read_part(f"task '{name}': train", whole, missing)
    given = {"train": x}
    if test is None:
        kept, carved = carve(y, test_fraction, generator(TEST_SEED, "test"), first_equals(x))
        judged, x, y = (x[carved], y[carved]), x[kept], y[kept]
    else:
        judged = read_part(f"task '{name}': test", test, missing)
        given["test"] = judged[0]
    fixed = 0
    if validation is not None:
        valid_x, valid_y = read_part(f"task '{name}': validation", validation, missing)
        given["validation"] = valid_x
        fixed = len(valid_y)
    check_same_kind(name, given, [y, judged[1]] + ([valid_y] if fixed else []))
    check_no_shared_rows(name, given)
    if fixed:
        x, y = torch.cat([x, valid_x]), torch.cat([y, valid_y])
    return Parts(x, y, fixed, judged, first_equals(x))


def read_scaled(name: str, standardise: bool | Sequence[bool], x: Tensor) -> Tensor | None:
    """Return which inputs are shifted and scaled, of one row's shape; None where the model sees them as they are."""
    if isinstance(standardise, bool):
        return torch.ones(x.shape[1:], dtype=torch.bool) if standardise else None
    scaled = torch.as_tensor(standardise)
    if scaled.dtype != torch.bool or scaled.shape != x.shape[1:]:
        raise ExperimentError(
            f"task '{name}': standardise must be true, false, or a truth value for each of the inputs, of shape "
            f"{tuple(x.shape[1:])}; it is {scaled.dtype} of shape {tuple(scaled.shape)}."
        )
    return scaled


def check_same_kind(name: str, given: dict[str, Tensor], targets: Sequence[Tensor]) -> None:
    """Refuse parts whose rows differ in shape, or whose targets are labels here and floats there."""
    shapes = {part: tuple(x.shape[1:]) for part, x in given.items()}
    if len(set(shapes.values())) > 1:
        raise ExperimentError(f"task '{name}': the rows of its parts differ in shape: {shapes}.")
    if len({y.dtype for y in targets}) > 1:
        raise ExperimentError(f"task '{name}': y must be integers (labels) in every part, or floats in every part.")


def check_parts(name: str, train: Tensor, valid: Tensor, test: Tensor) -> None:
    """Refuse a division that leaves a part without rows."""
    for part, rows in {"training": train, "validation": valid, "test": test}.items():
        if not len(rows):
            raise ExperimentError(
                f"task '{name}': its {part} part has no rows ({len(train)} are for training, {len(valid)} for "
                f"validation, {len(test)} for the test; equal rows stay together). Give more rows, or other fractions."
            )


def check_altered(name: str, altered: object, train: Tensor, train_y: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse what is no training part: rows of other parts, no rows, or targets of another number or kind."""
    place = f"task '{name}': alter must return (index, y), the rows of `x` to train on and their targets"
    if not isinstance(altered, tuple) or len(altered) != 2 or not all(isinstance(each, Tensor) for each in altered):
        raise ExperimentError(f"{place}, as two tensors; it returned {type(altered).__name__}.")
    index, y = altered
    if index.ndim != 1 or index.shape != y.shape or not len(index):
        raise ExperimentError(
            f"{place}, equally many and at least one; it returned shapes {tuple(index.shape)} and {tuple(y.shape)}."
        )
    strange = sorted(set(index.tolist()) - set(train.tolist()))
    if strange:
        raise ExperimentError(
            f"{place}, all of them among the rows that it was given; {len(strange)} are not, the first is {strange[0]}."
        )
    if y.dtype != train_y.dtype or not bool(y.isfinite().all()):
        raise ExperimentError(f"{place}, which must be finite and stay {train_y.dtype}; it returned {y.dtype}.")
    return index, y


def check_width(name: str, slot: str, width: int, parts: Parts) -> int:
    """Refuse labels that the model has no output for, and outputs that no target is for."""
    if SLOTS[slot].target == "values" and width != 1:
        raise ExperimentError(
            f"task '{name}': the model has {width} outputs, and the slot '{slot}' trains one. Give it one output."
        )
    if SLOTS[slot].target == "labels":
        every = torch.cat([parts.y, parts.test[1]])
        low, high = int(every.min()), int(every.max())
        if low < 0 or high >= width:
            raise ExperimentError(
                f"task '{name}': labels run from {low} to {high}, and the model has {width} outputs. "
                f"Labels must be 0 to {width - 1}: renumber them, or give the model {high + 1} outputs."
            )
    return width


def check_slot(name: str, slot: str, labels: bool) -> str:
    """Refuse an unknown slot, and one that is for other targets."""
    adopt_slot(slot)
    if slot not in SLOTS:
        raise ExperimentError(unknown(f"task '{name}'", "slot", slot, SLOTS))
    if labels and SLOTS[slot].target == "values":
        raise ExperimentError(
            f"task '{name}': y holds integers, which are labels, and the slot '{slot}' is for values. "
            "Give y as floats, e.g. y.float()."
        )
    if not labels and SLOTS[slot].target == "labels":
        raise ExperimentError(
            f"task '{name}': y holds floats, which are values, and the slot '{slot}' is for labels. "
            "Give y as integers 0, 1, ..., e.g. y.long()."
        )
    return slot


def check_optimiser(name: str, optimiser: str | OptimiserFactory) -> str | OptimiserFactory:
    """Refuse an unknown optimiser."""
    if isinstance(optimiser, str) and optimiser not in OPTIMISERS:
        raise ExperimentError(unknown(f"task '{name}'", "optimiser", optimiser, OPTIMISERS))
    if not isinstance(optimiser, str) and not callable(optimiser):
        raise ExperimentError(f"task '{name}': optimiser must be a name or a factory, got {optimiser!r}.")
    return optimiser


def check_fractions(name: str, fractions: tuple[float, float]) -> tuple[float, float]:
    """Refuse fractions that leave a part empty."""
    if len(fractions) != 2 or not all(0 < fraction < 1 for fraction in fractions):
        raise ExperimentError(
            f"task '{name}': fractions must be two numbers between 0 and 1, of the test part and of validation, "
            f"got {fractions!r}."
        )
    return fractions


def check_rates(name: str, rates: Sequence[float]) -> tuple[float, ...]:
    """Refuse an empty list of learning rates, and rates that are not positive and finite."""
    if not rates or not all(is_number(rate) and 0 < rate < float("inf") for rate in rates):
        raise ExperimentError(
            f"task '{name}': learning_rates must be positive numbers, at least one, got {list(rates)!r}."
        )
    return tuple(float(rate) for rate in rates)


def check_batch(name: str, batch_size: int) -> int:
    """Refuse a batch without rows."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ExperimentError(f"task '{name}': batch_size must be a whole number of at least 1, got {batch_size!r}.")
    return batch_size


def check_metrics(name: str, metrics: Sequence[Metric], part: str, y: Tensor, width: int) -> None:
    """Refuse metrics without meaning for the targets, and those of symloss's own that have no value on a part.

    Otherwise every candidate would be said to diverge.
    """
    outputs = torch.arange(len(y) * width, dtype=torch.float64).cos().view(len(y), width)
    for metric in metrics:
        check_metric(f"task '{name}'", metric, not y.is_floating_point(), width)
        if METRICS.get(metric.name) is metric and not bool(metric.function(outputs, y).isfinite()):
            raise ExperimentError(
                f"task '{name}': the metric '{metric.name}' has no value on the {part} part, whose {len(y)} targets "
                "are all alike. Give more rows, other fractions, or another metric."
            )


def read_metrics(name: str, first: Metric, also: Sequence[GivenMetric]) -> tuple[Metric, ...]:
    """Gather the judging metric and the others, each once."""
    others = [read_metric(f"task '{name}'", given) for given in also]
    return tuple({metric.name: metric for metric in (first, *others)}.values())
