"""The studies of docs/results.md: all by `make reproduce`, one by `make reproduce-NAME` or `python -m reproduce NAME`.

What is done already is kept below `runs/reproduce` and not done again. `--scale 0.1` tries a study at a tenth of its
size; its figures are not written down then.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.record import write_table
from reproduce import glo_claim, glo_search, methods, transfer, xor
from reproduce.study import RESULTS, Place, StoppedError, Study, write_figures

DOCUMENT = Path(__file__).parent.parent / "docs" / "results.md"
STUDIES: Mapping[str, Study] = {
    "xor": xor.STUDY,
    "glo_search": glo_search.STUDY,
    "methods": methods.STUDY,
    "transfer": transfer.STUDY,
    "glo_claim": glo_claim.STUDY,
    "glo_full": glo_claim.WHOLE,
}


def do(name: str, place: Place) -> None:
    """Do one study, and write its figures down unless it is a try."""
    study, began = STUDIES[name], time.perf_counter()
    print(f"== {name}: {study.about}", flush=True)
    if missing := study.missing():
        print(f"   left out: {missing}")
        return
    figures = study.run(place.below(name))
    for table in study.tables.values():
        for row in table(figures):
            print("   " + " | ".join(row))
    print(f"   {time.perf_counter() - began:.0f} s", flush=True)
    if place.scale == 1.0:
        print(f"   wrote {write_figures(name, {'seconds': time.perf_counter() - began, **figures})}")


def write_document() -> None:
    """Write the tables and pictures of all studies whose figures are there."""
    for name, study in STUDIES.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        figures = json.loads(path.read_text(encoding="utf-8"))
        for table, lay_out in study.tables.items():
            write_table(DOCUMENT, table, lay_out(figures), "reproduce")
        if study.draw is not None:
            study.draw(figures, DOCUMENT.parent)


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)}; all without one")
    parser.add_argument("--processes", type=int, default=2, help="that work side by side")
    parser.add_argument("--scale", type=float, default=1.0, help="of the studies' size, for a try")
    parser.add_argument("--folder", type=Path, default=Path("runs") / "reproduce", help="keeps what is done")
    parser.add_argument("--tables", action="store_true", help="write the document from the figures that are there")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in STUDIES]
    if unknown:
        parser.error(f"there is no study {unknown[0]}; known are {', '.join(STUDIES)}")
    if not asked.tables:
        folder = asked.folder if asked.scale == 1.0 else asked.folder / f"scale-{asked.scale:g}"
        try:
            for name in asked.names or STUDIES:
                do(name, Place(folder, asked.processes, asked.scale))
        except (StoppedError, KeyboardInterrupt):
            sys.exit("stopped; the same command goes on where it was")
    write_document()


if __name__ == "__main__":
    main()
