"""`symloss export`: a loss for others to use."""

from pathlib import Path

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option

KINDS = ("torch", "loss", "latex", "sympy")
TABLE_KINDS = ("csv", "parquet")
TABLES = ("run", "candidates", "outcomes", "lineage", "measurements", "finals")


@click.command("export", cls=FormulaCommand)
@click.argument("target")
@click.option("--to", "kind", type=click.Choice(KINDS + TABLE_KINDS), required=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; else stdout.")
@click.option(
    "--table", type=click.Choice(TABLES), default="run", show_default=True, help="Of a run, for csv and parquet."
)
@slot_option
@json_option
def export_command(target: str, kind: str, output: Path | None, table: str, slot: str | None, as_json: bool) -> None:
    """Write TARGET (a run, a loss file, a zoo name or a formula) for use elsewhere.

    torch: a Python file that needs torch alone. loss: a file for symloss.load. latex, sympy: the formula. csv, parquet:
    a run as a table, a row for each candidate; --table measurements has every raw number.
    """
    if kind in TABLE_KINDS:
        _export_table(target, kind, output, table, as_json)
        return
    from symloss.language.files import write_whole
    from symloss.telling.export import EXPORTS
    from symloss.telling.target import find_target

    found = find_target(target, slot)
    text = EXPORTS[kind].write(found)
    document = {"name": found.name, "formula": found.formula.text, "to": kind, "file": output and str(output)}
    if output is None:
        answer(document | {"text": text}, as_json, lambda: text.rstrip("\n"))
        return
    _check_writable(output)
    write_whole(output, text)
    answer(document, as_json, lambda: f"wrote {output}")


def _check_writable(output: Path) -> None:
    from symloss.errors import RunError

    if not output.parent.is_dir():
        raise RunError(f"{output.parent} is no directory; make it, or give another file.")
    if output.is_symlink() or (output.exists() and not output.is_file()):
        # Writing a file whole means to replace it, which must happen to no link, pipe or device.
        raise RunError(f"{output} is a link or no regular file; give a new file, or leave -o out for stdout.")


def _export_table(run: str, kind: str, output: Path | None, table: str, as_json: bool) -> None:
    from symloss.telling.runtable import table_columns, to_csv, write_table

    if output is None and kind == "parquet":
        raise click.UsageError("--to parquet writes no text; give a file with -o.")
    if output is None:
        columns = table_columns(run, table)
        answer({"table": table, "columns": columns}, as_json, lambda: to_csv(columns).rstrip("\r\n"))
        return
    _check_writable(output)
    rows = write_table(run, table, kind, output)
    document = {"run": run, "table": table, "to": kind, "rows": rows, "file": str(output)}
    answer(document, as_json, lambda: f"wrote {output}: {rows} rows")
