"""A training step on a GPU as one CUDA graph: captured once, then replayed by a single call for all of its kernels.

Everything that changes from step to step is on the device: parameters, memories, who is alive, and the number of steps,
from which mini-batch and optimiser read where they are.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from symloss.judging.failures import in_words
from symloss.judging.stack import Stack
from symloss.judging.steppers import StackedStepper

WARM = 3  # steps that are taken as they are first: kernels are compiled and memory is made, which no capture can hold

Step = Callable[[int | None], None]  # number of a step, from 1; None for the one that the device has counted up to
Record = Callable[[Callable[[], None]], Callable[[], None]]  # a step -> what takes it again
log = logging.getLogger(__name__)


def replayed(stack: Stack, take: Step) -> Step | None:
    """Return what takes a stack's steps by a graph; None where they are not on a GPU, or cannot be captured."""
    on_gpu = stack.alive.device.type == "cuda"
    return CapturedStep(stack, take) if on_gpu and not uncapturable(stack) else None


def uncapturable(stack: Stack) -> str:
    """Say why a stack's step cannot be captured, "" where it can."""
    if not isinstance(stack.stepper, StackedStepper):
        return "the task's optimiser is its own"
    if not all(stack.losses.tapes):
        return "a candidate has no tape, and its failure must be told from its neighbours'"
    return "" if stack.stacked else "its model runs as it is"


def counted(stack: Stack) -> Tensor:
    """Return the steps taken, `(1,)` int64, as a stack's device counts them."""
    assert isinstance(stack.stepper, StackedStepper)
    return stack.stepper.clock.count


def record_graph(take: Callable[[], None]) -> Callable[[], None]:
    """Capture a step, which does not take it, and return what does."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        take()
    replay: Callable[[], None] = graph.replay
    return replay


class CapturedStep:
    """Takes a stack's steps by replaying one; anew after columns have left.

    Args:
        stack: what the step changes.
        take: takes one step.
        record: captures a step.

    Attributes:
        reason: why steps are taken as they are, "" as long as they can be captured.
        captures: how many there were.
    """

    def __init__(self, stack: Stack, take: Step, record: Record = record_graph) -> None:
        self.reason = ""
        self.captures = 0
        self._stack, self._take, self._record = stack, take, record
        self._columns, self._warm = 0, 0
        self._replay: Callable[[], None] | None = None

    def __call__(self, step: int | None) -> None:
        """Take the next step."""
        if self._columns != len(self._stack.columns):
            self._columns, self._warm, self._replay = len(self._stack.columns), 0, None
        if self._warm >= WARM and self._replay is None and not self.reason:
            self._capture()
        if self._replay is not None:
            self._replay()
        else:
            self._warm += 1
            self._take(None)

    def _capture(self) -> None:
        try:
            self._replay = self._record(lambda: self._take(None))
            self.captures += 1
        except RuntimeError as error:  # so does torch word what CUDA refuses
            self.reason = in_words(error)
            log.warning("A step could not be captured as a CUDA graph, and is taken kernel by kernel: %s", self.reason)
