"""Which seeds trainings use: streams for a run's search, its finals and its transfers, which cannot meet.

A longer list of seeds begins like a shorter one, so that more finals seeds add to a trial instead of replacing it.
"""

import hashlib

_RANGE = 2**30
_BEYOND = 2**32  # where the seeds of transfers begin


def search_seeds(seed: int, number: int) -> tuple[int, ...]:
    """Return the training seeds of a run's search: even numbers, all different."""
    return tuple(2 * each for each in _stream(seed, "search", number))


def finals_seeds(seed: int, number: int) -> tuple[int, ...]:
    """Return the fresh training seeds of a run's finals: odd numbers, all different."""
    return tuple(2 * each + 1 for each in _stream(seed, "finals", number))


def transfer_seeds(seed: int, number: int) -> tuple[int, ...]:
    """Return the fresh training seeds of a run's transfer to other tasks, beyond those of search and finals."""
    return tuple(_BEYOND + each for each in _stream(seed, "transfer", number))


def _stream(seed: int, purpose: str, number: int) -> list[int]:
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    first = int.from_bytes(digest[:4], "big")
    return [(first + each) % _RANGE for each in range(number)]
