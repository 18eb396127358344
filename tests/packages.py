"""A tiny installed package, made of files: what `pip install` would leave behind, without a network."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from symloss import plugins
from symloss.judging.tasks import TASKS
from symloss.language.formula import _symbols
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO
from symloss.searching.searches import SEARCHES

TABLES = (OPERATORS, SLOTS, TASKS, SEARCHES, ZOO)

SOURCE = '''
"""A package that offers one of each kind."""

from dataclasses import replace

import numpy as np
import sympy
import torch
from torch import nn

import symloss
from symloss.language.operators import Operator
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZooEntry
from symloss.searching.searches import SEARCHES


def blobs(spread=1.0):
    """Two clouds of points."""
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(120) % 2
    x = torch.randn(120, 2, generator=generator) * spread + y[:, None] * 2
    return symloss.SupervisedTask("blobs", x=x, y=y, model=lambda: nn.Linear(2, 2), batch_size=16)


arctan = Operator("arctan", 1, sympy.atan, np.arctan, "torch.atan", lambda a: np.isfinite(a), "inverse tangent")
lottery = replace(SEARCHES["random"], name="lottery", about="newly grown trees, under another name")
squash = replace(SLOTS["activation"], name="squash", baselines=("arcsquash",))
arcsquash = ZooEntry("arcsquash", "squash", "tanh(x)", "nobody", "a bounded nonlinearity")
'''
ENTRIES = {
    "tasks": {"blobs": "blobs_pkg:blobs"},
    "operators": {"arctan": "blobs_pkg:arctan"},
    "searches": {"lottery": "blobs_pkg:lottery"},
    "slots": {"squash": "blobs_pkg:squash"},
    "zoo": {"arcsquash": "blobs_pkg:arcsquash"},
}
GRAMMAR = """
name = "arcs"
slot = "classification"
[operators]
arctan = 2
log = 1
mul = 3
add = 1
[variables]
t = 3
p = 3
[constants]
fixed = [1, -1]
[limits]
initial_depth = [1, 3]
max_depth = 4
max_nodes = 15
"""


def write_package(
    folder: Path,
    entries: Mapping[str, Mapping[str, str]] = ENTRIES,
    name: str = "blobs-pkg",
    version: str = "1.2",
    source: str = SOURCE,
) -> Path:
    """Write a package and its metadata."""
    module = folder / name.replace("-", "_")
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(source)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = [
        f"[symloss.{kind}]\n" + "".join(f"{key} = {value}\n" for key, value in offered.items())
        for kind, offered in entries.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    return folder


@contextmanager
def installed(*folders: Path) -> Iterator[None]:
    """Have packages on the path while the block runs, and forget all of them at the end."""
    tables, adopted = [dict(table) for table in TABLES], dict(plugins._ADOPTED)
    modules, path = set(sys.modules), list(sys.path)
    sys.path[:0] = map(str, folders)
    try:
        yield
    finally:
        sys.path[:] = path
        for table, before in zip(TABLES, tables, strict=True):
            table.clear()
            table.update(before)
        plugins._ADOPTED.clear()
        plugins._ADOPTED.update(adopted)
        _symbols.cache_clear()
        for name in set(sys.modules) - modules:
            if name.endswith("_pkg"):
                del sys.modules[name]
