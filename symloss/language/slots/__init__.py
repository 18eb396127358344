"""The table of slots: every place in training where a formula can be plugged in.

A new slot is one file here and one line in SLOTS.
"""

from symloss.language.slots.activation import ACTIVATION
from symloss.language.slots.base import FreeOutputs, FreeTest, Options, OutputLink, Probes, Response, Slot, Variable
from symloss.language.slots.classification import CLASSIFICATION
from symloss.language.slots.regression import REGRESSION

SLOTS: dict[str, Slot] = {slot.name: slot for slot in (CLASSIFICATION, REGRESSION, ACTIVATION)}

__all__ = ["SLOTS", "FreeOutputs", "FreeTest", "Options", "OutputLink", "Probes", "Response", "Slot", "Variable"]
