"""What happened to workers while they judged, kept with a run; none of it changes a result."""

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
