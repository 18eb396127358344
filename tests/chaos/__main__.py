"""Kill a driver at seeded random moments, resume, and compare with a run that nobody disturbed.

python -m tests.chaos                       # as `make chaos`
python -m tests.chaos --seed 3 --only 17    # one of them again
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.driver import NOWHERE, PLACES
from tests.chaos.launch import Kill, Sitting, sit
from tests.chaos.result import parts_of
from tests.chaos.stages import STAGES, known_to, stage_of

OPTIONS = [
    *("search.population=12", "search.elites=2", "budget.steps=8", "budget.rungs=[4]", "budget.seeds=1"),
    *("budget.cohort=2", "budget.stack=single", "stop.evaluations=9999", "stop.generations=3", "task.hidden=[8]"),
    *("finals.seeds=2", "finals.steps=8", "finals.top=2", "finals.resamples=100", "finals.learning_rates=[0.01]"),
    'finals.baselines=["cross_entropy", "gce"]',
]
# Longest wait in seconds after a place is come to: about as long as what happens there takes.
DELAYS = {"start-up": 0.05, "screening": 0.03, "training": 0.03, "commit": 0.002, "telling": 0.005, "finals": 0.05,
          "winner": 0.01, "report": 0.3}  # fmt: skip
GRACE = 0.5  # seconds before a kill in which an outcome may still have waited for others to become durable
ENOUGH = 0.8  # share of the cases in which a driver must have been killed, and not ended before
LEFT = 5.0  # seconds after which nothing may be left behind


@dataclass(frozen=True)
class Case:
    """One run that is disturbed.

    Args:
        kind: `fork` for a fork of this process, `program` for a program, `ray` for one with Ray workers.
        kills: one after the other, each of a driver that went on.
    """

    number: int
    kind: str
    kills: tuple[Kill, ...]


@dataclass
class Fate:
    """What became of a case: the stages in which its drivers were killed, and what was wrong afterwards."""

    stages: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lost: int = 0


class Harness:
    """Disturbs runs in a folder of its own and compares them with one of each kind that it left alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.calm: dict[str, tuple[dict[str, str], Sitting]] = {}

    def warm_up(self) -> None:
        """Import and compile in this process what every fork of it needs."""
        from symloss.running.run import search
        from symloss.telling.summary import run_text, summarise_run

        search("noisy_digits", self._folder / "warm", 0, OPTIONS)
        run_text(summarise_run(self._folder / "warm"))

    def leave_alone(self, kind: str) -> Sitting:
        """Run once to the end, and keep what it comes to."""
        folder = self._folder / f"calm-{kind}"
        sitting = self._sit(kind, folder, None)
        if sitting.status != 0:
            raise SystemExit(f"the undisturbed run failed ({sitting.status}):\n{_log(folder).read_text()[-3000:]}")
        self.calm[kind] = parts_of(folder / "run"), sitting
        return sitting

    def undergo(self, case: Case) -> Fate:
        """Kill, go on, and compare."""
        folder, fate = self._folder / f"case-{case.number}", Fate()
        for kill in case.kills:
            before, began = known_to(folder / "run"), _size(folder)
            sitting = self._sit(case.kind, folder, kill)
            self._audit(folder, before, began, sitting, fate)
            if not sitting.killed:
                fate.stages.append("none")
                if sitting.status != 0:
                    fate.faults.append(f"a driver ended with {sitting.status}: {_log(folder).read_text()[-500:]}")
                break
            fate.stages.append(self._look(folder))
        before, began = known_to(folder / "run"), _size(folder)
        sitting = self._sit(case.kind, folder, None)
        if sitting.status != 0:
            fate.faults.append(f"the last resume ended with {sitting.status}: {_log(folder).read_text()[-500:]}")
            return fate
        self._audit(folder, before, began, sitting, fate)
        self._compare(case, folder, fate)
        if not fate.faults:
            shutil.rmtree(folder)
        return fate

    def _sit(self, kind: str, folder: Path, kill: Kill | None) -> Sitting:
        folder.mkdir(exist_ok=True)
        run, workers = folder / "run", "2" if kind == "ray" else "0"
        command = ["search", "noisy_digits", "--out", str(run)] if not (run / "run.sqlite").exists() else None
        changes = [part for option in OPTIONS for part in ("--set", option)]
        words = [*command, *changes] if command else ["resume", str(run)]
        arguments = [*words, "--workers", workers, "--quiet"]
        return sit(arguments, folder / "ledger", _log(folder), kill, forked=kind == "fork")

    def _look(self, folder: Path) -> str:
        copy = folder / "copy"
        if not (folder / "run").exists():
            return "start-up"
        shutil.copytree(folder / "run", copy)
        try:
            return stage_of(copy)
        finally:
            shutil.rmtree(copy)

    def _audit(self, folder: Path, before: set[str], began: int, sitting: Sitting, fate: Fate) -> None:
        """Look whether a sitting evaluated again what was stored, and whether the store holds what it had stored."""
        now = known_to(folder / "run")
        for what, moment, name in _entries(folder, began):
            if what == "trained" and name in before:
                fate.faults.append(f"evaluation {name} was done again")
            if what == "stored" and name not in now:
                fate.lost += 1
                if moment < sitting.at - GRACE or not sitting.killed:
                    fate.faults.append(f"evaluation {name} was stored, and is lost")

    def _compare(self, case: Case, folder: Path, fate: Fate) -> None:
        from symloss.running.storage.rundir import RunDirectory
        from symloss.running.storage.store import RunStore
        from symloss.running.storage.wholeness import check_whole, in_flight

        calm, found = self.calm["fork"][0], parts_of(folder / "run")  # whoever trains, the result is the same
        fate.faults += [f"{part} differs" for part in calm if calm[part] != found[part]]
        with RunStore.read(RunDirectory(folder / "run").store) as store:
            fate.faults += check_whole(store) + (["candidates are in flight"] if in_flight(store) else [])
        left = sorted(each.name for each in (folder / "run").iterdir() if each.name.startswith("."))
        fate.faults += [f"{name} is left behind" for name in left]


def cases(seed: int, kills: int, ray: int, harness: Harness) -> Iterator[Case]:
    """Draw cases: two thirds at a place that a driver comes to, the others at any time of its life."""
    for number in range(kills + ray):
        rng = random.Random(f"{seed}/{number}")
        kind = "ray" if number >= kills else "program" if number % 8 == 7 else "fork"
        sitting = harness.calm["ray" if kind == "ray" else "fork"][1]
        place = list(PLACES)[number % (len(PLACES) + 3)] if number % (len(PLACES) + 3) < len(PLACES) else NOWHERE
        if kind != "fork" and rng.random() < 0.5:
            place = NOWHERE
        yield Case(number, kind, tuple(_draw(rng, place if not later else NOWHERE, kind, sitting)
                                       for later in range(1 + (rng.random() < 0.25))))  # fmt: skip


def _draw(rng: random.Random, place: str, kind: str, sitting: Sitting) -> Kill:
    if place == NOWHERE:
        longest = sitting.seconds + (4.0 if kind == "program" else 0.0)
        return Kill(NOWHERE, 0, rng.uniform(0.0, longest))
    return Kill(place, rng.randrange(max(1, sitting.passed[place])), rng.uniform(0.0, DELAYS[place]))


def _entries(folder: Path, began: int) -> Iterator[tuple[str, float, str]]:
    path = folder / "ledger"
    if path.exists():
        for line in path.read_bytes()[began:].decode().splitlines():
            what, moment, *names = line.split()
            yield from ((what, float(moment), name) for name in names)


def _size(folder: Path) -> int:
    return (folder / "ledger").stat().st_size if (folder / "ledger").exists() else 0


def _log(folder: Path) -> Path:
    return folder / "log"


def table_of(fates: list[Fate]) -> str:
    """Say how many drivers were killed in each stage, and what became of their runs."""
    killed = Counter(stage for fate in fates for stage in fate.stages)
    bad = Counter(stage for fate in fates if fate.faults for stage in fate.stages)
    lines = [f"{'killed in':<12} {'drivers':>8} {'same result':>12} {'faults':>7}"]
    for stage in [*STAGES, *sorted(set(killed) - set(STAGES))]:
        lines.append(f"{stage:<12} {killed[stage]:>8} {killed[stage] - bad[stage]:>12} {bad[stage]:>7}")
    return "\n".join(lines)


def main() -> None:
    """Run the cases and say what became of them; exit with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=60, help="runs of the serial pool that are disturbed")
    parser.add_argument("--ray", type=int, default=6, help="runs of Ray workers that are disturbed")
    parser.add_argument("--only", type=int, help="number of the one case to do again; its folder is kept")
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_TMPDIR": tempfile.mkdtemp(prefix="c", dir="/tmp")}
    import torch

    torch.set_num_threads(1)  # a fork has the threads of this process no more
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    shared = _shared()
    fates = _all(asked, Harness(folder))
    left = _left_behind(Path(os.environ["RAY_TMPDIR"]), shared)
    print(table_of(fates))
    done, lost = sum(stage != "none" for fate in fates for stage in fate.stages), sum(fate.lost for fate in fates)
    broken = sum(bool(fate.faults) for fate in fates) + len(left)
    if asked.only is None and done < ENOUGH * len(fates):
        print(f"only {done} drivers were killed, the others had ended before", file=sys.stderr)
        broken += 1
    print(json.dumps({"seed": asked.seed, "killed": done, "broken": broken, "waiting_when_killed": lost, "left": left}))
    if not broken and asked.only is None:
        shutil.rmtree(folder)
    sys.exit(1 if broken else 0)


def _all(asked: argparse.Namespace, harness: Harness) -> list[Fate]:
    harness.warm_up()
    harness.leave_alone("fork")
    if asked.ray:
        harness.leave_alone("ray")
    fates = []
    for case in cases(asked.seed, asked.kills, asked.ray, harness):
        if asked.only in (None, case.number):
            fates.append(harness.undergo(case))
            print(f"{case.number:>4} {case.kind:<8} {' '.join(fates[-1].stages):<24}", end="", file=sys.stderr)
            print("; ".join(fates[-1].faults) or "same", file=sys.stderr, flush=True)
            if fates[-1].faults:
                again = f"python -m tests.chaos --seed {asked.seed} --kills {asked.kills} --ray {asked.ray}"
                print(f"     again: {again} --only {case.number}   {case}", file=sys.stderr)
    return fates


def _ours(homes: Path) -> Iterator[str]:
    """Name the processes that drivers of this harness, which know this place for homes, have left."""
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        with suppress(OSError):
            if name.isdecimal() and os.fsencode(homes) in Path(f"/proc/{name}/environ").read_bytes():
                yield f"process {name}: {Path(f'/proc/{name}/cmdline').read_bytes()[:200]!r}"


def _shared() -> set[str]:
    """Name the segments of shared memory that Ray may have made."""
    folder = "/dev/shm"
    return (
        {name for name in os.listdir(folder) if "plasma" in name or "ray" in name} if os.path.isdir(folder) else set()
    )


def _left_behind(homes: Path, shared: set[str]) -> list[str]:
    end = time.monotonic() + LEFT
    while (
        left := [*(each.name for each in homes.iterdir()), *_ours(homes), *sorted(_shared() - shared)]
    ) and time.monotonic() < end:
        time.sleep(0.1)
    if not left:
        homes.rmdir()
    return left


if __name__ == "__main__":
    main()
