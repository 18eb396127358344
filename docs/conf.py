"""How the documentation is built: `make docs` turns the pages beside this file into build/docs."""

import sys
from pathlib import Path

import symloss

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import gallery  # noqa: E402 - it lies beside this file

project = "symloss"
author = "the symloss authors"
release = version = symloss.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_gallery"]

# In docstrings `x` is code, as everybody writes it.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True

html_theme = "furo"
html_title = "symloss"
html_extra_path: list[str] = []


def setup(app: object) -> None:
    """Draw the gallery before the pages are read: it shows what the zoo holds now."""
    gallery.write(HERE)
