"""`python -m tests.fuzz`: damaged files by the hundred thousand, each kind in a process of its own, several at once.

A failure is printed with the command that repeats it; its file stays in build/fuzz.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.harness import Count, fuzz
from tests.fuzz.kinds import KINDS
from tests.fuzz.watch import Watch

EVERY = 1000  # inputs between two lines
MOST = 20  # failures of a kind that are told in full


def main() -> int:
    """Fuzz as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--kind", choices=list(KINDS), action="append", help="only this kind; may be repeated")
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs, e.g. 0.01; all are 100,000")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other inputs")
    parser.add_argument("--only", type=int, help="this input alone")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for inputs that fail")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)  # a kind's own process, and its folder
    asked = parser.parse_args()
    if asked.inside is not None:
        return _fuzz(asked.kind[0], _numbers(asked.kind[0], asked), asked.seed, asked.inside, asked.keep)
    began, kinds = time.monotonic(), asked.kind or list(KINDS)
    with ThreadPoolExecutor(os.cpu_count()) as side_by_side:
        failed = side_by_side.map(lambda name: _apart(name, asked), kinds)
    broken = [name for name, has_failed in zip(kinds, failed, strict=True) if has_failed]
    total = sum(len(_numbers(name, asked)) for name in kinds)
    print(f"{total} inputs, {time.monotonic() - began:.0f} s; failures: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def _numbers(name: str, asked: argparse.Namespace) -> range:
    if asked.only is not None:
        return range(asked.only, asked.only + 1)
    return range(max(1, round(KINDS[name].inputs * asked.share)))


def _apart(name: str, asked: argparse.Namespace) -> bool:
    """Fuzz a kind in a process of its own, which may be killed by what it reads; return whether anything failed."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ["--kind", name, "--share", str(asked.share), "--seed", str(asked.seed), "--keep", str(asked.keep)]
        settings += [] if asked.only is None else ["--only", str(asked.only)]
        done = subprocess.run([sys.executable, "-m", "tests.fuzz", *settings, "--inside", folder], check=False)
        if done.returncode not in (0, 1):
            at = (Path(folder) / "at").read_text() if (Path(folder) / "at").exists() else "?"
            print(f"{name}: the process ended with {done.returncode} at input {at}\n  {_again(name, at, asked.seed)}")
        return done.returncode != 0


def _fuzz(name: str, numbers: range, seed: int, folder: Path, kept: Path) -> int:
    count, told = Count(name), 0
    for count in fuzz(name, numbers, seed, folder, Watch()):
        for number, said in list(count.failures.items())[told:MOST]:
            print(f"{name} {number}: {said}\n  {_again(name, number, seed)}", flush=True)
        told = len(count.failures)
        if count.ends.total() % EVERY == 0:
            print(count.line(), file=sys.stderr, flush=True)
    print(count.line(), flush=True)
    if (folder / "failures").exists():
        shutil.copytree(folder / "failures", kept, dirs_exist_ok=True)
    return 1 if count.failures else 0


def _again(name: str, number: int | str, seed: int) -> str:
    return f"repeat it: python -m tests.fuzz --kind {name} --only {number} --seed {seed}"


if __name__ == "__main__":
    sys.exit(main())
