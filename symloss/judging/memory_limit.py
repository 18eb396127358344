"""How much memory a worker may hold while it judges, so that no candidate brings down its machine.

The limit is the kernel's (RLIMIT_DATA, Linux): what asks for more gets an error in its own process, at once.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARE = 0.9  # of the machine's memory, for all workers on it together
STACKS = 2  # times the budget's memory that a job may take at least: the estimate is from above, torch keeps some back
ROOM = 2**30  # bytes that it may take beside that
KNOWN = Path("/proc/self/status"), ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def limit_for(held: int, memory: int, crowd: int) -> int:
    """Return how many bytes a worker may hold: its share of the machine, and never less than the budget takes.

    Args:
        held: bytes that it holds when its task is ready.
        memory: of the budget, in bytes.
        crowd: workers that share the machine.
    """
    return max(int(SHARE * machine_memory() / crowd), held + STACKS * memory + ROOM)


@contextmanager
def memory_limit(limit: int) -> Iterator[None]:
    """Let this process hold no more than so many bytes of its own while the block runs; 0 sets no limit."""
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if not limit or (hard != resource.RLIM_INFINITY and limit > hard):
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def machine_memory() -> int:
    """Return the bytes of memory of this machine, or of the container that this process runs in."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *(int(text) for path in KNOWN[1] if (text := _text(Path(path))).isdecimal())])


def held_memory() -> int:
    """Return how many bytes count towards the limit already; 0 where the system does not tell, and sets no limit."""
    return _status("VmData:")


def resident_memory() -> int:
    """Return how many bytes of memory this process takes; 0 where the system does not tell."""
    return _status("VmRSS:")


def _status(name: str) -> int:
    line = next((line for line in _text(KNOWN[0]).splitlines() if line.startswith(name)), "")
    return 1024 * int(line.split()[1]) if line else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
