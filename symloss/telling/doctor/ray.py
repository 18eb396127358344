"""Ray: whether it is installed, and, when asked, whether it starts here."""

import importlib.util
import time

from symloss.errors import SymlossError
from symloss.judging.cluster import load_ray, make_home, remove_home, start_ray
from symloss.telling.doctor.finding import Finding, Patient, fault, well

WITHOUT = "--workers 0 works without Ray, in one process"


def check_ray(patient: Patient) -> list[Finding]:
    """Look for Ray, or start it with one worker and stop it again."""
    if importlib.util.find_spec("ray") is None:
        return [fault("Ray", "it is not installed, so no search can have workers", f"pip install ray; {WITHOUT}")]
    if not patient.starts_ray:
        return [well("Ray", "installed; --ray tries whether it starts")]
    began = time.monotonic()
    try:
        _start()
    except (SymlossError, OSError, RuntimeError, ValueError) as error:
        said = f"it does not start here: {' '.join(str(error).split())[:300]}"
        return [fault("Ray", said, WITHOUT)]
    return [well("Ray", f"it started and stopped in {time.monotonic() - began:.0f} s")]


def _start() -> None:
    ray, home = load_ray(), make_home()
    try:
        if not ray.is_initialized():  # one that runs already has shown that it can
            start_ray(ray, 1, home)
            ray.shutdown()
    finally:
        remove_home(home)
