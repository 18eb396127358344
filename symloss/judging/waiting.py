"""What waits for a worker: a line that asks its source for more only when it is empty and somebody looks.

So a source may decide late what comes next, as an asynchronous search does, and may have no end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

Waiter = TypeVar("Waiter")


class Waiting(deque[Waiter]):
    """A deque that is never empty while its source has more.

    Example:
        >>> line = Waiting(iter("ab"))
        >>> while line:
        ...     print(line.popleft())
        a
        b
    """

    def __init__(self, source: Iterable[Waiter]) -> None:
        super().__init__()
        self._source = iter(source)

    def __bool__(self) -> bool:
        """Whether anybody waits; takes one more from the source where nobody does."""
        if not len(self):
            self.extend(islice(self._source, 1))
        return len(self) > 0
