"""Writing a benchmark's figures with the machine and the versions that they were taken on."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from symloss.running.machine import machine_facts

RESULTS = Path(__file__).parent / "results"


def asked_for_quick(about: str) -> bool:
    """Read a command line whose only option is `--quick`: see that it runs, and keep nothing.

    Args:
        about: what the command does.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few candidates, to see that it runs; nothing is kept")
    return bool(parser.parse_args().quick)


def write_record(name: str, figures: Mapping[str, Any]) -> Path:
    """Write `results/<name>.json` and return its path."""
    facts = machine_facts(None)
    document = {"benchmark": name, "taken": time.strftime("%Y-%m-%d", time.gmtime()), "machine": facts, **figures}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(rounded(document), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path.relative_to(RESULTS.parent.parent)


def write_table(document: Path, name: str, rows: Sequence[Sequence[str]], author: str = "benchmarks") -> None:
    """Write a table, its head first, between the markers of its name in a document.

    Args:
        author: what the first marker says that it is written by.
    """
    head, *rest = ("| " + " | ".join(cells) + " |" for cells in rows)
    table = "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])
    begin, end = f"<!-- {name}: written by {author} -->", f"<!-- {name}: end -->"
    text = document.read_text(encoding="utf-8")
    before, after = text.split(begin)
    document.write_text(f"{before}{begin}\n{table}\n{end}{after.split(end)[1]}", encoding="utf-8")


def with_deviation(values: Sequence[float]) -> str:
    """Write mean and standard deviation; that of a single value is 0."""
    return f"{fmean(values):.4f} ± {stdev(values) if len(values) > 1 else 0:.4f}"


def rounded(value: Any, digits: int = 4) -> Any:
    """Round every number in a document to significant digits; what is not finite becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {str(key): rounded(each, digits) for key, each in value.items()}
    return [rounded(each, digits) for each in value] if isinstance(value, list | tuple) else value
