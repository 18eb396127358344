"""What a check finds: how it stands, in words, and what to do about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from symloss.running.machine import count_workers


class Status(StrEnum):
    """How something stands."""

    WELL = "well"
    NOTE = "note"  # all works; something is worth knowing
    FAULT = "fault"  # something would break


@dataclass(frozen=True)
class Finding:
    """One thing that a check has found.

    Args:
        subject: what it is about, in a word or two.
        said: how it stands; of a fault, what would break.
        advice: what to do; empty where all is well.
        facts: plain JSON.
    """

    subject: str
    status: Status
    said: str
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Patient:
    """What is looked at.

    Args:
        folder: where runs are to be kept.
        run: a run's directory; None for the machine alone.
        starts_ray: whether Ray is really started, which takes some seconds.
        workers: that a search would have.
    """

    folder: Path
    run: Path | None = None
    starts_ray: bool = False
    workers: int = field(default_factory=lambda: count_workers(None))


@dataclass(frozen=True)
class Check:
    """A question that the doctor asks.

    Args:
        about: in a line, for people.
        examine: returns at least one finding; it raises nothing.
    """

    about: str
    examine: Callable[[Patient], list[Finding]]


def well(subject: str, said: str, **facts: Any) -> Finding:
    """Say that something is as it should be."""
    return Finding(subject, Status.WELL, said, facts=facts)


def note(subject: str, said: str, advice: str, **facts: Any) -> Finding:
    """Say something that is worth knowing."""
    return Finding(subject, Status.NOTE, said, advice, facts)


def fault(subject: str, said: str, advice: str, **facts: Any) -> Finding:
    """Say that something would break."""
    return Finding(subject, Status.FAULT, said, advice, facts)
