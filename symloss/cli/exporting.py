"""`symloss export`: a loss for others to use."""

from pathlib import Path
from typing import Any

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option

KINDS = ("torch", "loss", "latex", "sympy", "jax", "keras", "huggingface")
TABLE_KINDS = ("csv", "parquet")
TABLES = ("run", "candidates", "outcomes", "lineage", "measurements", "finals")


@click.command("export", cls=FormulaCommand)
@click.argument("target")
@click.option("--to", "kind", type=click.Choice(KINDS + TABLE_KINDS), required=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, or the folder; else stdout.")
@click.option(
    "--table", type=click.Choice(TABLES), default="run", show_default=True, help="Of a run, for csv and parquet."
)
@slot_option
@json_option
def export_command(target: str, kind: str, output: Path | None, table: str, slot: str | None, as_json: bool) -> None:
    """Write TARGET (a run, a loss file, a zoo name or a formula) for use elsewhere.

    torch, jax, keras: a Python file that needs that library alone. loss: a file for symloss.load. latex, sympy: the
    formula. huggingface: a folder with a model card, the loss and torch files and the evidence; it needs -o. csv,
    parquet: a run as a table, a row for each candidate; --table measurements has every raw number.
    """
    if kind in TABLE_KINDS:
        _export_table(target, kind, output, table, as_json)
        return
    from symloss.telling.export import EXPORTS, write_export
    from symloss.telling.target import find_target

    if output is None and kind not in EXPORTS:
        raise click.UsageError(f"--to {kind} writes several files; name their folder with -o.")
    found = find_target(target, slot)
    document: dict[str, Any] = {
        "name": found.name,
        "formula": found.formula.text,
        "to": kind,
        "file": output and str(output),
    }
    if output is None:
        text = EXPORTS[kind].write(found)
        answer(document | {"text": text}, as_json, lambda: text.rstrip("\n"))
        return
    written = write_export(found, kind, output)
    document |= {"files": [str(path) for path in written]}
    answer(document, as_json, lambda: "\n".join(f"wrote {path}" for path in written))


def _export_table(run: str, kind: str, output: Path | None, table: str, as_json: bool) -> None:
    from symloss.telling.export import check_writable
    from symloss.telling.runtable import table_columns, to_csv, write_table

    if output is None and kind == "parquet":
        raise click.UsageError("--to parquet writes no text; give a file with -o.")
    if output is None:
        columns = table_columns(run, table)
        answer({"table": table, "columns": columns}, as_json, lambda: to_csv(columns).rstrip("\r\n"))
        return
    check_writable(output)
    rows = write_table(run, table, kind, output)
    document = {"run": run, "table": table, "to": kind, "rows": rows, "file": str(output)}
    answer(document, as_json, lambda: f"wrote {output}: {rows} rows")
