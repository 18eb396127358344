"""All benchmarks, then the tables of docs/performance.md: `make bench`. `--tables` writes the tables alone.

`--quick` shows in a minute or two that each runs, with figures that mean nothing and are kept nowhere.

Each benchmark runs in a process of its own, so that none inherits another's memory, threads or Ray.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, write_table

SUITE = ("training", "overhead", "driver", "scaling", "searching")
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"


def training_table(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out trainings a second against the plain loop."""
    head = ["base problem", "plain, a second", "symloss, a second", "ratio", "ratios of the rounds", "of the limit"]
    rows = [[*head, "ratio at the limit"]]
    for name, each in cases(found):
        rate = each["trainings_per_second"]
        rounds = ", ".join(f"{ratio:.1f}" for ratio in each["ratios"])
        cells = [f"{rate['plain']:.1f}", f"{rate['symloss']:.0f}" if rate["symloss"] > 20 else f"{rate['symloss']:.1f}"]
        limit = [f"{100 * each['fraction']:.0f} %", f"{each['ratio_at_limit']:.1f}"]
        rows.append([name, *cells, f"**{each['ratio']:.1f}**", rounds, *limit])
    return rows


def limit_table(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out where the limit lies."""
    rows = [["base problem", "a step of one model", "its products at peak", "its bytes at peak", "models in a stack"]]
    for name, each in cases(found):
        times = (f"{each[key]:.1f} us" for key in ("step_us", "products_us", "bytes_us"))
        rows.append([name, *times, str(each["stack"])])
    return rows


def overhead_table(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the shares of a search's time."""
    shares = sorted(found["shares"].items(), key=lambda each: -each[1])
    return [["part", "share of the search's time"], *([what, f"{100 * share:.1f} %"] for what, share in shares)]


def driver_table(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out candidates a second of the driver alone."""
    rows = [["grammar", "population", "candidates", "candidates a second", "a second of the processor"]]
    for each in found["driver"]:
        counts = (str(each[key]) for key in ("grammar", "population", "candidates"))
        rates = (f"{each[key]:.0f}" for key in ("candidates_per_second", "candidates_per_processor_second"))
        rows.append([*counts, *rates])
    return rows


def searching_table(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out times to the same fitness, pair by pair."""
    head = ["base problem", "fitness", "plain loop", "its trained", "symloss", "its trained", "ratio"]
    rows = [[*head, "median"]]
    for name, each in cases(found):
        for place, pair in enumerate(each["pairs"]):
            sides = (pair["plain"], pair["symloss"])
            cells = [cell for side in sides for cell in (seconds_or_never(side["seconds"]), str(side["trained"]))]
            median = "" if place else f"**{each['ratio']:.1f}**"
            rows.append(["" if place else name, f"{pair['fitness']:.4f}", *cells, f"{pair['ratio']:.1f}", median])
    return rows


def seconds_or_never(at: float | None) -> str:
    """Write when something was reached."""
    return "never" if at is None else f"{at:.3g} s"


def scaling_table(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out how costs grow."""
    units = {"cohort": "ms", "nodes": "ms", "hidden": "ms", "candidates": "s", "workers": "a second"}
    rows = [["with", "cost"]]
    for name, unit in units.items():
        figures = ", ".join(
            f"{size}: {value:.3g}" for size, value in sorted(found[name].items(), key=lambda each: int(each[0]))
        )
        rows.append([f"{name} ({unit})", figures])
    return rows


TABLES: dict[str, tuple[str, Callable[[Mapping[str, Any]], list[list[str]]]]] = {
    "training": ("training", training_table),
    "limit": ("training", limit_table),
    "overhead": ("overhead", overhead_table),
    "driver": ("driver", driver_table),
    "searching": ("searching", searching_table),
    "scaling": ("scaling", scaling_table),
}


def cases(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the base problems of a record, without the facts about the machine."""
    return [(name, each) for name, each in found.items() if isinstance(each, Mapping) and "ratio" in each]


def write_tables() -> None:
    """Write the tables between the markers of the document."""
    for name, (record, lay_out) in TABLES.items():
        path = RESULTS / f"{record}.json"
        if path.exists():  # otherwise that part has not been run
            write_table(DOCUMENT, name, lay_out(json.loads(path.read_text(encoding="utf-8"))))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", action="store_true", help="write the tables from the results that are there")
    parser.add_argument("--quick", action="store_true", help="see that each runs, and write nothing")
    given = parser.parse_args()
    for name in SUITE if not given.tables else ():
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *["--quick"] * given.quick], check=True)
    if not given.quick:
        write_tables()
        print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    main()
