"""Memory: whether the workers of a search fit into what is free, or into what a control group allows."""

from pathlib import Path

from symloss.disk import size_words
from symloss.judging.plan import MEMORY
from symloss.telling.doctor.finding import Finding, Patient, fault, note, well
from symloss.telling.doctor.limits import memory_limit

MEMINFO = Path("/proc/meminfo")
PROCESS = 400 * 2**20  # bytes of a process with torch and sympy, as `ps` shows it


def check_memory(patient: Patient) -> list[Finding]:
    """Compare what is free with what the driver and its workers take at most."""
    free, limit = available(), memory_limit()
    room = min((each for each in (free, limit) if each is not None), default=None)
    if room is None:
        return [note("memory", "how much is free is not known here", "watch it while the first search runs")]
    each, facts = PROCESS + MEMORY, {"free": free, "limit": limit, "worker": PROCESS + MEMORY}
    fitting = int((room - PROCESS) // each)
    words = f"{size_words(room)} may be used; a worker takes up to {size_words(each)}"
    if fitting < 1:
        said = f"{words}, and the driver {size_words(PROCESS)}: workers would be killed"
        return [fault("memory", said, 'free some, or set [budget] memory = "256MiB" and give --workers 1', **facts)]
    if fitting < patient.workers:
        return [note("memory", f"{words}, so {fitting} workers are sure to fit", f"give --workers {fitting}", **facts)]
    return [well("memory", words, **facts)]


def available() -> int | None:
    """Return how many bytes this machine could still give; None where it does not say."""
    try:
        lines = MEMINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found and found[0].isdigit() else None
