"""`symloss check`: what a file says, whether it can be run, and what it would cost."""

import click

from symloss.cli.options import answer, data_option, json_option, set_option


@click.command("check")
@click.argument("file")
@click.option("--workers", type=click.IntRange(0), help="Estimate for so many workers; else one per core.")
@set_option
@data_option
@json_option
def check_command(file: str, workers: int | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Validate FILE, an experiment or a grammar, and estimate the cost by a short measurement.

    A task of your own is made and trained for a few steps, so its file is run.
    """
    from symloss.telling.preview import preview, preview_text

    document = preview(file, overrides, workers)
    answer(document, as_json, lambda: preview_text(document))
