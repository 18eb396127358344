"""What a worker's machine has installed, set against the driver's: results are the same only where versions are.

`facts_of_node` returns a function that travels whole, so that it tells of a machine without symloss, too.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from symloss.errors import RunError

DECISIVE = ("symloss", "python", "torch", "numpy", "numba", "sympy", "scikit-learn", "scipy")  # for a trial's numbers


def facts_of_node() -> Callable[[], dict[str, Any]]:
    """Return a function that says which versions stand where it runs, and what machine that is.

    Everything that it needs is inside: it is sent to machines of which nothing is known yet.
    """
    packages = tuple(name for name in DECISIVE if name not in ("symloss", "python"))

    def look() -> dict[str, Any]:
        import hashlib
        import importlib.util
        import platform
        from importlib.metadata import PackageNotFoundError, entry_points, version
        from pathlib import Path

        def known(package: str) -> str:
            try:
                return version(package)
            except PackageNotFoundError:
                return "missing"

        def own() -> str:
            found = importlib.util.find_spec("symloss")
            if found is None or found.origin is None:
                return "missing"
            code, folder = hashlib.sha256(), Path(found.origin).parent
            for path in sorted(folder.rglob("*.py")):
                code.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
            return f"of code {code.hexdigest()[:12]}"

        groups = [f"symloss.{kind}" for kind in ("operators", "slots", "tasks", "searches", "zoo")]
        offers = {each.dist.name for group in groups for each in entry_points(group=group) if each.dist is not None}
        versions = {"symloss": own(), "python": platform.python_version()}
        versions |= {package: known(package) for package in (*packages, *sorted(offers))}
        return {"node": platform.node(), "versions": versions}

    return look


@functools.cache
def versions_here() -> Mapping[str, str]:
    """Return the versions of this process, as they were when it was first asked."""
    versions: Mapping[str, str] = facts_of_node()()["versions"]
    return versions


def check_same_versions(place: str, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Refuse a machine with other versions.

    Args:
        place: its name, as it is told.
        there: package -> version on that machine.
        here: likewise in this process.

    Raises:
        RunError: one differs.
    """
    for package in (*here, *(name for name in there if name not in here)):
        one, other = there.get(package, "missing"), here.get(package, "missing")
        if one != other:
            raise RunError(
                f"{place} has {_named(package, one)}, and this process {_named(package, other)}: results would differ. "
                f"{_remedy(package, other)} there, or leave that machine out of the cluster."
            )


def _named(package: str, version: str) -> str:
    return f"no {package}" if version == "missing" else f"{package} {version}"


def _remedy(package: str, version: str) -> str:
    if version == "missing":
        return f"Uninstall {package}"
    if package == "python":
        return f"Use Python {version}"
    return "Install the same symloss" if package == "symloss" else f"Run `pip install '{package}=={version}'`"
