"""What happened to workers while they judged, kept with a run; none of it changes a result."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Mishaps:
    """Counts of one session.

    Args:
        lost: workers that died.
        killed: workers that were killed because they hung.
        retried: jobs, or candidates of them alone, that were sent again.
        quarantined: candidates that ended because their workers died or hung.
        recycled: workers that were replaced after long work or much growth.
        limit: bytes that a worker may hold while it judges, the smallest of all workers'; 0 where it is not known.
    """

    lost: int = 0
    killed: int = 0
    retried: int = 0
    quarantined: int = 0
    recycled: int = 0
    limit: int = 0

    def facts(self) -> dict[str, Any]:
        """Return those that happened, as plain JSON."""
        return {name: value for name, value in asdict(self).items() if value}

    def heard_limit(self, limit: int) -> None:
        """Keep a worker's limit."""
        self.limit = min(self.limit, limit) if self.limit and limit else self.limit or limit


_WORDS = {
    "lost": "lost",
    "killed": "hung and killed",
    "recycled": "recycled",
    "retried": "tried again",
    "quarantined": "quarantined",
}


def mishaps_of(sessions: Iterable[Any]) -> dict[str, int]:
    """Add up what happened to the workers of a run's sessions, as far as the store's text is sound."""
    found = [each.get("mishaps") for each in sessions if isinstance(each, Mapping)]
    tables = [each for each in found if isinstance(each, Mapping)]
    return {name: count for name in _WORDS if (count := sum(_whole(each.get(name)) for each in tables))}


def mishaps_in_words(mishaps: Mapping[str, int]) -> str:
    """Say what happened to workers and to what they were at; empty where nothing did.

    Example:
        >>> mishaps_in_words({"lost": 2, "retried": 1})
        'workers: 2 lost; evaluations: 1 tried again; no result depends on it'
    """
    parts = [
        f"{owner}: {', '.join(told)}"
        for owner, names in (("workers", ("lost", "killed", "recycled")), ("evaluations", ("retried", "quarantined")))
        if (told := [f"{mishaps[name]} {_WORDS[name]}" for name in names if mishaps.get(name)])
    ]
    return "; ".join([*parts, "no result depends on it"]) if parts else ""


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
