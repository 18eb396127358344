"""Where a run ran: versions and machine, kept with it so that a result can be traced."""

import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from symloss import __version__
from symloss.judging.nodes import DECISIVE

PACKAGES = ("torch", "numpy", "numba", "triton", "sympy", "deap", "ray", "scikit-learn", "scipy")


def machine_facts(workers: int | None) -> dict[str, Any]:
    """Return the facts of one session as plain JSON."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "workers": count_workers(workers),
        "versions": {"symloss": __version__, "python": platform.python_version()} | _versions(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "kind": machine_kind(),
    }


def machine_kind() -> dict[str, Any]:
    """Return what, beside versions, decides the last bit of a result: system, processor, and threads of a worker."""
    import torch

    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": 1,
    }


def same_environment(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sessions' facts let their results be equal to the last bit; unknown facts do not."""
    if not one.get("kind") or one.get("kind") != other.get("kind"):
        return False
    versions = [each.get("versions") or {} for each in (one, other)]
    return all(versions[0].get(name) == versions[1].get(name) is not None for name in DECISIVE)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            named = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(named, platform.processor())
    except OSError:
        return platform.processor()


def count_workers(workers: int | None) -> int:
    """Return the number of workers: as told, or one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if workers is None else workers


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found
