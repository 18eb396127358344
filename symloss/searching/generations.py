"""Counts generations by what was told, so that it means the same whether a generation is told whole or bit by bit."""


class Generations:
    """A generation is over when as many were told as were to be asked when it began.

    Example:
        >>> generations = Generations()
        >>> [generations.told(count, size=80) for count in (80, 40, 40)]
        [True, False, True]
        >>> generations.done
        2
    """

    def __init__(self) -> None:
        self.done = 0
        self._left = 0  # to be told until this one is over; 0 before it begins

    def told(self, count: int, size: int) -> bool:
        """Count told candidates; return whether a generation ends with them.

        Args:
            size: of the generation that begins, if one begins with them.
        """
        self._left = max(0, (self._left or size) - count)
        self.done += not self._left
        return not self._left
