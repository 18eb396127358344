"""A run's files: whether they are whole and agree, and the digest of its result."""

from symloss.errors import SymlossError
from symloss.running.storage.integrity import check_integrity
from symloss.telling.doctor.finding import Finding, Patient, fault, note, well

ADVICE = "what can be read can still be shown; `symloss resume` goes on where it can, else start a new run"


def check_run(patient: Patient) -> list[Finding]:
    """Look at a run's files, where one is named."""
    if patient.run is None:
        return [well("run", "none was named; `symloss doctor RUN` looks at one")]
    try:
        found = check_integrity(patient.run)
    except SymlossError as error:
        return [fault("run", str(error), ADVICE)]
    if found.faults:
        return [fault("run", each, ADVICE) for each in found.faults]
    facts = {"digest": found.digest, "candidates": found.candidates, "outcomes": found.outcomes}
    words = f"{found.candidates} candidates, {found.outcomes} outcomes, all rows fit; digest {found.digest}"
    if found.live:
        return [
            note(
                "run", f"{words}; a driver is at work, so there is more to come", "look again when it is done", **facts
            )
        ]
    return [well("run", words, **facts)]
