"""The choice of a pool: this process, or Ray workers on this machine or on a cluster."""

from collections.abc import Mapping
from typing import Any

from symloss.errors import ExperimentError
from symloss.judging.device import find_device
from symloss.judging.pool import Pool
from symloss.judging.ray_pool import RayPool
from symloss.judging.serial_pool import SerialPool


def make_pool(workers: int, task_spec: Mapping[str, Any], address: str | None = None) -> Pool:
    """Make a pool of Ray workers, or of this process.

    Args:
        workers: number of Ray workers; 0 works in this process, and needs no Ray.
        task_spec: as `make_task` reads it; each worker makes its own task of it.
        address: of a running Ray cluster on which symloss is installed; None starts one on this machine.

    Raises:
        ExperimentError: the number of workers is negative, or 0 with an address, or there are some and the task trains
            on a GPU.
    """
    if workers < 0 or (workers == 0 and address):
        raise ExperimentError(f"--workers must be at least 0, and at least 1 with an address, got {workers}.")
    if workers and trains_on_gpu(task_spec):
        raise ExperimentError(
            f"[task] device = '{task_spec['device']}' trains in this process, whose GPU workers would only share: "
            f"use --workers 0, got {workers}."
        )
    return SerialPool(task_spec) if workers == 0 else RayPool(workers, task_spec, address)


def trains_on_gpu(task_spec: Mapping[str, Any]) -> bool:
    """Whether a task's options put its models on a GPU; how a user's own function names its options is not known."""
    return "name" in task_spec and find_device("[task]", task_spec.get("device", "cpu")).type == "cuda"
