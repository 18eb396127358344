"""A recorded table beside the same table made again: what is equal, what is within chance, and what that comes to.

With the versions and the kind of machine of the record every number must come out to the last bit; elsewhere each must
lie where chance lets it: test values by Welch's test over seeds, differences by the distance of their intervals.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scipy import stats

from symloss.markup import fields_html, table_html
from symloss.running.proof.evidence import Recorded, RowRecord
from symloss.running.proof.finals import Finals, Row, summary
from symloss.running.proof.verdict import Interval, Unit, Verdict, sentence

LEVEL = 0.99  # of all tests of a table together: one honest table in a hundred fails by chance


class Check(StrEnum):
    """What became of one recorded thing."""

    EQUAL = "equal"
    COMPATIBLE = "compatible"
    DIFFERS = "differs"


@dataclass(frozen=True)
class RowCheck:
    """A row of the recorded table beside the same row made again.

    Args:
        recorded, again: metric -> mean on the test set over the seeds that were trained again.
        note: what differs, in words.
    """

    name: str
    check: Check
    recorded: Mapping[str, float]
    again: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True)
class ClaimCheck:
    """A recorded difference beside the same difference made again.

    Args:
        claimed: `better`, `worse` or `even`, as recorded.
        found: the same, made again.
    """

    baseline: str
    metric: str
    check: Check
    claimed: str
    found: str
    recorded: Interval | None
    again: Interval | None


@dataclass(frozen=True)
class Verification:
    """Whether a recorded table holds.

    Args:
        exact: whether every number must be equal: versions and kind of machine are those of the record.
        quick: fewer seeds at the recorded learning rates, and no tuning.
        seeds: trainings of each formula.
    """

    holds: bool
    sentence: str
    exact: bool
    quick: bool
    seeds: int
    rows: tuple[RowCheck, ...]
    claims: tuple[ClaimCheck, ...]
    recorded: str
    again: str

    def _repr_html_(self) -> str:
        rows = [
            {"name": each.name, "check": each.check.value}
            | {
                key: value
                for name in each.recorded
                for key, value in ((name, each.recorded[name]), (f"{name} again", each.again.get(name)))
            }
            | {"note": each.note}
            for each in self.rows
        ]
        pairs = [("verdict", self.sentence), ("recorded", self.recorded), ("again", self.again)]
        return fields_html(pairs) + table_html(rows, "Means on the test set, recorded and again")


def judge_again(recorded: Recorded, again: Finals, exact: bool, quick: bool) -> Verification:
    """Set a table that was made again beside the recorded one.

    Args:
        again: the winner and the baselines, in the record's order.
        exact: whether every number must be equal.
        quick: whether `again` has the first seeds only; differences are then not expected to be equal.
    """
    tests = sum(len(row.by_seed) for row in recorded.rows) + len(recorded.verdicts) + len(recorded.others)
    alpha = (1 - LEVEL) / max(1, tests)
    seeds = sorted(recorded.trial.seeds)
    places = [seeds.index(seed) for seed in sorted(recorded.trial.seeds[: again.seeds])]
    rows = tuple(_check_row(was, now, places, alpha, quick) for was, now in zip(recorded.rows, again.rows, strict=True))
    made = {(each.metric, each.baseline): each for each in (*again.verdicts, *again.others)}
    claims = tuple(
        _check_claim(each, made.get((each.metric, each.baseline)), alpha)
        for each in (*recorded.verdicts, *recorded.others)
    )
    consistent = _follows(recorded, again.unit)
    holds, said = _conclude(rows, claims, recorded, consistent, exact, quick, again.seeds)
    return Verification(holds, said, exact, quick, again.seeds, rows, claims, recorded.sentence, again.sentence)


def _check_row(was: RowRecord, now: Row, places: Sequence[int], alpha: float, quick: bool) -> RowCheck:
    before = {name: tuple(column[i] for i in places) for name, column in was.by_seed.items() if _has(column, places)}
    means = {name: summary(column)[0] for name, column in before.items()}
    after = {name: value[0] for name, value in now.test.items()}
    if not _own_means(was):
        return RowCheck(was.name, Check.DIFFERS, means, after, "its means are not those of its own seeds")
    if before.keys() != now.by_seed.keys():
        note = f"failed this time: {now.reason}" if now.reason else f"failed in the record: {was.reason[:80]}"
        return RowCheck(was.name, Check.DIFFERS, means, after, note)
    same_tuning = quick or (was.learning_rate, was.validation) == (now.learning_rate, now.validation)
    if same_tuning and all(_same(before[name], now.by_seed[name]) for name in before):
        return RowCheck(was.name, Check.EQUAL, means, after)
    apart = [name for name in before if not _welch(was.by_seed[name], now.by_seed[name], alpha)]
    note = f"{', '.join(apart)} further apart than chance allows" if apart else ""
    if was.learning_rate != now.learning_rate:
        note = "; ".join(filter(None, [note, f"tuned to {now.learning_rate}, recorded {was.learning_rate}"]))
    return RowCheck(was.name, Check.DIFFERS if apart else Check.COMPATIBLE, means, after, note)


def _has(column: Sequence[float], places: Sequence[int]) -> bool:
    return len(column) > max(places)


def _own_means(row: RowRecord) -> bool:
    """Whether a recorded row's means and deviations follow from its recorded values by seed."""
    if set(row.test) != set(row.by_seed):
        return False
    return all(_same(_floats(row.test[name]), summary(column)) for name, column in row.by_seed.items() if column)


def _floats(value: Any) -> tuple[float, ...]:
    entries = value if isinstance(value, list | tuple) else ()
    return tuple(math.nan if not isinstance(each, float | int) else float(each) for each in entries)


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    def equal(a: float, b: float) -> bool:
        return a == b or (not math.isfinite(a) and not math.isfinite(b))  # JSON has one word for all of these

    return len(one) == len(other) and all(map(equal, one, other))


def _welch(one: Sequence[float], other: Sequence[float], alpha: float) -> bool:
    """Whether two samples may have one mean (Welch 1947); samples without spread must agree."""
    if not all(map(math.isfinite, (*one, *other))):
        return _same(one, other)
    (mean_1, sd_1), (mean_2, sd_2) = summary(one), summary(other)
    errors = [sd**2 / len(column) for sd, column in ((sd_1, one), (sd_2, other)) if len(column) > 1]
    error = sum(errors)
    if not error:
        return math.isclose(mean_1, mean_2, rel_tol=1e-6, abs_tol=1e-9)
    counts = [len(column) - 1 for column in (one, other) if len(column) > 1]
    freedom = error**2 / sum(each**2 / count for each, count in zip(errors, counts, strict=True))
    return bool(abs(mean_1 - mean_2) <= stats.t.ppf(1 - alpha / 2, max(1.0, freedom)) * math.sqrt(error))


def _check_claim(was: Verdict, now: Verdict | None, alpha: float) -> ClaimCheck:
    again = None if now is None else now.interval
    found = "nothing" if now is None else _stands(now)
    check = Check.DIFFERS if now is None or (was.interval is None) != (again is None) else Check.EQUAL
    if was.interval is not None and again is not None and not _same(_numbers(was.interval), _numbers(again)):
        check = Check.COMPATIBLE if _near(was.interval, again, alpha) else Check.DIFFERS
    return ClaimCheck(was.baseline, was.metric, check, _stands(was), found, was.interval, again)


def _numbers(interval: Interval) -> tuple[float, ...]:
    return interval.difference, interval.low, interval.high, interval.p


def _near(one: Interval, other: Interval, alpha: float) -> bool:
    """Whether two differences are closer than their intervals together allow."""
    halves = [(each.high - each.low) / 2 for each in (one, other)]
    if not all(map(math.isfinite, (*halves, one.difference, other.difference))):
        return True  # an interval without bounds claims nothing
    stretch = float(stats.norm.ppf(1 - alpha / 2) / stats.norm.ppf(0.975))
    return abs(one.difference - other.difference) <= stretch * math.hypot(*halves) + 1e-12


def _stands(verdict: Verdict) -> str:
    if verdict.interval is None:
        return "not compared"
    return "better" if verdict.better else "worse" if verdict.worse else "even"


def _follows(recorded: Recorded, unit: Unit) -> bool:
    """Whether the recorded sentence is what the recorded differences come to."""
    return sentence(recorded.verdicts, unit) == recorded.sentence


def _conclude(
    rows: Sequence[RowCheck],
    claims: Sequence[ClaimCheck],
    recorded: Recorded,
    consistent: bool,
    exact: bool,
    quick: bool,
    seeds: int,
) -> tuple[bool, str]:
    if not consistent:
        return False, "does not hold: the recorded verdict is not what the recorded differences come to"
    apart = [each.name for each in rows if each.check is Check.DIFFERS]
    apart += [f"the difference to {each.baseline} by {each.metric}" for each in claims if each.check is Check.DIFFERS]
    if apart:
        return False, f"does not hold: {_some(apart)} came out otherwise than chance allows"
    unequal = [each.name for each in rows if each.check is not Check.EQUAL]
    unequal += [] if quick else [each.baseline for each in claims if each.check is not Check.EQUAL]
    if not unequal:
        return True, f"holds: every number came out to the last bit{_on(quick, seeds)}"
    if exact:
        return False, (
            f"does not hold: {_some(list(dict.fromkeys(unequal)))} came out close, but not to the last bit, although "
            "versions and kind of machine are those of the record; a number in the file was changed, or something "
            "else of this machine matters"
        )
    lost = [each for each in claims if each.metric == recorded.trial.metric and each.claimed != each.found]
    note = f"; by chance alone not shown again: {_some([_lost(each) for each in lost])}" if lost and not quick else ""
    return True, f"holds: all numbers are within chance of the recorded ones{_on(quick, seeds)}{note}"


def _on(quick: bool, seeds: int) -> str:
    return f" on the first {seeds} seeds" if quick else ""


def _lost(claim: ClaimCheck) -> str:
    return f"{claim.claimed} than {claim.baseline}" if claim.claimed != "even" else f"even with {claim.baseline}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
