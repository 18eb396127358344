"""A Python file that needs Keras 3 alone, on any of its backends: a function, and a `keras.losses.Loss` around it.

Arguments and reductions are Keras's: `loss(y_true, y_pred, sample_weight)`, `sum_over_batch_size` by default.
"""

from __future__ import annotations

import re

from symloss.telling.formula_source import Form, formula_source, import_lines, read_form
from symloss.telling.heading import class_name, docstring, function_name, heading
from symloss.telling.pycode import KERAS
from symloss.telling.target import Target

_IMPORTS = {
    "Any": "from typing import Any\n",
    "keras": "import keras",
    "ops": "from keras import ops",
}


def to_keras(target: Target) -> str:
    """Return the file's text.

    Raises:
        FormulaError: Keras has no form of the formula's slot, or none of its functions is numpy's or torch's own.
    """
    form = read_form("keras", target.formula.slot)
    used = {"formula", "keras", "ops", *re.findall(r"\w+", form.code)}
    name = function_name(target, used)
    # Two formulas of one name must not be taken for each other when a model is loaded.
    decorator = f'@keras.saving.register_keras_serializable(package="symloss_{target.formula.key[:8]}")\n'
    parts = [formula_source(target.formula, KERAS, "Any"), form.named(name, decorator).strip("\n")]
    if "y_true" in form.required:
        parts.append(decorator + _loss(form, name, class_name(name, used)))
    head = f'"""{docstring(heading(target))}"""\n\n{import_lines(_IMPORTS, "".join(parts))}'
    return "\n\n\n".join([head, *parts]) + "\n"


def _loss(form: Form, function: str, name: str) -> str:
    explained = [line for line in form.about.splitlines() if line.strip().split(":")[0] in form.options]
    config = _CONFIG.format(options=", ".join(f'"{option}": self.{option}' for option in form.options))
    parameters = [
        *(f"{option}={default}" for option, default in form.options.items()),
        'reduction="sum_over_batch_size"',
    ]
    return _LOSS.format(
        name=name,
        function=function,
        parameters="".join(
            f"\n        {parameter}," for parameter in [*parameters, f'name="{function}"', "dtype=None"]
        ),
        about="".join(f"\n    {line}" for line in explained),
        stores="".join(f"\n        self.{option} = {option}" for option in form.options),
        options="".join(f", self.{option}" for option in form.options),
        config=config if form.options else "",
    )


_LOSS = '''class {name}(keras.losses.Loss):
    """The formula as a Keras loss; see the function {function} for its inputs.

    Args:{about}
        reduction: `sum_over_batch_size`, `mean`, `mean_with_sample_weight`, `sum` or None.
        name: of the loss, in logs.
        dtype: of the computation; None for Keras's own.
    """

    def __init__(
        self,{parameters}
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype){stores}

    def call(self, y_true, y_pred):
        return {function}(y_true, y_pred{options}){config}'''

_CONFIG = """

    def get_config(self):
        return {{**super().get_config(), {options}}}"""
