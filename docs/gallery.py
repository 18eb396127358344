"""Writes the gallery page: every formula of the zoo with what can be said of it, and its curves."""

from pathlib import Path

from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis import TRAITS
from symloss.telling.mathml import mathml
from symloss.telling.plot import draw, drawn_targets
from symloss.telling.show import describe_formula
from symloss.telling.target import find_target

HEAD = """# Gallery

Every published formula that symloss knows, drawn by `symloss plot NAME` beside its slot's reference: on the left the
value above its minimum, on the right the gradient that training follows. Losses are divided by their first step,
because each trains at a learning rate of its own; [how to read a formula](reading.md) says what the words mean. This
page is made from the zoo itself whenever the documentation is built.
"""


def write(folder: Path) -> None:
    """Write `gallery.md` and its pictures below a folder; what is there already and fits is left alone."""
    pictures = folder / "_gallery"
    pictures.mkdir(exist_ok=True)
    parts = [HEAD]
    for slot in SLOTS.values():
        names = [name for name, entry in ZOO.items() if entry.slot == slot.name]
        parts.append(f"## {slot.name.capitalize()}\n\n{slot.about[0].upper()}{slot.about[1:]}.\n")
        parts += [_entry(name, pictures) for name in names]
    page = "\n".join(parts)
    path = folder / "gallery.md"
    if not path.exists() or path.read_text(encoding="utf-8") != page:
        path.write_text(page, encoding="utf-8")


def _entry(name: str, pictures: Path) -> str:
    picture = pictures / f"{name}-{zoo[name].key}.svg"
    if not picture.exists():
        draw(drawn_targets(find_target(name)), picture, classes=10)
    told = describe_formula(find_target(name))
    facts = "".join(
        f"- {TRAITS[key].label.replace('*', chr(92) + '*')}: {trait['words']}\n"
        for key, trait in told["traits"].items()
    )
    entry = ZOO[name]
    # MathML: browsers show it without a script from somewhere else.
    shown = f"```{{raw}} html\n<p>{mathml(zoo[name].node, zoo[name].text)}</p>\n```"
    return (
        f"### {name}\n\n{entry.about[0].upper()}{entry.about[1:]}. {entry.source}.\n\n{shown}\n\n"
        f"`{told['formula']}`\n\n- complexity: {told['complexity']} nodes\n{facts}\n"
        f"![Value and gradient of {name}](_gallery/{picture.name})\n"
    )
