"""What the kernel allows: processors and memory, by control groups of either version; open files and processes."""

import resource
from pathlib import Path

from symloss.telling.doctor.finding import Finding, Patient, note, well

FILES_BASE, FILES_EACH = 500, 50  # open files that Ray's own processes take, and each worker
PROCESSES_BASE, PROCESSES_EACH = 200, 60  # threads count as processes there

GROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60  # version 1 writes a number near 2**63 for no limit


def check_limits(patient: Patient) -> list[Finding]:
    """Compare what a search with workers needs of open files and processes with what this process may have."""
    found, facts = list[Finding](), dict[str, int | None]()
    wanted = {
        "open files": (resource.RLIMIT_NOFILE, FILES_BASE + FILES_EACH * patient.workers, "ulimit -n"),
        "processes": (resource.RLIMIT_NPROC, PROCESSES_BASE + PROCESSES_EACH * patient.workers, "ulimit -u"),
    }
    for what, (kind, least, command) in wanted.items():
        most, _ = resource.getrlimit(kind)
        facts[what] = None if most == resource.RLIM_INFINITY else most
        if most != resource.RLIM_INFINITY and most < least:
            said = f"{most} {what} are allowed, and Ray may want {least} with {patient.workers} workers"
            found.append(note("limits", said, f"{command} {least}, or fewer --workers", **facts))
    words = ", ".join(f"{'any number of' if most is None else most} {what}" for what, most in facts.items())
    return found or [well("limits", words, **facts)]


def cpu_limit(root: Path = GROUPS) -> float | None:
    """Return how many processors' time may be used; None for no limit."""
    newer = _words(root / "cpu.max")
    if len(newer) == 2 and newer[0].isdigit() and newer[1].isdigit():
        return int(newer[0]) / int(newer[1])
    quota, period = _words(root / "cpu" / "cpu.cfs_quota_us"), _words(root / "cpu" / "cpu.cfs_period_us")
    if quota and period and quota[0].isdigit() and period[0].isdigit():
        return int(quota[0]) / int(period[0])
    return None


def memory_limit(root: Path = GROUPS) -> int | None:
    """Return how many bytes are still allowed; None for no limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, now = _words(root / limit), _words(root / used)
        if most and most[0].isdigit() and int(most[0]) < _UNLIMITED:
            return int(most[0]) - (int(now[0]) if now and now[0].isdigit() else 0)
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []
