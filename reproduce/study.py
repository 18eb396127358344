"""What all studies share: pieces that are kept when they are done, and work that is spread over processes.

A piece is a JSON file; a study that is run again makes those that are missing, so that it can be broken off anywhere.
Its name has a digest of what was asked for: a study whose sizes have changed finds none of the old ones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t, ttest_1samp

from benchmarks.record import rounded
from symloss.errors import ExperimentError
from symloss.judging.tasks import make_task
from symloss.language.files import write_whole
from symloss.running.machine import machine_facts

DIGITS = 6  # of each figure, which is more than anything here is worth
ENOUGH = 3  # seeds for an interval of a difference
RESULTS = Path(__file__).parent / "results"
Piece = tuple[str, Callable[..., Mapping[str, Any]], Mapping[str, Any]]  # name, what makes it, and its arguments


class StoppedError(Exception):
    """A signal has ended a part of a study in order."""


@dataclass(frozen=True)
class Place:
    """Where a study works.

    Args:
        folder: keeps its pieces and runs.
        processes: that work side by side, one thread each.
        scale: of its size; 1 is what docs/results.md shows, less is for a try.
    """

    folder: Path
    processes: int = 2
    scale: float = 1.0

    def below(self, name: str) -> Place:
        """Return a place of the same kind in a folder of its own."""
        return Place(self.folder / name, self.processes, self.scale)

    def scaled(self, count: int, least: int = 1) -> int:
        """Return a number of something, smaller in a try."""
        return max(least, round(count * self.scale))


@dataclass(frozen=True)
class Study:
    """One study.

    Args:
        about: what it asks, in a line.
        run: does it and returns its figures, as plain JSON.
        tables: name of a table in the document -> figures to rows of cells, the head first.
        draw: figures, folder of pictures -> nothing; None where there is nothing to draw.
        data: names of its tasks whose data sets symloss does not bring.
        needs_gpu: whether it would take days without a GPU.
    """

    about: str
    run: Callable[[Place], Mapping[str, Any]]
    tables: Mapping[str, Callable[[Mapping[str, Any]], list[list[str]]]]
    draw: Callable[[Mapping[str, Any], Path], None] | None = None
    data: Sequence[str] = ()
    needs_gpu: bool = False

    def missing(self) -> str:
        """Say what it needs and does not have here; empty when it can run."""
        if self.needs_gpu and not _has_gpu():
            return "it needs a GPU that torch can use"
        try:
            for name in self.data:
                make_task({"name": name})
        except ExperimentError as error:
            return str(error)
        return ""


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def make_pieces(place: Place, pieces: Iterable[Piece]) -> dict[str, Mapping[str, Any]]:
    """Make the pieces that are not there yet, several at a time; return all by name.

    Raises:
        Whatever a piece raises; pieces that are done stay.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    known, missing = {}, []
    for name, make, arguments in pieces:
        path = place.folder / f"{name}-{digest(arguments)}.json"
        if path.exists():
            known[name] = json.loads(path.read_text(encoding="utf-8"))
        else:
            known[name] = {}
            missing.append((name, path, make, arguments))
    with ProcessPoolExecutor(min(place.processes, len(missing) or 1), get_context("spawn"), _one_thread) as pool:
        waiting = {pool.submit(make, **arguments): (name, path) for name, path, make, arguments in missing}
        for done, future in enumerate(as_completed(waiting), 1):
            name, path = waiting[future]
            known[name] = future.result()
            write_whole(path, json.dumps(known[name], indent=1) + "\n")
            print(f"  {name} ({done} of {len(missing)})", flush=True)
    return known


def digest(asked: Mapping[str, Any]) -> str:
    """Return a short digest of plain values."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def write_figures(name: str, figures: Mapping[str, Any]) -> Path:
    """Write a study's figures with the machine that they were taken on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {"study": name, "machine": machine_facts(None), **figures}
    path.write_text(json.dumps(rounded(document, DIGITS), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean over, for example, the seeds of a search, and its 95 % interval by Student's t.

    With three or five seeds a bootstrap would be too narrow by far. A single value has no interval but itself.
    """
    own = np.asarray(values, float)
    half = 0.0 if len(own) < 2 else float(t.ppf(0.975, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own)))
    return float(own.mean()), float(own.mean() - half), float(own.mean() + half)


def difference(values: Mapping[int, float], reference: Mapping[int, float]) -> str:
    """Word the mean difference of what has the same seed, with its interval by the paired t-test."""
    gains = np.array([values[seed] - reference[seed] for seed in values if seed in reference])
    if len(gains) < ENOUGH:
        return "too few seeds"
    low, high = (gains[0], gains[0]) if np.ptp(gains) == 0 else ttest_1samp(gains, 0).confidence_interval(0.95)
    stands = "better" if low > 0 else "worse" if high < 0 else "within noise"
    return f"{gains.mean():+.4f} ({low:+.4f} to {high:+.4f}): {stands}"


def brief(text: str) -> str:
    """Write a formula's numbers with four digits, for a table: `0.04161599999999999` is `0.04162`."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.4g}", text)


def in_words(mean: float, low: float, high: float, digits: int = 4) -> str:
    """Write a mean with its interval."""
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
