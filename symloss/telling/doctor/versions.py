"""Python and the packages that symloss needs: whether they are there, and recent enough."""

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version

from symloss import __version__
from symloss.telling.doctor.finding import Finding, Patient, fault, well

_NEED = re.compile(r"([\w.-]+)\s*(?:\[[^]]*\])?\s*([^;]*)$")
_LEAST = re.compile(r">=\s*([\d.]+)")


def check_versions(patient: Patient) -> list[Finding]:
    """Compare every installed package with what symloss needs at least."""
    found, wrong = {"symloss": __version__, "python": platform.python_version()}, []
    for name, least in needs().items():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            wrong.append(
                fault(name, f"{name} is not installed, and symloss needs it", f"pip install '{name}>={least}'")
            )
            continue
        if numbers(found[name]) < numbers(least):
            said = f"{name} is {found[name]}, and symloss needs at least {least}"
            wrong.append(fault(name, said, f"pip install --upgrade '{name}>={least}'"))
    return wrong or [well("versions", ", ".join(f"{name} {each}" for name, each in found.items()), **found)]


def needs() -> dict[str, str]:
    """Return package -> least version, as symloss's own metadata says."""
    try:
        lines = [line for line in requires("symloss") or [] if "extra ==" not in line]
    except PackageNotFoundError:  # a checkout that is not installed
        return {}
    matches = [match for line in lines if (match := _NEED.match(line))]
    return {match[1]: (_LEAST.findall(match[2]) or ["0"])[0] for match in matches}


def numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: `2.13.0+cpu` -> (2, 13, 0)."""
    head = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in head[0].split(".")) if head else ()
