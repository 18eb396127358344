"""Ray itself: imported, started on this machine's loopback or joined at an address, and kept quiet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import symloss
from symloss.errors import RunError

STORE_BYTES = 80_000_000  # of Ray's object store; jobs are text, so nearly its smallest will do

# Read by Ray when it is imported or started: no usage reports, no log noise, no overriding of GPU visibility.
RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}

LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"
}  # Ray's word for "no cluster": it then binds to 127.0.0.1 everywhere


def load_ray(address: str | None = None) -> Any:
    """Import Ray, which no other module does.

    Args:
        address: of the cluster to join; without one, Ray is kept to this machine's loopback.

    Raises:
        RunError: it is not installed.
    """
    wanted = RAY_ENVIRONMENT if address else RAY_ENVIRONMENT | LOOPBACK
    os.environ.update({name: value for name, value in wanted.items() if name not in os.environ})
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise RunError("Ray is not installed. --workers 0 works without it, in this process.") from error
    return ray


def start_ray(ray: Any, workers: int, address: str | None) -> None:
    """Join a cluster, or start one that only this machine can reach."""
    quiet = {"log_to_driver": False, "configure_logging": True, "logging_level": "ERROR"}
    # A killed worker would be announced on standard output, by a thread that no option turns off.
    ray._private.worker._worker_logs_enabled = False
    if address:
        ray.init(address=address, **quiet)
        return
    with importable_symloss():
        ray.init(
            address="local",
            num_cpus=workers,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            _node_ip_address="127.0.0.1",
            **quiet,
        )


@contextmanager
def importable_symloss() -> Iterator[None]:
    """Let workers import the symloss that runs here, installed or not: they inherit this while Ray starts."""
    before = os.environ.get("PYTHONPATH")
    here = str(Path(symloss.__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
