"""A report as one HTML page: parts filled into templates, scripts and styles inside it, and nothing else let in.

The page's policy allows its own style and its own script by their hashes, no network, and no other code; all texts of
the run are escaped by the template engine, and data travels as JSON.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from symloss import __version__
from symloss.errors import visible_lines
from symloss.telling.progress import duration
from symloss.telling.report.choice import MOST
from symloss.telling.report.material import Material
from symloss.telling.report.payload import as_json, payload
from symloss.telling.report.sample import BYTES
from symloss.telling.report.sections import SECTIONS, Draft
from symloss.telling.show import cell, shorten

LARGEST = 500_000  # bytes of a page
REFRESH = 15  # seconds after which an open page of a running search looks again
_SHARES = (1.0, 0.5, 0.25, 0.1, 0.0)  # of the candidates that a page holds, until it is small enough

_HERE = Path(__file__).parent
_STYLES = ("vendor/uplot/uPlot.min.css", "page.css")
_LICENCES = ("vendor/uplot/LICENSE",)  # goes with every copy of the library
_SCRIPTS = ("vendor/uplot/uPlot.iife.min.js", "page.js")


def page(material: Material) -> str:
    """Return a run's report as HTML of less than 500,000 bytes."""
    for share in _SHARES:
        text = _filled(Draft(material, int(MOST * share), int(BYTES * share)))
        if len(text.encode()) < LARGEST:
            break
    return text


def _filled(draft: Draft) -> str:
    environment = _environment()
    parts: list[tuple[str, str, Markup]] = []
    for name, section in SECTIONS.items():
        values = section.values(draft)
        if values is not None:
            filled = environment.get_template(f"{name}.html").render(values, material=draft.material)
            parts.append((name, section.title, Markup(filled)))
    style, script = _joined(_STYLES), f"/*\n{_joined(_LICENCES)}*/\n{_joined(_SCRIPTS)}"
    return environment.get_template("page.html").render(
        name=draft.material.facts["name"],
        parts=parts,
        live=draft.material.live,
        refresh=REFRESH,
        written=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(draft.material.read_at)),
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=as_json(payload(draft)),
        version=__version__,
    )


@functools.cache
def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": cell, "duration": duration, "shorten": shorten, "count": _count}
    return environment


def _finalize(value: Any) -> Any:
    """Show control characters as escapes, but for line ends; markup is our own and stays."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible_lines(value)
    return value


def _count(number: int) -> Markup:
    """Write a whole number with narrow spaces between its thousands."""
    return Markup("&#8239;").join(f"{number:,}".split(","))
