"""A folder in the style of the Hugging Face Hub: a model card, the loss file, the torch file and the evidence."""

from __future__ import annotations

import json

from symloss import __version__
from symloss.language.files import plain
from symloss.language.slots import SLOTS
from symloss.telling.analysis import CLASSES, TRAITS, traits
from symloss.telling.evidence import evidence_markdown, markdown, markdown_table
from symloss.telling.heading import function_name
from symloss.telling.target import Target
from symloss.telling.torch_file import torch_names

CARD = "README.md"  # the Hub shows it


def model_card(target: Target) -> str:
    """Return the card: metadata, the formula and what it does, how to use it, and all the evidence that there is."""
    formula, name = target.formula, function_name(target)
    slot = SLOTS[formula.slot]
    parts = [
        _metadata(formula.slot),
        f"# {markdown(target.name)}",
        f"A symbolic formula for the slot {formula.slot}: {slot.about}.",
        f"```text\n{formula.text}\n```",
        f"$$\n{formula.latex()}\n$$",
        markdown_table([{"variable": each.name, "is": each.meaning} for each in slot.variables]),
        *([f"Source: {markdown(target.source)}."] if target.source else []),
        f"## What it does\n\n{_behaviour(target)}",
        f"## Use\n\n{_USE.format(name=name, module=torch_names(target)[1])}",
        f"## Evidence\n\n{evidence_markdown(target.evidence) or _NONE}",
        f"## Limits\n\n{_LIMITS}",
        f"Written by symloss {__version__}.",
    ]
    return "\n\n".join(parts) + "\n"


def evidence_json(target: Target) -> str:
    """Return the evidence as JSON, as the loss file holds it."""
    return json.dumps(plain(dict(target.evidence)), indent=2) + "\n"


def _metadata(slot: str) -> str:
    tags = ["symloss", "pytorch", "symbolic", "activation-function" if slot == "activation" else "loss-function", slot]
    return "\n".join(["---", "library_name: symloss", "tags:", *(f"- {tag}" for tag in tags), "---"])


def _behaviour(target: Target) -> str:
    facts = [f"- complexity: {target.formula.complexity} nodes"]
    found = traits(target.formula, CLASSES)
    facts += [f"- {markdown(TRAITS[name].label)}: {markdown(each.words)}" for name, each in found.items()]
    return "\n".join(facts)


_NONE = "None: this formula has not been tried by a run of symloss."

_USE = """With symloss; reading a loss file runs no code:

```python
import symloss

loss = symloss.load("{name}.loss.json")
```

With torch alone, as `{name}.py` lies in this folder:

```python
from {name} import {module}

loss = {module}()
```"""

_LIMITS = """The evidence is that of one task. On another the formula may be worse than the usual choice: try it there
against tuned baselines before you use it."""
