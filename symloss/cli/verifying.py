"""`symloss verify`: whether a loss file's evidence holds."""

from pathlib import Path

import click

from symloss.cli.options import address_option, answer, data_option, json_option, quiet_option, workers_option


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--task", metavar="TASK", help="Your copy of the task, file.py:function, where it is not a built-in one.")
@click.option("--quick", is_flag=True, help="Train 3 of the seeds, at the recorded learning rates.")
@workers_option
@address_option
@data_option
@json_option
@quiet_option
def verify_command(
    file: Path, task: str | None, quick: bool, workers: int | None, address: str | None, as_json: bool, quiet: bool
) -> None:
    """Make the table again that FILE, a loss file or a run, carries as its evidence, and say whether it holds.

    No code of the file is run. Equal to the last bit is asked for where versions and kind of machine are the record's,
    elsewhere within chance. Exit status: 0 it holds, 1 it does not, 2 it cannot be tried here.
    """
    from symloss.running.session import Crew
    from symloss.telling.progress import watching
    from symloss.telling.verification import verification_text, verify_file

    with watching(quiet) as observer:
        verification = verify_file(file, task, quick, Crew(workers, address), observer)
    if verification is None:
        raise click.Abort
    answer(verification, as_json, lambda: verification_text(verification))
    if not verification.holds:
        click.get_current_context().exit(1)
