"""What all studies share: pieces that are kept when they are done, and work that is spread over processes.

A piece is a JSON file; a study that is run again makes those that are missing, so that it can be broken off anywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import rounded
from symloss.judging.tasks.datafiles import VARIABLE
from symloss.language.files import write_whole
from symloss.running.machine import machine_facts

DIGITS = 6  # of each figure, which is more than anything here is worth
RESULTS = Path(__file__).parent / "results"
Piece = tuple[str, Callable[..., Mapping[str, Any]], Mapping[str, Any]]  # name, what makes it, and its arguments


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
        needs_data: whether it needs data sets that symloss does not bring.
        needs_gpu: whether it would take days without a GPU.
    """

    about: str
    run: Callable[[Place], Mapping[str, Any]]
    tables: Mapping[str, Callable[[Mapping[str, Any]], list[list[str]]]]
    draw: Callable[[Mapping[str, Any], Path], None] | None = None
    needs_data: bool = False
    needs_gpu: bool = False

    def missing(self) -> str:
        """Say what it needs and does not have here; empty when it can run."""
        if self.needs_data and not os.environ.get(VARIABLE):
            return f"it needs data; set {VARIABLE} to their directory"
        if self.needs_gpu and not _has_gpu():
            return "it needs a GPU that torch can use"
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
        path = place.folder / f"{name}.json"
        if path.exists():
            known[name] = json.loads(path.read_text(encoding="utf-8"))
        else:
            known[name] = {}
            missing.append((name, make, arguments))
    with ProcessPoolExecutor(min(place.processes, len(missing) or 1), get_context("spawn"), _one_thread) as pool:
        waiting = {pool.submit(make, **arguments): name for name, make, arguments in missing}
        for done, future in enumerate(as_completed(waiting), 1):
            name = waiting[future]
            known[name] = future.result()
            write_whole(place.folder / f"{name}.json", json.dumps(known[name], indent=1) + "\n")
            print(f"  {name} ({done} of {len(missing)})", flush=True)
    return known


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


def mean_interval(values: Sequence[float], resamples: int = 4000) -> tuple[float, float, float]:
    """Return the mean and its 95 % bootstrap interval over, for example, the seeds of a search."""
    own = np.asarray(values, float)
    draws = np.random.default_rng(0).integers(0, len(own), (resamples, len(own)))
    low, high = np.quantile(own[draws].mean(1), (0.025, 0.975))
    return float(own.mean()), float(low), float(high)


def brief(text: str) -> str:
    """Write a formula's numbers with four digits, for a table: `0.04161599999999999` is `0.04162`."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.4g}", text)


def in_words(mean: float, low: float, high: float, digits: int = 4) -> str:
    """Write a mean with its interval."""
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
