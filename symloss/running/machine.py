"""Where a run ran: versions and machine, kept with it so that a result can be traced."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from symloss import __version__

PACKAGES = ("torch", "numpy", "numba", "sympy", "deap", "ray", "scikit-learn", "scipy")


def machine_facts(workers: int | None) -> dict[str, Any]:
    """Return the facts of one session as plain JSON."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "workers": count_workers(workers),
        "versions": {"symloss": __version__, "python": platform.python_version()} | _versions(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }


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
