"""Which tasks a formula is tried on, as a person writes them: a list on the command line, or a TOML file.

`digits,digits:noise=0.2,hidden=[32],my_task.py:task,noisy_digits` names four: an option belongs to the task before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError
from symloss.language.files import names_file, read_text
from symloss.running.config import RATES
from symloss.running.proof.transferring import Ground
from symloss.settings import LONGEST, override, pattern, read_record, read_toml, setting, whole
from symloss.telling.comparison import task_table

_TASK = re.compile(r"(?P<name>[^:=\s][^:=]*\.py:\w+|[^:=\s][^:=]*)(?::(?P<option>.*))?", re.DOTALL)


@dataclass(frozen=True)
class _Budget:
    """The keys of a task that are about its training, not the task's own."""

    label: str | None = setting(pattern(r"[^\n]{1,60}", "a text of up to 60 characters"), None)
    steps: int | None = setting(whole(1), None)
    learning_rates: tuple[float, ...] | None = setting(RATES, None)


_OWN = tuple(_Budget.__dataclass_fields__)


def read_grounds(text: str) -> list[Ground]:
    """Read the tasks that a person names.

    Args:
        text: tasks with commas between them, each a built-in task's name, `file.py:function` or an experiment, with
            options behind a colon: `digits:noise=0.2,examples=200`; or the path of a TOML file with [[task]] tables.
            The options `steps`, `learning_rates` and `label` are about the training, all others are the task's own.

    Raises:
        ExperimentError: there is no task, one is named twice, or a text cannot be read.

    Example:
        >>> [ground.label for ground in read_grounds("digits:noise=0.2,hidden=[32],digits")]
        ['digits noise=0.2 hidden=[32]', 'digits']
    """
    is_file = text.endswith(".toml") and "," not in text and names_file(Path(text))
    found = _of_file(Path(text)) if is_file else []
    grounds = found or [_ground(name, options) for name, options in _split(text)]
    labels = [each.label for each in grounds]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ExperimentError(f"--tasks names '{twice}' twice; name each task once, or give one of them another label.")
    return grounds


def _of_file(path: Path) -> list[Ground]:
    try:
        table = read_toml(read_text(path, 4 * LONGEST, "a list of tasks"), str(path))
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read as a list of tasks: {error}.") from error
    rows = table.get("task")
    if isinstance(rows, Mapping):
        return []  # an experiment has one [task]
    if not isinstance(rows, list) or not all(isinstance(each, Mapping) for each in rows) or set(table) != {"task"}:
        raise ExperimentError(f"{path} holds no list of tasks; write one [[task]] table for each, and nothing else.")
    return [_of_table(each, f"{path}: [[task]] {number}", path.parent) for number, each in enumerate(rows, 1)]


def _of_table(table: Mapping[str, Any], place: str, folder: Path) -> Ground:
    own = read_record(_Budget, {key: value for key, value in table.items() if key in _OWN}, place)
    spec = {key: value for key, value in table.items() if key not in _OWN}
    if "factory" in spec:
        spec["folder"] = str((folder / str(spec.get("folder", "."))).resolve())
    return Ground(own.label or _label(spec), spec, own.steps, own.learning_rates)


def _split(text: str) -> list[tuple[str, list[str]]]:
    tasks: list[tuple[str, list[str]]] = []
    for part in _parts(text):
        if re.match(r"\w+\s*=", part):
            if not tasks:
                raise ExperimentError(f"--tasks begins with the option '{part}'; name a task before it.")
            tasks[-1][1].append(part)
            continue
        match = _TASK.fullmatch(part)
        if match is None:
            raise ExperimentError(f"--tasks: '{part}' cannot be read; write name, or name:option=value.")
        tasks.append((match["name"].strip(), [] if match["option"] is None else [match["option"].strip()]))
    if not tasks:
        raise ExperimentError("--tasks is empty; name at least one task, e.g. digits:noise=0.2.")
    return tasks


def _parts(text: str) -> list[str]:
    """Split at commas outside of brackets and quotes."""
    parts, depth, quoted = [""], 0, ""
    for each in text:
        if quoted or each in "\"'":
            quoted = "" if each == quoted else quoted or each
        elif each in "[](){}":
            depth += 1 if each in "[({" else -1
        if each == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += each
    return [part.strip() for part in parts if part.strip()]


def _ground(name: str, options: Sequence[str]) -> Ground:
    table = task_table(name)
    spec = dict(table.pop("task"))
    given = override({}, options)
    own = read_record(_Budget, table | {key: value for key, value in given.items() if key in _OWN}, f"--tasks {name}")
    changes = {key: value for key, value in given.items() if key not in _OWN}
    label = own.label or " ".join([name, *(f"{key}={_shown(value)}" for key, value in changes.items())])
    return Ground(label, spec | changes, own.steps, own.learning_rates)


def _label(spec: Mapping[str, Any]) -> str:
    name = str(spec.get("name") or spec.get("factory") or "task")
    options = [f"{key}={_shown(value)}" for key, value in spec.items() if key not in ("name", "factory", "folder")]
    return " ".join([name, *options])


def _shown(value: Any) -> str:
    return str(value).replace(" ", "")
