"""`symloss report`: a run as one HTML file."""

from pathlib import Path

import click

from symloss.cli.options import answer, json_option


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; else report.html in RUN."
)
@json_option
def report_command(run: Path, output: Path | None, as_json: bool) -> None:
    """Write the report of RUN, a run directory: one HTML file that needs no network.

    `symloss search` writes it too, and keeps it up to date while it runs: open it, and leave it open.
    """
    from symloss.telling.report.report import write_report

    report = write_report(run, output)
    document = {
        "file": str(report.file),
        "bytes": report.size,
        "candidates": report.candidates,
        "running": report.live,
    }
    answer(document, as_json, lambda: f"wrote {report.file}: {report.candidates} candidates, {report.size} bytes")
