"""`symloss doctor`: what would break on this machine, and whether a run's files are whole."""

from pathlib import Path

import click

from symloss.cli.options import answer, json_option


@click.command("doctor")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--ray", "starts_ray", is_flag=True, help="Start Ray too, which takes some seconds.")
@json_option
def doctor_command(run: Path | None, starts_ray: bool, as_json: bool) -> None:
    """Look at this machine, and at RUN: versions, cores, memory, disks, clock, Ray; whether a run's files are whole.

    Of each finding it says what would break and what to do. Exit status: 0 when nothing would break, 1 otherwise.
    """
    from symloss.telling.doctor.doctor import examination_text, examine

    found = examine(run, starts_ray)
    answer(found.document(), as_json, lambda: examination_text(found))
    if not found.well:
        click.get_current_context().exit(1)
