"""The facts of a session: versions, machine, workers."""

import json

import pytest

import symloss
from symloss.running.machine import PACKAGES, count_workers, machine_facts


def test_the_facts_are_plain_json_and_name_every_package() -> None:
    facts = machine_facts(3)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["workers"] == 3
    assert set(facts["versions"]) == {"symloss", "python", *PACKAGES}
    assert facts["versions"]["symloss"] == symloss.__version__


def test_workers_are_as_told_or_one_per_core() -> None:
    assert count_workers(0) == 0
    assert count_workers(None) >= 1


def test_a_missing_package_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr("symloss.running.machine.PACKAGES", ("no-such-package",))
    assert machine_facts(0)["versions"]["no-such-package"] == "missing"
