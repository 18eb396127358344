"""Processors: how many there are, how many may be used, and whether as many workers would wait for each other."""

import os

from symloss.telling.doctor.finding import Finding, Patient, note, well
from symloss.telling.doctor.limits import cpu_limit


def check_cores(patient: Patient) -> list[Finding]:
    """Compare the workers of a search with the processors that it may use."""
    there, limit = os.cpu_count() or 1, cpu_limit()
    facts = {"cores": there, "usable": len(os.sched_getaffinity(0)), "limit": limit, "workers": patient.workers}
    words = f"{there} cores, {facts['usable']} for this process, {patient.workers} workers of one thread each"
    if limit is not None and limit < patient.workers:
        said = f"{words}; its control group allows the time of {limit:g}, so workers would wait for each other"
        return [note("cores", said, f"give --workers {max(1, int(limit))}", **facts)]
    return [well("cores", words, **facts)]
