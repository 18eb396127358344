"""The evidence that a loss file carries: the finals' table, and all that is needed to hold them again.

Written when a run ends; read back, as a stranger's text, by `verifying.py`: what is not as written here is refused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from symloss.errors import RunError, SymlossError
from symloss.judging.plan import Plan
from symloss.judging.seal import data_digest
from symloss.judging.tasks.task import Task
from symloss.language.files import plain
from symloss.language.formula import Formula, parse
from symloss.language.lossfile import MAX_BYTES, LossFile, loss_text
from symloss.language.zoo import ZOO, zoo
from symloss.plugins import asleep
from symloss.running.machine import same_environment
from symloss.running.proof.entrants import BASELINE, FOUND, Entrant
from symloss.running.proof.finals import Finals
from symloss.running.proof.trials import Trials
from symloss.running.proof.verdict import Interval, Verdict
from symloss.settings import Rule, choice, number, pattern, read_record, setting, several, whole

VERSION = 1
PATHS = ("folder", "data_dir")  # settings of a task that belong to one machine
_MOST_SEEDS = 10_000
_TABLE = Rule("a table", lambda value: _of_kind(value, dict))
_ROWS = Rule("a list of tables", lambda value: [_of_kind(each, dict) for each in _of_kind(value, list)])
_TEXT = Rule("a text", lambda value: _of_kind(value, str))
_RATES = several(number(0.0, above=True), "[0.001, 0.01]")
_SEEDS = Rule(f"a list of up to {_MOST_SEEDS} different whole numbers", lambda value: _seeds(value))
_NOW = Rule(f"{VERSION}; a newer symloss may read it", lambda value: _exactly(value, VERSION))
_MAYBE = Rule("a number or null", lambda value: _or_none(value))
_COLUMNS = Rule("a table of lists of numbers", lambda value: _columns(value))


@dataclass(frozen=True)
class TrialRecord:
    """How a table was made, as a loss file says it.

    Args:
        version: of this record.
        task: as `make_task` reads it, without folders of the machine that it ran on.
        data: digest of the task's data, see `data_digest`.
        steps, learning_rates, seeds, stack: of the plan.
        bootstrap_seed, resamples: of the intervals.
        time_limit: seconds that one formula might take.
        members: models in one stack.
        metric: that decided.
        environment: `versions` and `kind` of the machine; `mixed` where several or unknown ones took part.
    """

    task: Mapping[str, Any] = setting(_TABLE)
    data: str = setting(_TEXT)
    steps: int = setting(whole(1))
    learning_rates: tuple[float, ...] = setting(_RATES)
    seeds: tuple[int, ...] = setting(_SEEDS)
    stack: str = setting(choice("stacked", "single"))
    bootstrap_seed: int = setting(whole(0))
    resamples: int = setting(whole(1))
    time_limit: float = setting(number(0.0, above=True))
    metric: str = setting(_TEXT)
    environment: Mapping[str, Any] = setting(_TABLE)
    members: int | None = setting(Rule("a whole number of at least 1, or null", lambda value: _members(value)), None)
    version: int = setting(_NOW, VERSION)

    @property
    def trials(self) -> Trials:
        """How entrants are trained again."""
        plan = Plan(self.steps, self.learning_rates, self.seeds, (self.steps,), ("valid",), self.stack, self.members)
        return Trials(plan, self.bootstrap_seed, self.resamples, self.time_limit)


@dataclass(frozen=True)
class RowRecord:
    """A row of the recorded table, see `finals.Row`."""

    name: str = setting(pattern(r"(?s).{1,200}", "a text of up to 200 characters"))
    role: str = setting(choice(FOUND, BASELINE))
    formula: str = setting(_TEXT)
    test: Mapping[str, Any] = setting(_TABLE)
    by_seed: Mapping[str, Sequence[float]] = setting(_COLUMNS)
    learning_rate: float | None = setting(_MAYBE, None)
    validation: float | None = setting(_MAYBE, None)
    reason: str = setting(_TEXT, "")


@dataclass(frozen=True)
class Recorded:
    """A loss file's table, ready to be made again.

    Args:
        entrants: the winner, then the baselines, the reference first.
        rows: theirs, in the same order.
        verdicts: by the deciding metric, in the baselines' order.
        others: by the task's further metrics.
        sentence: the recorded verdict in words.
    """

    trial: TrialRecord
    entrants: tuple[Entrant, ...]
    rows: tuple[RowRecord, ...]
    verdicts: tuple[Verdict, ...]
    others: tuple[Verdict, ...]
    sentence: str


def trial_record(
    spec: Mapping[str, Any], task: Task, trials: Trials, sessions: Sequence[Mapping[str, Any]], cluster: bool
) -> dict[str, Any]:
    """Say how finals were held, so that a loss file can carry it.

    Args:
        sessions: facts about all sessions of the run, the present one last; trials may come from any of them.
        cluster: whether workers ran on other machines, whose kind is not known.
    """
    last = sessions[-1]
    mixed = cluster or not all(same_environment(each, last) for each in sessions)
    record = TrialRecord(
        # The folders of a user's own task and data are paths of this machine, which are nobody's business elsewhere.
        {key: value for key, value in spec.items() if key not in PATHS},
        data_digest(task), trials.plan.steps, trials.plan.learning_rates, trials.plan.seeds, trials.plan.stack,
        trials.seed, trials.resamples, trials.time_limit, task.metric.name,
        {"versions": last.get("versions"), "kind": last.get("kind"), "mixed": mixed},
        trials.plan.members,
    )  # fmt: skip
    table: dict[str, Any] = plain(asdict(record))
    return table


def evidence_of(finals: Finals, experiment: str, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return a winner's evidence, as large as a loss file can hold.

    Formulas that were not chosen go first, then the differences by further metrics, then what a re-run needs.
    """
    assert finals.winner is not None
    document = finals.document()
    tested = [row for row in document["rows"] if row["role"] == BASELINE or row["test"]]
    base = {"experiment": experiment, "task": trial["task"], "verdict": finals.sentence, "seeds": finals.seeds}
    main, all_of_them = document["verdicts"], [*document["verdicts"], *document["others"]]
    sizes: tuple[dict[str, Any], ...] = (
        {"table": document["rows"], "differences": all_of_them, "trial": trial},
        {"table": tested, "differences": all_of_them, "trial": trial},
        {"table": tested, "differences": main, "trial": trial},
        {"table": [{**row, "by_seed": {}} for row in tested], "differences": main},
    )
    fitting = (base | more for more in sizes if len(loss_text(finals.winner, base | more)) <= MAX_BYTES)
    return next(fitting, base)


def read_recorded(loss: LossFile, place: str) -> Recorded:
    """Read a loss file's evidence as something to re-run; nothing in it is trusted.

    Raises:
        RunError: it carries no trial, or one that is damaged, of another version, or about another formula.
    """
    evidence = loss.evidence
    if "trial" not in evidence:
        raise RunError(
            f"{place} carries no trial to re-run, only its formula"
            f"{' and a table' if 'table' in evidence else ''}. Files that a finished run writes carry one; "
            "try the formula itself with `symloss compare`."
        )
    try:
        with asleep():
            return _recorded(loss, evidence)
    except SymlossError as error:
        raise RunError(f"{place}: its evidence cannot be re-run: {error}") from error


def _recorded(loss: LossFile, evidence: Mapping[str, Any]) -> Recorded:
    trial = read_record(TrialRecord, _read("trial", evidence, _TABLE), "[trial]")
    rows = [_row(each) for each in _read("table", evidence, _ROWS)]
    shown = [row for row in rows if row.role == BASELINE or row.formula == loss.formula.text]
    rows = sorted(shown, key=lambda row: row.role != FOUND)  # stable: the baselines keep their order
    if not rows or rows[0].role != FOUND or len(rows) < 2 or len({row.name for row in rows}) < len(rows):
        raise RunError("its table does not hold the formula once, and baselines of different names beside it.")
    known = [_verdict(each) for each in _read("differences", evidence, _ROWS)]
    main = {each.baseline: each for each in known if each.metric == trial.metric}
    baselines = [row.name for row in rows[1:]]
    if set(main) != set(baselines):
        raise RunError(f"its differences by {trial.metric} are not those of the baselines in its table.")
    others = tuple(each for each in known if each.metric != trial.metric)
    sentence = str(evidence.get("verdict", ""))
    entrants = tuple(_entrant(row, loss.formula.slot) for row in rows)
    return Recorded(trial, entrants, tuple(rows), tuple(main[name] for name in baselines), others, sentence)


def _row(table: Mapping[str, Any]) -> RowRecord:
    known = {each.name for each in fields(RowRecord)}  # a later symloss may tell more about a row
    return read_record(RowRecord, {key: value for key, value in table.items() if key in known}, "[table]")


def _read(key: str, evidence: Mapping[str, Any], rule: Rule) -> Any:
    try:
        return rule.read(evidence.get(key))
    except ValueError as error:
        raise RunError(f"{key} must be {rule.allowed}.") from error


def _entrant(row: RowRecord, slot: str) -> Entrant:
    formula: Formula = parse(row.formula, slot)
    if row.role == BASELINE and row.name in ZOO and zoo[row.name] != formula:
        raise RunError(f"it calls '{row.formula[:80]}' {row.name}, whose formula is '{zoo[row.name].text[:80]}'.")
    return Entrant(row.name, formula, row.role)


def _verdict(table: Mapping[str, Any]) -> Verdict:
    try:
        interval = table.get("interval")
        read = None if interval is None else Interval(**{key: _bound(key, value) for key, value in interval.items()})
        return Verdict(str(table["baseline"]), read, str(table.get("reason", "")), str(table["metric"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"a difference cannot be read: {str(error)[:100]}.") from error


def _bound(name: str, value: Any) -> Any:
    # JSON has no infinity and no NaN: null stands in their place.
    if value is None:
        return {"low": -math.inf, "high": math.inf, "difference": math.nan}[name]
    return whole(0).read(value) if name == "seeds" else number().read(value)


def _of_kind(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(value)
    return value


def _seeds(value: object) -> tuple[int, ...]:
    read: tuple[int, ...] = several(whole(0), "").read(value)
    if len(read) > _MOST_SEEDS:
        raise ValueError(len(read))
    return read


def _members(value: object) -> int | None:
    return None if value is None else int(whole(1).read(value))


def _exactly(value: object, wanted: int) -> int:
    if type(value) is not int or value != wanted:
        raise ValueError(value)
    return value


def _or_none(value: object) -> float | None:
    return None if value is None else float(number().read(value))


def _columns(value: object) -> dict[str, tuple[float, ...]]:
    table: dict[str, Any] = _of_kind(value, dict)
    return {name: tuple(map(_or_nan, _of_kind(column, list))) for name, column in table.items()}


def _or_nan(value: object) -> float:
    return math.nan if value is None else float(number().read(value))
