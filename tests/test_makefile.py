"""The Makefile: help is the default and names every target; nothing is installed to say so."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "--no-print-directory", *arguments], capture_output=True, text=True, cwd=folder)


@pytest.fixture
def fresh(tmp_path) -> Path:
    """A checkout in which nothing has been made."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_help_is_the_default_and_names_every_target(fresh):
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    done = make(folder=fresh)
    assert done.returncode == 0
    assert all(re.search(rf"^  {target} ", done.stdout, re.MULTILINE) for target in phony)
    assert not (fresh / ".venv").exists()


@pytest.mark.parametrize("target", ["search", "test", "lint"])
def test_targets_prepare_the_environment_themselves(target, fresh):
    planned = make("-n", target, folder=fresh).stdout
    assert planned.index("pip install") < planned.rindex(".venv/bin/")
    (fresh / ".venv").mkdir()
    (fresh / ".venv" / ".ready").touch()
    assert "pip install" not in make("-n", target, folder=fresh).stdout


def test_an_old_python_is_refused_in_words(fresh):
    old = fresh / "python2"
    old.write_text("#!/bin/sh\necho 'symloss needs Python 3.11 or newer' >&2\nexit 1\n")
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}", folder=fresh)
    assert done.returncode != 0
    assert not (fresh / ".venv").exists()


def test_each_study_has_a_target(fresh):
    assert "-m reproduce xor" in make("-n", "reproduce-xor", folder=fresh).stdout
