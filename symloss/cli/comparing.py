"""`symloss compare`: several losses on one task, tuned and tried alike."""

import click

from symloss.cli.options import (
    FormulaCommand,
    address_option,
    answer,
    data_option,
    json_option,
    quiet_option,
    set_option,
    slot_option,
    workers_option,
)


@click.command("compare", cls=FormulaCommand)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--task", required=True, metavar="TASK", help="A task's name, file.py:function, or an experiment with one."
)
@click.option("--seeds", type=click.IntRange(2), default=12, show_default=True, help="Trainings of each loss.")
@workers_option
@address_option
@set_option
@data_option
@slot_option
@json_option
@quiet_option
def compare_command(
    targets: tuple[str, ...],
    task: str,
    seeds: int,
    workers: int | None,
    address: str | None,
    overrides: tuple[str, ...],
    slot: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train with each TARGET (runs, loss files, zoo names, formulas) and set the first against each other one.

    Each learning rate is tuned on validation data, then the test set is measured. A lone TARGET meets its slot's
    reference. Settings: --set task.noise=0.4, --set steps=600, --set learning_rates=[0.001,0.01], --set seed=3.
    """
    from symloss.running.session import Crew
    from symloss.telling.comparison import compare_targets
    from symloss.telling.progress import watching
    from symloss.telling.summary import finals_text

    changes = [f"seeds={seeds}", *overrides]
    with watching(quiet) as observer:
        names, finals = compare_targets(targets, task, changes, slot, Crew(workers, address), observer)
    if finals is None:
        raise click.Abort
    document = finals.document()
    answer(document, as_json, lambda: finals_text(document, names[0]))
