"""A cluster of several nodes: one dies and workers are shot, and the run is that of an undisturbed one."""

import builtins
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from symloss.errors import RunError
from symloss.judging.nodes import DECISIVE, check_same_versions, facts_of_node, versions_here
from symloss.running.machine import machine_facts

ROOT = Path(__file__).parent.parent


def test_a_lost_node_and_shot_workers_change_nothing() -> None:
    options = ["--nodes", "3", "--kills", "3", "--generations", "4", "--steps", "600"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.killer", *options], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", equal;" in done.stdout
    lost = re.search(r"(\d+) lost", done.stdout)  # how many were at work when they were shot is a matter of chance
    assert lost is not None, done.stdout
    assert int(lost[1]) >= 3


def test_facts_of_a_machine_are_those_that_decide_and_plain() -> None:
    facts = facts_of_node()()
    assert set(DECISIVE) <= set(facts["versions"])
    assert json.loads(json.dumps(facts)) == facts
    assert facts["versions"] == versions_here()
    here = machine_facts(0)["versions"]
    assert {name: facts["versions"][name] for name in DECISIVE if name != "symloss"} == {
        name: here[name] for name in DECISIVE if name != "symloss"
    }


def test_the_function_that_travels_needs_no_symloss_where_it_arrives() -> None:
    look = facts_of_node()
    alone = types.FunctionType(look.__code__, {"__builtins__": builtins}, closure=look.__closure__)
    assert alone() == look()


def test_the_same_versions_are_let_in() -> None:
    check_same_versions("x", versions_here(), versions_here())
    with pytest.raises(RunError, match=r"^there has numpy 1, and this process numpy 2: results would differ\."):
        check_same_versions("there", {"numpy": "1"}, {"numpy": "2"})
