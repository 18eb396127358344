"""Tables as HTML, for notebooks: every text is escaped, so that a stranger's shows as what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Math:
    """A text in LaTeX, shown as a formula."""

    latex: str


@dataclass(frozen=True)
class Shown:
    """Something that a notebook shows as HTML, and a console as text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table_html(rows: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Return rows as a table; its columns are all keys of all rows.

    Example:
        >>> table_html([{"name": "a < b"}])
        '<table><thead><tr><th>name</th></tr></thead><tbody><tr><td>a &lt; b</td></tr></tbody></table>'
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(cell_html(row.get(name)) for name in columns)}</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def fields_html(pairs: Sequence[tuple[str, Any]]) -> str:
    """Return pairs of a label and its value as a table without a head."""
    rows = "".join(f"<tr><th>{escape(label)}</th>{cell_html(value)}</tr>" for label, value in pairs)
    return f"<table><tbody>{rows}</tbody></table>"


def cell_html(value: Any) -> str:
    """Return one cell; numbers at four significant digits stand right, Math is left to the notebook's own MathJax."""
    if value is None:
        return "<td></td>"
    if isinstance(value, Math):
        return f"<td>${escape(value.latex, quote=False)}$</td>"
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f'<td style="text-align: right">{value:.4g}</td>'
    return f'<td style="text-align: left">{escape(str(value))}</td>'
