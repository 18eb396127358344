"""A run as tables: every number of the store, in pandas, Arrow, CSV and Parquet alike, and plain words without them."""

import builtins
import csv
import io
import math

import pytest

import symloss
from symloss.errors import ExperimentError, RunError
from symloss.telling.runtable import TABLES, read_run, table_columns, to_csv, to_parquet
from tests.runs import EVIL, fitness_of, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "run", 60, rungs=(50, 100), text=lambda number: EVIL[number % 10])


def test_pandas_holds_the_store(run):
    tables = symloss.read_run(run)
    assert len(tables.candidates) == len(tables.outcomes) == len(tables.run) == 60
    joined = tables.candidates.merge(tables.outcomes, on="candidate")
    assert joined["fitness"].tolist() == pytest.approx(tables.run["fitness"].tolist(), nan_ok=True)
    row = tables.run.set_index("candidate").loc[57]
    assert row["fitness"] == pytest.approx(fitness_of(57, 60) - 0.01)
    assert (row["learning_rate"], row["state"], row["parents"]) == (0.01, "scored", "28 19")
    assert row["complexity"] == 6 + 57 % 9
    best = tables.run.sort_values("fitness", ascending=False).iloc[0]
    assert best["fitness"] == max(value for value in tables.run["fitness"] if not math.isnan(value))


def test_lineage_has_a_row_for_each_parent(run):
    lineage = symloss.read_run(run).lineage
    assert len(lineage) == 2 * 50
    assert lineage[lineage["candidate"] == 57][["parent", "place"]].values.tolist() == [[28, 0], [19, 1]]


def test_measurements_are_raw_and_whole(run):
    measured = symloss.read_run(run).measurements
    assert set(measured["step"]) == {50, 100}
    own = measured[(measured["candidate"] == 57) & (measured["step"] == 100)]
    assert own["value"].tolist() == pytest.approx([fitness_of(57, 60) - 0.01, fitness_of(57, 60) - 0.1])


def test_arrow_and_pandas_agree(run):
    pandas, arrow = read_run(run), read_run(run, to="arrow")
    for name in TABLES:
        frame, table = getattr(pandas, name), getattr(arrow, name)
        assert table.column_names == list(frame.columns)
        for column in table.column_names:
            values = frame[column].astype(object)
            assert table[column].to_pylist() == values.where(values.notna(), None).tolist()


@pytest.mark.parametrize("name", TABLES)
def test_csv_and_parquet_give_every_value_back(run, name):
    from pyarrow import BufferReader, parquet

    columns = table_columns(run, name)
    rows = list(csv.DictReader(io.StringIO(to_csv(columns), newline="")))
    assert len(rows) == len(next(iter(columns.values())))
    for column, values in columns.items():
        read = [row[column] for row in rows]
        kind = TABLES[name].columns[column]
        expected = ["" if value is None else value if kind == "text" else repr(value) for value in values]
        assert read == expected
    table = parquet.read_table(BufferReader(to_parquet(columns, name)))
    assert table.to_pydict() == columns


def test_columns_fit_their_kinds(run):
    kinds = {"whole": int, "real": (int, float), "text": str}
    for name, table in TABLES.items():
        for column, values in table_columns(run, name).items():
            assert all(value is None or isinstance(value, kinds[table.columns[column]]) for value in values)


def test_an_unknown_kind_names_the_nearest(run):
    with pytest.raises(ExperimentError, match="Did you mean 'pandas'"):
        read_run(run, to="panda")


def test_no_run_is_said(tmp_path):
    with pytest.raises(RunError, match="is no run directory"):
        read_run(tmp_path)


@pytest.mark.parametrize(("to", "library"), [("pandas", "pandas"), ("arrow", "pyarrow")])
def test_without_the_library_it_says_what_to_install(run, monkeypatch, to, library):
    real = builtins.__import__

    def without(name, *rest, **others):
        if name.split(".")[0] == library:
            raise ImportError(name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExperimentError, match=rf"needs {library}; install it with: pip install 'symloss\[tables\]'"):
        read_run(run, to=to)
    if library == "pyarrow":
        with pytest.raises(ExperimentError, match=r"symloss\[tables\]"):
            to_parquet({}, "run")


def test_an_empty_run_has_empty_tables(tmp_path):
    tables = read_run(make_run(tmp_path / "empty", 0))
    assert all(len(getattr(tables, name)) == 0 for name in TABLES)
    assert list(tables.outcomes.columns) == list(TABLES["outcomes"].columns)
