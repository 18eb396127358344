"""Writing a run's report: read the run, make the page, and replace the old file whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from symloss.errors import RunError
from symloss.language.files import write_whole
from symloss.running.storage.rundir import find_run
from symloss.telling.report.material import gather
from symloss.telling.report.page import page


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Args:
        file: where.
        size: in bytes.
        candidates: of the run.
        live: whether its run was still going on.
    """

    file: Path
    size: int
    candidates: int
    live: bool


def write_report(run: str | Path, output: Path | None = None, live: bool | None = None) -> Report:
    """Write the report of a run.

    Args:
        run: its directory.
        output: the file; None for `report.html` in the run's directory.
        live: whether its driver is at work; None to look.

    Raises:
        RunError: there is no run, its store is damaged, or the file cannot be written.

    Example:
        >>> write_report("runs/mine").file
        PosixPath('runs/mine/report.html')
    """
    file = find_run(run).report if output is None else output
    material = gather(run, live)
    text = page(material)
    if not file.parent.is_dir():
        raise RunError(f"{file.parent} is no directory; make it, or give another file.")
    if file.is_dir() or (file.exists() and not file.is_file()):
        raise RunError(f"{file} is no regular file; give another one with -o.")
    try:
        write_whole(file, text)
    except RunError as error:
        raise type(error)(f"{error} Give another file with -o.") from error
    return Report(file, len(text.encode()), material.total, material.live)
