"""`symloss transfer`: how far a formula generalises."""

from pathlib import Path

import click

from symloss.cli.options import (
    FormulaCommand,
    address_option,
    answer,
    data_option,
    json_option,
    quiet_option,
    set_option,
    workers_option,
)
from symloss.notices import to_stderr


@click.command("transfer", cls=FormulaCommand)
@click.argument("target")
@click.option(
    "--tasks", required=True, metavar="TASKS", help="digits,digits:noise=0.2,hidden=[32],mine.py:task or tasks.toml."
)
@click.option("--against", multiple=True, metavar="TARGET", help="Try this beside it, the first is the reference.")
@click.option("--seeds", type=click.IntRange(2), default=12, show_default=True, help="Trainings of each loss and task.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The picture: .png, .svg, .pdf.")
@workers_option
@address_option
@set_option
@data_option
@json_option
@quiet_option
def transfer_command(
    target: str,
    tasks: str,
    against: tuple[str, ...],
    seeds: int,
    out: Path | None,
    output: Path | None,
    workers: int | None,
    address: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Try TARGET (a run, a loss file, a zoo name or a formula) on tasks that it was not searched on.

    On each task the learning rates of all losses are tuned alike on validation data, with fresh seeds; then the test
    set is measured. One table and one picture of the differences to the reference; results are kept beside the run,
    and the same command goes on after Ctrl-C. Settings: --set steps=600, --set learning_rates=[0.001,0.01].
    """
    from symloss.running.session import Crew
    from symloss.telling.progress import watching
    from symloss.telling.transfer import result_folder, transfer_target, transfer_text

    changes = [f"seeds={seeds}", *overrides]
    with watching(quiet) as observer:
        found = transfer_target(target, tasks, against, changes, out, output, Crew(workers, address), observer)
    if found is None:
        to_stderr("stopped; the same command goes on where it was")
        raise click.Abort
    answer(found.document(), as_json, lambda: transfer_text(found, result_folder(target, out)))
