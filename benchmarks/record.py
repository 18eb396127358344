"""Writing a benchmark's figures with the machine and the versions that they were taken on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symloss.running.machine import machine_facts

RESULTS = Path(__file__).parent / "results"


def write_record(name: str, figures: Mapping[str, Any]) -> Path:
    """Write `results/<name>.json` and return its path."""
    facts = machine_facts(None)
    document = {"benchmark": name, "taken": time.strftime("%Y-%m-%d", time.gmtime()), "machine": facts, **figures}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(_rounded(document), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path.relative_to(RESULTS.parent.parent)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
