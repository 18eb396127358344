"""Whether a disk can hold a run: looked at before a run begins, so that nobody waits for what cannot be kept."""

import os
from pathlib import Path

from symloss.disk import disk_of, room_words, size_words
from symloss.errors import DiskError, RunError
from symloss.judging.tasks.task import Task
from symloss.language.slots import SLOTS
from symloss.notices import notice
from symloss.running.config import Experiment

BASE = 8 * 2**20  # bytes of a store of some thousand candidates, its journal, and a report that is written beside it


def room_needed(experiment: Experiment, task: Task) -> int:
    """Return how many bytes a run takes, from above: what all runs hold, and the outputs that its finals keep."""
    finals, baselines = experiment.finals, experiment.finals.baselines or SLOTS[task.slot].baselines
    each = len(task.test()[1]) * task.width * 4  # float32
    return BASE + (1 + len(baselines)) * finals.seeds * each


def check_room(path: Path, needed: int) -> None:
    """Refuse a place for a new run that cannot be written to, or has too little room.

    Raises:
        RunError: it is write-protected.
        DiskError: there is too little room.
    """
    try:
        disk = disk_of(path)
    except OSError:  # no part of the path can be looked at: making it says why
        return
    if disk.path.is_dir() and (disk.read_only or not os.access(disk.path, os.W_OK | os.X_OK)):
        raise RunError(
            f"{path} cannot be made a run directory: {disk.path} is write-protected. Name another one with --out."
        )
    if disk.free < needed:
        raise DiskError(
            f"{path} cannot hold a run: it takes up to {size_words(needed)}, and {room_words(path)}. Make room, or "
            "name a directory on another disk with --out."
        )


def tell_network(path: Path) -> None:
    """Tell the user where a run lies on another machine's disk, and what that means."""
    try:
        disk = disk_of(path)
    except OSError:
        return
    if disk.is_network:
        notice(
            f"{path} lies on a network file system ({disk.kind}): that locks hold and that what is written survives a "
            "power cut is up to its server. A local disk is safer and quicker; --out names one."
        )
