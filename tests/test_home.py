"""Every command does its work where there is no home directory, and for a user whom the system does not know."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from symloss.cli import COMMANDS

ROOT = Path(__file__).parent.parent
SMALL = [
    "search.population=16", "search.elites=2", "stop.generations=1", "budget.steps=5", "budget.rungs=[]",
    "budget.seeds=1", "finals.seeds=2", "finals.top=1", "finals.resamples=100", "finals.baselines=['mse']",
    "budget.stack=stacked",
]  # fmt: skip
SETTINGS = [word for each in SMALL for word in ("--set", each)]
EVERY = [
    ["search", "diabetes", *SETTINGS, "--out", "run", "--quiet", "--workers", "WORKERS"],
    ["resume", "run", "--quiet", "--workers", "0"],
    ["show", "run", "--quick"],
    ["report", "run"],
    ["list", "runs"],
    ["check", "compact"],
    ["export", "run", "--to", "torch", "-o", "x.py"],
    ["compare", "mse", "l1", "--task", "diabetes", "--seeds", "2", "--set", "steps=5", "--workers", "0", "--quiet"],
    ["transfer", "run", "--tasks", "diabetes:hidden=[4]", "--seeds", "2", "--workers", "0", "--quiet"],
    ["verify", "run", "--quick", "--workers", "0", "--quiet"],
    ["plot", "run", "--kind", "front", "-o", "x.png"],
    ["doctor", "run"],
]
SCRIPT = """
import json, sys
from symloss.cli import main
if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        try:
            main(arguments)
        except SystemExit as ended:
            sys.stderr.write(f"ended {arguments[0]} {ended.code}\\n")
            sys.stderr.flush()
"""


def stranger() -> list[str]:
    """A user whom the system does not know, where this machine can make one."""
    prefix = ["unshare", "--map-user=12345", "--map-group=12345"]
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if allowed else []


@pytest.mark.parametrize(("home", "workers"), [(None, "1"), ("/dev/null/home", "0")])
def test_every_command_works_without_a_home(tmp_path: Path, home: str | None, workers: str) -> None:
    import json

    assert {arguments[0] for arguments in EVERY} == set(COMMANDS)
    commands = [[workers if word == "WORKERS" else word for word in arguments] for arguments in EVERY]
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "USER", "LOGNAME")}
    environment |= {"PYTHONPATH": str(ROOT)} | ({} if home is None else {"HOME": home})
    prefix = stranger() if home is None else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    ended = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("ended ")]
    assert ended == [[arguments[0], "0"] for arguments in EVERY], done.stderr[-3000:]
    assert "Traceback" not in done.stderr
