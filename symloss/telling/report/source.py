"""Where a run comes from, how to repeat it, and how to use what it found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from symloss.errors import RunError
from symloss.judging.mishaps import mishaps_in_words, mishaps_of
from symloss.running.storage.store import RunStore
from symloss.telling.report.choice import ALL
from symloss.telling.report.material import Material
from symloss.telling.show import shorten

_LONGEST = 20_000  # characters of a file's text
_PRIVATE = re.compile(r'^folder = ".*"$', re.MULTILINE)
_GRAMMAR = re.compile(r'^grammar = "(?:[^"\\]|\\.)*/([^/"]*)"$', re.MULTILINE)
_INSTALLED = ("symloss", "torch", "numpy", "numba", "sympy", "deap", "scikit-learn", "scipy")


def source(material: Material) -> Mapping[str, Any]:
    """Return the experiment, its grammar, its sessions, and the words to use and repeat it."""
    run, formula = shown_name(material), material.formula
    versions = _versions(material)
    return {
        "run": run,
        "text": None if formula is None else formula.text,
        "latex": None if formula is None else shorten(formula.latex(), _LONGEST),
        "slot": material.slot,
        "experiment": shorten(public(material.experiment), _LONGEST),
        "grammar": shorten(material.grammar, _LONGEST),
        "sessions": [_session(each) for each in material.sessions],
        "mishaps": mishaps_in_words(mishaps_of(material.sessions)),
        "versions": versions,
        "install": " ".join(f"{name}=={versions[name]}" for name in _INSTALLED if name in versions),
        "stack": material.facts.get("stack_reason", ""),
        "digest": "" if material.live or material.total > ALL else _digest(material),
        "reference": _reference(material),
    }


def shown_name(material: Material) -> str:
    """Return the run's directory as a reader may call it: relative as it was given, and never a path of a machine."""
    path = material.run.path
    return path.resolve().name if path.is_absolute() or path.name in ("", "..") else path.as_posix()


def public(experiment: str) -> str:
    """Leave paths of a machine out of an experiment's text: they are nobody's business elsewhere.

    Example:
        >>> public('grammar = "/home/me/mine.toml"')
        'grammar = "mine.toml"'
    """
    without = _PRIVATE.sub("# folder: of the task's file, on the machine that ran it", experiment)
    return _GRAMMAR.sub(r'grammar = "\1"', without)


def _versions(material: Material) -> dict[str, str]:
    found = material.sessions[-1].get("versions") if material.sessions else None
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, Mapping) else {}


def _session(session: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: shorten(str(session.get(name, "-")), 120) for name in ("started", "workers", "cpus", "platform")}
    return facts | {"seconds": session["seconds"]}


def _digest(material: Material) -> str:
    try:
        with RunStore.read(material.run.store) as store:
            return store.digest()
    except RunError:
        return ""


def _reference(material: Material) -> str:
    verdicts = [] if material.finals is None else material.finals.get("verdicts", [])
    return str(verdicts[0]["baseline"]) if verdicts else ""
