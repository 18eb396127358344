"""`symloss list`: what there is to name."""

from pathlib import Path

import click

from symloss.cli.options import answer, json_option

KINDS = ("tasks", "grammars", "zoo", "slots", "operators", "searches", "runs")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option(
    "--in", "folder", show_default="runs", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where runs lie.",
)  # fmt: skip
@json_option
def list_command(kind: str, folder: Path | None, as_json: bool) -> None:
    """List tasks, grammars, zoo (published losses), slots, operators, searches or runs, and where each comes from."""
    from symloss.telling.listing import LISTINGS
    from symloss.telling.show import table

    rows = LISTINGS[kind](folder or Path("runs"))
    answer(rows, as_json, lambda: table(rows))
