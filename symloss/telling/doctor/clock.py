"""The clock: whether it says a time that can be, and the same as the disk's. Durations do not depend on it."""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from symloss.telling.doctor.finding import Finding, Patient, note, well

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # symloss is not older
APART = 120.0  # seconds that two clocks may differ


def check_clock(patient: Patient) -> list[Finding]:
    """Compare the clock with what cannot be, and with the one that stamps files."""
    now = datetime.fromtimestamp(time.time(), UTC)
    words = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    facts = {"now": now.isoformat(timespec="seconds")}
    if now < EARLIEST:
        said = f"{words}, which is before there was a symloss: runs are named and dated wrongly; durations are right"
        return [note("clock", said, "set the clock", **facts)]
    stamped = _stamp(patient.folder)
    if stamped is not None and abs(stamped - time.time()) > APART:
        said = (
            f"{words}; the disk stamps files {stamped - time.time():+.0f} s apart, so `list runs` may sort them wrongly"
        )
        return [note("clock", said, "set both clocks, e.g. by NTP", **facts)]
    return [well("clock", words, **facts)]


def _stamp(folder: Path) -> float | None:
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            return Path(file.name).stat().st_mtime
    except OSError:
        return None
