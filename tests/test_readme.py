"""The README keeps its word: its commands exist, its examples run, its links lead somewhere.

A block that needs hours or a finished run is preceded by `<!-- not run: why -->`; its commands are still parsed.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from symloss.cli import LazyGroup, symloss

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?P<mark><!-- not run:.*?-->\n+)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(README)]
PYTHON = [block["body"] for block in BLOCKS if block["language"] == "python"]
RUNNABLE = [block["body"] for block in BLOCKS if block["language"] == "python" and not block["mark"]]
SHELL = [block["body"] for block in BLOCKS if block["language"] in ("sh", "bash", "shell", "console")]
LINES = [line.removeprefix("$ ").strip() for body in SHELL for line in body.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("symloss ")]
QUICK = [line for line in COMMANDS if re.match(r"symloss (show|list|export) (?!.*runs/)", line)]
TARGETS = [word for line in LINES if line.startswith("make ") for word in line.split()[1:] if word.isalpha()]
LINKS = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", README)


def test_the_blocks_are_found():
    assert len(COMMANDS) >= 6
    assert len(QUICK) >= 3
    assert len(PYTHON) >= 2
    assert RUNNABLE
    assert TARGETS
    assert LINKS


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists_with_its_options(line):
    _, name, *arguments = shlex.split(line, comments=True)
    command = LazyGroup().get_command(click.Context(symloss), name)
    assert command is not None, f"README: {line}"
    command.make_context(name, arguments, parent=click.Context(symloss))


@pytest.mark.parametrize("line", QUICK)
def test_a_quick_command_runs(line, tmp_path):
    arguments = shlex.split(line, comments=True)[1:]
    done = subprocess.run([sys.executable, "-m", "symloss", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("source", PYTHON)
def test_a_python_example_is_python(source):
    compile(source, "README.md", "exec")


def test_the_python_examples_run_in_order(tmp_path):
    script = tmp_path / "readme.py"
    script.write_text("\n".join(RUNNABLE), encoding="utf-8")
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_leads_somewhere(link):
    assert (ROOT / link).exists()
