"""`symloss show`: everything that is known of a run or a formula."""

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option


@click.command("show", cls=FormulaCommand)
@click.argument("target")
@click.option("--classes", type=click.IntRange(2), default=10, show_default=True, help="Number of classes.")
@slot_option
@json_option
def show_command(target: str, classes: int, slot: str | None, as_json: bool) -> None:
    """Show TARGET: a run directory, a loss file, a zoo name, or a formula such as "-t*log(p)".

    A formula: LaTeX, complexity, and what it drives a model to. A run: outcomes, front, finals and winner.
    """
    from symloss.telling.show import describe_formula, formula_text
    from symloss.telling.target import check_slot, find_target, is_run

    if is_run(target):
        from symloss.telling.summary import run_text, summarise_run

        summary = summarise_run(target, classes)
        check_slot(target, summary["slot"], slot)
        answer(summary, as_json, lambda: run_text(summary))
        return
    document = describe_formula(find_target(target, slot), classes)
    answer(document, as_json, lambda: formula_text(document))
