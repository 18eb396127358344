"""The doctor: asks every question of the table, and tells what was found."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symloss.errors import visible
from symloss.language.files import plain
from symloss.running.storage.rundir import find_run
from symloss.telling.doctor.checks import CHECKS
from symloss.telling.doctor.finding import Finding, Patient, Status
from symloss.telling.show import fields


@dataclass(frozen=True)
class Examination:
    """What was found.

    Args:
        findings: name in CHECKS -> what that check found.
    """

    findings: dict[str, tuple[Finding, ...]]

    @property
    def well(self) -> bool:
        """Whether nothing would break."""
        return not any(each.status is Status.FAULT for each in self.all())

    def all(self) -> Iterable[Finding]:
        """Walk through all findings in the table's order."""
        return (each for found in self.findings.values() for each in found)

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"well": self.well, "findings": plain(self.findings)}


def examine(run: str | Path | None = None, starts_ray: bool = False) -> Examination:
    """Look at this machine, and at a run.

    Args:
        run: its directory; None for the machine alone.
        starts_ray: start Ray too, which takes some seconds.

    Raises:
        RunError: there is no such run.

    Example:
        >>> examine().well
        True
    """
    patient = Patient(Path.cwd(), None if run is None else find_run(run).path, starts_ray)
    return Examination({name: tuple(check.examine(patient)) for name, check in CHECKS.items()})


def examination_text(found: Examination) -> str:
    """Lay out an examination for people: what stands how, then what to do."""
    rows = [(f"{_MARKS[each.status]} {each.subject}", each.said) for each in found.all()]
    todo = [(each.subject, each.advice) for each in found.all() if each.status is not Status.WELL]
    faults = sum(each.status is Status.FAULT for each in found.all())
    end = "all is well" if not faults else f"{faults} thing{'s' if faults > 1 else ''} would break"
    parts = [fields(rows), f"What to do\n{fields(todo)}" if todo else "", visible(end)]
    return "\n\n".join(filter(None, parts))


_MARKS = {Status.WELL: "+", Status.NOTE: "~", Status.FAULT: "!"}
