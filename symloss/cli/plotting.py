"""`symloss plot`: a picture of what a loss asks for."""

from pathlib import Path

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option


@click.command("plot", cls=FormulaCommand)
@click.argument("target")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .png, .svg or .pdf."
)
@click.option("--against", multiple=True, metavar="TARGET", help="Draw this beside it; may be repeated.")
@click.option("--classes", type=click.IntRange(2), default=10, show_default=True, help="Number of classes.")
@slot_option
@json_option
def plot_command(
    target: str, output: Path, against: tuple[str, ...], classes: int, slot: str | None, as_json: bool
) -> None:
    """Draw value and gradient of TARGET over the true class's probability, beside the slot's reference loss."""
    from symloss.telling.plot import draw, drawn_targets
    from symloss.telling.target import find_target

    targets = drawn_targets(find_target(target, slot), [find_target(each, slot) for each in against])
    draw(targets, output, classes)
    document = {"file": str(output), "drawn": [{"name": each.name, "formula": each.formula.text} for each in targets]}
    answer(document, as_json, lambda: f"wrote {output}: {', '.join(each.name for each in targets)}")
