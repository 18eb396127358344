"""What a person names on the command line or in `symloss.load`: a run, a loss file, a published loss, or a formula.

One reading for all commands, so that whatever can be shown can be exported, compared, plotted and loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symloss.errors import FormulaError, RunError, unknown
from symloss.language.formula import Formula, infer_slot, parse
from symloss.language.lossfile import read_loss
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS, adopt_slot
from symloss.language.zoo import ZOO, adopt_entry, zoo
from symloss.running.storage.rundir import RunDirectory, find_run, read_winner
from symloss.running.storage.store import RunStore
from symloss.telling.ranking import Ranked, rank_run

_PATH = re.compile(r"[\w./~-]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Target:
    """A formula and where it comes from.

    Args:
        kind: `zoo`, `file`, `run` or `formula`.
        name: the zoo name, the file's or the directory's name, or `formula`.
        source: where the formula comes from, in one line.
        evidence: what is known of its quality; plain JSON, written by whoever made the file.
    """

    kind: str
    name: str
    formula: Formula
    source: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def is_run(text: str) -> bool:
    """Whether the text names a run directory; a published loss's name never does (write `./focal` for a directory)."""
    return text not in ZOO and _is_path(text, Path.is_dir)


def find_target(text: str, slot: str | None = None) -> Target:
    """Find what a text names: a zoo name, a run directory (its winner), a loss file, or formula text.

    Args:
        slot: of the formula; None infers a formula text's from its variables' names.

    Raises:
        RunError: a path leads to nothing readable, or its run has no winner yet.
        FormulaError: the text is neither a name nor a formula, or its formula is of another slot; the message holds
            the closest name.

    Example:
        >>> find_target("-t*log(p)").formula.slot
        'classification'
    """
    text = text.strip()
    if not text:
        raise FormulaError("the target is empty; give a run directory, a loss file, a zoo name or a formula.")
    target = _find_named(text)
    if target is None:
        return Target("formula", "formula", _read_formula(text, slot))
    check_slot(text, target.formula.slot, slot)
    return target


def check_slot(name: str, slot: str, wanted: str | None) -> None:
    """Refuse a slot that a person asked for and that what they named does not have.

    Raises:
        FormulaError: the wanted slot is unknown, or another one.
    """
    if wanted is None or wanted == slot:
        return
    adopt_slot(wanted)
    if wanted not in SLOTS:
        raise FormulaError(unknown("--slot", "slot", wanted, SLOTS))
    raise FormulaError(f"{name} is of the slot {slot}, not {wanted}; leave out the slot, or name another target.")


def _find_named(text: str) -> Target | None:
    adopt_entry(text)
    if text in ZOO:
        return Target("zoo", text, zoo[text], f"{ZOO[text].source}: {ZOO[text].about}")
    path = Path(text)
    if _is_path(text, Path.is_dir):
        return _of_run(path)
    if text.endswith(".json") or _is_path(text, Path.exists):
        loss = read_loss(path)
        return Target("file", re.sub(r"(\.loss)?\.json$", "", path.name), loss.formula, path.name, loss.evidence)
    return None


def _is_path(text: str, kind: Callable[[Path], bool]) -> bool:
    # A formula may be too long for a path, or hold what no path may: the system says so by an error.
    try:
        return bool(text.strip()) and kind(Path(text))
    except (OSError, ValueError):
        return False


def _read_formula(text: str, slot: str | None) -> Formula:
    if _WORD.fullmatch(text) and text not in _known_words():
        raise FormulaError(unknown("the target", "loss", text, ZOO))
    if _looks_like_path(text):
        raise RunError(f"{text} does not exist. A target is a run directory, a loss file, a zoo name or a formula.")
    return parse(text, infer_slot(text) if slot is None else slot)


def _looks_like_path(text: str) -> bool:
    if "/" not in text or not _PATH.fullmatch(text):
        return False
    return text[0] in "./~" or not _known_words().issuperset(_WORD.findall(text))


def _known_words() -> set[str]:
    return {variable.name for slot in SLOTS.values() for variable in slot.variables} | OPERATORS.keys()


def _of_run(path: Path) -> Target:
    run = find_run(path)
    if run.winner.exists():
        return target_of_run(run, (), "")
    with RunStore.read(run.store) as store:
        return target_of_run(run, rank_run(store, 1).best, store.meta()["slot"])


def target_of_run(run: RunDirectory, best: Sequence[Ranked], slot: str) -> Target:
    """Return a run's winner or, where finals tried none, the first of its best formulas.

    Args:
        best: as `rank_run` ranks them; not looked at where there is a winner.
        slot: of the run.

    Raises:
        RunError: there is neither.
    """
    name = run.path.resolve().name
    if run.winner.exists():
        loss = read_winner(run)
        return Target("run", name, loss.formula, f"winner of {run.path}", loss.evidence)
    if not best:
        raise RunError(f"{run.path} has no scored formula yet. Go on with `symloss resume {run.path}`.")
    note = f"best of the search on validation data, not tried in finals yet: {best[0].fitness:.4g}"
    return Target("run", name, parse(best[0].formula, slot), f"best of {run.path}", {"note": note})
