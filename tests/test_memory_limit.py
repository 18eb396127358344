"""A worker's memory: what it may hold, and that asking for more is an error of its own process."""

import mmap
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from symloss.judging import memory_limit as limits
from symloss.judging.memory_limit import ROOM, SHARE, STACKS, limit_for, machine_memory, memory_limit

GIB = 2**30


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "machine_memory", lambda: 40 * GIB)


@pytest.mark.usefixtures("machine")
def test_a_workers_limit_is_its_share_of_the_machine_and_never_less_than_the_budget_takes() -> None:
    assert limit_for(GIB, GIB, 4) == int(SHARE * 40 * GIB / 4)
    assert limit_for(GIB, GIB, 40) == GIB + STACKS * GIB + ROOM
    assert limit_for(GIB, 30 * GIB, 1) == GIB + STACKS * 30 * GIB + ROOM


def test_a_containers_memory_is_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KNOWN", (tmp_path / "no", (str(tmp_path / "no"),)))
    whole = machine_memory()
    for said, expected in (("max", whole), (str(GIB), min(GIB, whole)), (str(2**62), whole)):
        (tmp_path / "max").write_text(f"{said}\n")
        monkeypatch.setattr(limits, "KNOWN", (tmp_path / "no", (str(tmp_path / "max"),)))
        assert machine_memory() == expected
    assert limits.held_memory() == limits.resident_memory() == 0


def test_what_is_held_grows_with_what_is_held() -> None:
    before = limits.held_memory()
    with mmap.mmap(-1, 200_000_000, mmap.MAP_PRIVATE) as kept:  # memory that nobody has given back before
        assert limits.held_memory() - before >= len(kept)
    assert limits.resident_memory() > 0


HOARD = """
import torch
from symloss.judging.memory_limit import held_memory, memory_limit
with memory_limit(held_memory() + 2**30):
    for count in (10**6, 10**9, 25 * 10**9, 10**6):
        try:
            print(len(torch.ones(count)))
        except RuntimeError as error:
            print("not enough memory" in str(error) or "can't allocate memory" in str(error))
print(len(torch.ones(400_000_000)))
"""


def test_more_memory_than_the_limit_is_an_error_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", HOARD], capture_output=True, text=True)
    assert done.stdout.split() == ["1000000", "True", "True", "1000000", "400000000"], done.stderr


def test_the_limit_is_taken_back_and_none_is_set_where_it_cannot_be() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_limit(2**40):
        assert resource.getrlimit(resource.RLIMIT_DATA) == (2**40, before[1])
    with memory_limit(0):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
