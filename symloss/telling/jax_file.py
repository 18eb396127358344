"""A Python file that needs JAX alone: the loss as a pure function, for `jax.jit`, `jax.grad` and `jax.vmap`."""

from __future__ import annotations

import re

from symloss.telling.formula_source import formula_source, import_lines, read_form
from symloss.telling.heading import docstring, function_name, heading
from symloss.telling.pycode import JAX
from symloss.telling.target import Target

_IMPORTS = {
    "Any": "from typing import Any\n",
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "Array": "from jax import Array",
}


def to_jax(target: Target) -> str:
    """Return the file's text.

    Raises:
        FormulaError: JAX has no form of the formula's slot, or none of its functions is numpy's or torch's own.
    """
    form = read_form("jax", target.formula.slot)
    formula = formula_source(target.formula, JAX, "Array")
    code = form.named(function_name(target, {"formula", "jax", "jnp", *re.findall(r"\w+", form.code)}))
    imports = import_lines(_IMPORTS, formula + code)
    return "\n\n\n".join([f'"""{docstring(heading(target))}"""\n\n{imports}', formula, code.strip("\n")]) + "\n"
