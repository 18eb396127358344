"""The table of slots: every place in training where a formula can be plugged in.

A new slot is one file here and one line in SLOTS.
"""

from symloss import plugins
from symloss.language.slots.activation import ACTIVATION
from symloss.language.slots.base import FreeOutputs, FreeTest, Options, OutputLink, Probes, Response, Slot, Variable
from symloss.language.slots.classification import CLASSIFICATION
from symloss.language.slots.regression import REGRESSION

SLOTS: dict[str, Slot] = {slot.name: slot for slot in (CLASSIFICATION, REGRESSION, ACTIVATION)}


def adopt_slot(name: str) -> None:
    """Let a package that offers a slot of this name add it to SLOTS, see `plugins.adopt`."""
    plugins.adopt("slots", SLOTS, name, plugins.record_of(Slot, lambda record: record.name))


__all__ = [
    "SLOTS",
    "FreeOutputs",
    "FreeTest",
    "Options",
    "OutputLink",
    "Probes",
    "Response",
    "Slot",
    "Variable",
    "adopt_slot",
]
