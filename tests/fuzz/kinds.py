"""The kinds of files that strangers send, how each is damaged, and how symloss reads it."""

import io
import json
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import symloss
from symloss.adapters.tracking import read_notes
from symloss.errors import RunError, SymlossError
from symloss.judging.tasks.datafiles import read_idx, read_npz
from symloss.language.formula import infer_slot, parse
from symloss.language.grammar import load_grammar
from symloss.language.lossfile import _digest, loss_text, read_loss
from symloss.language.zoo import ZOO, zoo
from symloss.plugins import KINDS as PLUGIN_KINDS
from symloss.plugins import asleep, offers
from symloss.running.config import load_experiment
from symloss.running.proof.evidence import read_recorded
from symloss.running.storage.rundir import find_run
from symloss.running.storage.store import RunStore
from symloss.telling.export import EXPORTS
from symloss.telling.report.report import write_report
from symloss.telling.summary import run_text, summarise_run
from symloss.telling.target import find_target
from tests.fuzz.mutations import NASTY, changed, damage, json_bytes, nested
from tests.runs import finals, make_run

ROOT = Path(symloss.__file__).parent.parent
LATEST = ROOT / "tests" / "golden" / "v3" / "run"
OWN = (ROOT / "grammars", ROOT / "experiments", ROOT / "symloss")  # what any reader may open


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        inputs: of a whole fuzz.
        write: (random numbers, folder) -> the file, written there.
        read: reads it, as the first thing that is done with it; raises SymlossError when it refuses.
        tell: what is done with what was read; has more time. None where there is no more.
    """

    inputs: int
    write: Callable[[random.Random, Path], Path]
    read: Callable[[Path], Any]
    tell: Callable[[Path], Any] | None = None


class Prepared:
    """What is made once: good files of every kind."""

    def __init__(self) -> None:
        self.folder = Path()
        self.runs: dict[str, bytes] = {}  # folder -> its store

    def prepare(self, folder: Path) -> None:
        self.folder = folder
        run = make_run(folder / "made", 30, finals=finals("-t*log(p)"))
        (run / "winner.loss.json").write_text(loss_text(parse("-t*log(p)"), EVIDENCE))
        shutil.copytree(LATEST, folder / "real")  # a search made it, and it has all tables
        self.runs = {name: (folder / name / "run.sqlite").read_bytes() for name in ("made", "real")}
        _tell_run(folder / "real")
        for kind in PLUGIN_KINDS:
            offers(kind)  # reads what packages offer, once
        _tell_loss(run / "winner.loss.json")
        _tell_run(run)


PREPARED = Prepared()
_VERSIONS = {"symloss": "0.1.0", "python": "3.11.7", "torch": "2.13.0"}
EVIDENCE: dict[str, Any] = {
    "experiment": "x", "task": {"name": "digits"}, "verdict": "beats it", "seeds": 2,
    "table": [
        {"name": "found 1", "role": "found", "formula": "-t*log(p)", "learning_rate": 0.1, "validation": 0.9,
         "test": {"accuracy": [0.9, 0.1]}, "reason": "", "by_seed": {"accuracy": [0.9, 0.8]}},
        {"name": "gce", "role": "baseline", "formula": zoo["gce"].text, "learning_rate": 0.1, "validation": 0.9,
         "test": {"accuracy": [0.9, 0.1]}, "reason": "", "by_seed": {"accuracy": [0.9, 0.8]}},
    ],
    "differences": [{"baseline": "gce", "metric": "accuracy", "reason": "",
                     "interval": {"difference": 0.1, "low": 0.0, "high": 0.2, "p": 0.1, "seeds": 2}}],
    "trial": {"task": {"name": "digits"}, "data": "0" * 64, "steps": 5, "learning_rates": [0.1], "seeds": [1, 2],
              "stack": "single", "bootstrap_seed": 1, "resamples": 100, "time_limit": 9.0, "metric": "accuracy",
              "environment": {"versions": _VERSIONS, "kind": {"system": "Linux"}, "mixed": False}, "members": None,
              "version": 1},
}  # fmt: skip
TEXTS = [zoo[name].text.encode() for name in ZOO] + [
    b"-t*log(p)", b"(1/p**0.104 - log(p)*(t + 2*p))**0.645", b"max(t, min(p, 0.5))", b"tanh(sqrt_abs(p))*t",
    b"sin(cos(exp(p)))/aq(t, p)", b"-0.001*t**3*log(p/(1 - p))", b"where(t - p)",
]  # fmt: skip
TOMLS = {
    "grammar": [path.read_bytes() for path in sorted((ROOT / "grammars").glob("*.toml"))],
    "experiment": [path.read_bytes() for path in sorted((ROOT / "experiments").rglob("*.toml"))],
}


def _put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _write_loss(rng: random.Random, folder: Path) -> Path:
    table = json.loads(loss_text(parse(rng.choice(TEXTS[-7:-1]).decode()), EVIDENCE))
    dice = rng.random()
    if dice < 0.6:  # what is damaged below the checksum
        part = rng.choice(("evidence", "evidence", "formula", "constants", "slot"))
        table[part] = damage(rng, table[part].encode(), TEXTS).decode("utf-8", "replace") if (
            part == "formula" and rng.random() < 0.8
        ) else changed(rng, table[part])  # fmt: skip
        table["sha256"] = _digest(table)
    elif dice < 0.7:
        table = changed(rng, table)
    data = json_bytes(table)
    return _put(folder, "x.loss.json", damage(rng, data, [data]) if dice > 0.65 else data)


def _read_loss(path: Path) -> None:
    loss = read_loss(path)
    with suppress(RunError):  # the formula is sound, and its evidence need not be
        read_recorded(loss, str(path))


def _tell_loss(path: Path) -> None:
    target = find_target(str(path))
    for export in EXPORTS.values():
        export.write(target)


def _write_formula(rng: random.Random, folder: Path) -> Path:
    text = rng.choice(TEXTS)
    return _put(folder, "formula.txt", damage(rng, text, TEXTS))


def _read_formula(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    with asleep():
        formula = parse(text, infer_slot(text))
    assert parse(formula.text, formula.slot).text == formula.text, f"{formula.text} reads back as another formula"


def _toml(kind: str) -> Callable[[random.Random, Path], Path]:
    def write(rng: random.Random, folder: Path) -> Path:
        data = rng.choice(TOMLS[kind])
        if rng.random() < 0.5:
            lines = data.split(b"\n")
            at = rng.randrange(len(lines))
            key = lines[at].partition(b"=")[0]
            value = json_bytes(nested(rng) if rng.random() < 0.2 else rng.choice(NASTY))
            lines[at] = key + b"=" + value.replace(b"null", b"1e400")
            data = b"\n".join(lines)
        return _put(folder, f"{kind}.toml", data if rng.random() < 0.3 else damage(rng, data, TOMLS[kind]))

    return write


def _read_grammar(path: Path) -> None:
    load_grammar(path)


def _read_experiment(path: Path) -> None:
    load_experiment(path)


def _write_run(rng: random.Random, folder: Path) -> Path:
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    name = rng.choice(list(PREPARED.runs))
    shutil.copytree(PREPARED.folder / name, run)
    dice = rng.random()
    if dice < 0.4:
        data = bytearray(PREPARED.runs[name])
        for _ in range(rng.choice((1, 2, 10, 100))):
            page = rng.randrange(len(data) // 4096) * 4096
            data[page + min(rng.randrange(4096), rng.randrange(4096))] = rng.randrange(256)
        (run / "run.sqlite").write_bytes(data[: rng.choice((len(data), len(data), rng.randrange(len(data) + 1)))])
    elif dice < 0.95:
        _change_rows(rng, run / "run.sqlite")
    else:
        _change_schema(rng, run / "run.sqlite")
    if rng.random() < 0.05:
        name = rng.choice(("winner.loss.json", "experiment.toml", "grammar.toml", "tracking.json"))
        _put(run, name, damage(rng, b'{"mlflow": {"key": "a", "generation": 1}}', [b"{}"]))
    return run


def _change_rows(rng: random.Random, path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = OFF")
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    facts = [(key, json.loads(value)) for key, value in connection.execute("SELECT key, value FROM meta")]
    for _ in range(rng.choice((1, 1, 3))):
        if rng.random() < 0.5:
            key, document = rng.choice(facts)
            text = json.dumps(changed(rng, document)) if rng.random() < 0.8 else str(rng.choice(NASTY))
            values = (text.encode("utf-8", "replace").decode(), key)
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", values)
            continue
        table = rng.choice(tables)
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        value = rng.choice([*NASTY[:20], b"\xff\x00", 1e400, "x" * 10**5])
        value = value if not isinstance(value, int) or abs(value) < 2**63 else 2.0**70
        value = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        few = "" if table == "measurements" else f"WHERE rowid IN (SELECT rowid FROM {table} LIMIT 3)"
        with suppress(sqlite3.Error, OverflowError):  # a key that is there twice, or must be a number
            connection.execute(f"UPDATE OR IGNORE {table} SET {rng.choice(columns)} = ? {few}", (value,))
    connection.close()


def _change_schema(rng: random.Random, path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    name = rng.choice(("candidates", "meta", "outcomes", "batches"))
    column = rng.choice([row[1] for row in connection.execute(f"PRAGMA table_info({name})")])
    connection.executescript(
        rng.choice(
            (
                f"DROP TABLE {name};",
                f"ALTER TABLE {name} RENAME TO old; CREATE VIEW {name} AS SELECT * FROM old;",
                f"CREATE TRIGGER act AFTER INSERT ON {name} BEGIN DELETE FROM meta; END;",
                f"CREATE INDEX act ON {name} (abs({column}));",
                f"ALTER TABLE {name} ADD COLUMN more TEXT;",
                f"ALTER TABLE {name} ADD COLUMN act GENERATED ALWAYS AS (zeroblob(1000000000));",
                f"ALTER TABLE {name} RENAME COLUMN {column} TO other;",
                "CREATE VIRTUAL TABLE act USING fts5(x);",
            )
        )
    )
    connection.close()


def _read_run(path: Path) -> None:
    with RunStore.read(find_run(path).store) as store:
        store.meta()
        for _ in store.candidates():
            pass
        store.outcomes(), store.trials(), store.batches(), store.counts(), store.reached(), store.digest()
        store.standings()
        for batch in range(3):
            store.told(batch)
    read_notes(path)


def _tell_run(path: Path) -> None:
    write_report(path)
    run_text(summarise_run(path))


def _write_idx(rng: random.Random, folder: Path) -> Path:
    good = b"\0\0\x08\x02" + b"\0\0\0\x03\0\0\0\x04" + bytes(12)
    head = b"\0\0\x08" + bytes([rng.choice((1, 2, 3, 32, 33, 255))])
    sides = b"".join(rng.choice((0, 1, 3, 2**31, 2**32 - 1)).to_bytes(4, "big") for _ in range(head[3]))
    data = head + sides + bytes(rng.choice((0, 3, 12)))
    return _put(folder, "x.idx", data if rng.random() < 0.5 else damage(rng, good, [good, data]))


def _npy(rng: random.Random) -> bytes:
    array = np.zeros(rng.choice(((), (3,), (3, 4), (0,))), rng.choice((np.uint8, np.int64, np.float32, ">f8")))
    file = io.BytesIO()
    np.save(file, array)
    data = file.getvalue()
    lie = rng.choice(
        (b"(9999999999,)", b"(1000000000000000000000,)", b"(3, 4)", b"(-1,)", b"__import__('os')", b"(3,)")
    )
    return data.replace(b"(3,)", lie) if rng.random() < 0.3 else data


def _write_npz(rng: random.Random, folder: Path) -> Path:
    file = io.BytesIO()
    packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name in ("x", "y"):
            bomb = rng.random() < 0.03 and packing != zipfile.ZIP_STORED
            data = _npy(rng) + bytes(3 * 10**6) if bomb else _npy(rng)
            archive.writestr(f"{name}.npy", damage(rng, data, [data]) if rng.random() < 0.3 else data)
    whole = file.getvalue()
    return _put(folder, "x.npz", damage(rng, whole, [whole]) if rng.random() < 0.6 else whole)


KINDS: dict[str, Kind] = {
    "loss": Kind(30_000, _write_loss, _read_loss, _tell_loss),
    "formula": Kind(30_000, _write_formula, _read_formula),
    "grammar": Kind(10_000, _toml("grammar"), _read_grammar),
    "experiment": Kind(10_000, _toml("experiment"), _read_experiment),
    "run": Kind(10_000, _write_run, _read_run, _tell_run),
    "idx": Kind(5_000, _write_idx, lambda path: read_idx(str(path), path.read_bytes())),
    "npz": Kind(5_000, _write_npz, lambda path: read_npz(str(path), path.read_bytes(), ["x", "y"])),
}
EXPECTED = SymlossError
