"""The evidence of a loss file as text and as Markdown: whatever it holds, by shape alone.

Facts become lines and lists of records become tables; a stranger's texts are escaped, never interpreted.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symloss.errors import visible
from symloss.telling.show import cell, shorten, table

Record = dict[str, Any]

_LONGEST = 2000  # characters of one fact
_CELL = 240  # characters of one cell
_DEPTH = 6  # records within records that are told apart


def evidence_text(evidence: Mapping[str, Any], width: int) -> str:
    """Lay evidence out as plain text.

    Args:
        width: columns that a line takes at most, but for a table's first column.

    Example:
        >>> evidence_text({"verdict": "beats mse", "finals": {"seeds": 12}}, 80)
        'verdict: beats mse\\nfinals seeds: 12'
    """
    facts, tables = _sorted_out(evidence)
    lines = [
        textwrap.fill(f"{key}: {value}", width, subsequent_indent="    ", break_on_hyphens=False)
        for key, value in facts.items()
    ]
    drawn = [table(rows, key, width) for key, rows in tables.items()]
    return "\n\n".join(filter(None, ["\n".join(lines), *drawn]))


def evidence_markdown(evidence: Mapping[str, Any]) -> str:
    """Lay evidence out as Markdown: a list of facts, and a table under a heading for each list of records."""
    facts, tables = _sorted_out(evidence)
    listed = "\n".join(f"- {markdown(key)}: {markdown(value)}" for key, value in facts.items())
    drawn = [f"### {markdown(key)}\n\n{markdown_table(rows)}" for key, rows in tables.items()]
    return "\n\n".join(filter(None, [listed, *drawn]))


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out as a Markdown table; its columns are all keys of all rows."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[markdown(shorten(cell(row.get(column)), _CELL)) for column in columns] for row in rows]
    head = [[markdown(column) for column in columns], *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in head)


def markdown(text: str) -> str:
    """Escape a text so that Markdown shows it as it is, on one line.

    Example:
        >>> markdown("t*<b>|")
        't\\\\*&lt;b&gt;\\\\|'
    """
    plain = html.escape(visible(text.replace("\n", " ")), quote=False)
    return "".join(f"\\{sign}" if sign in "\\`*_[]|#" else sign for sign in plain)


def _sorted_out(evidence: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, list[Record]]]:
    """Part evidence into facts, as texts, and tables."""
    facts: dict[str, str] = {}
    tables: dict[str, list[Record]] = {}
    for key, value in flattened(evidence):
        if _is_table(value):
            tables[key] = [dict(flattened(row)) for row in value]
        else:
            facts[key] = shorten(visible(cell(value)), _LONGEST)
    return facts, tables


def flattened(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Walk through a record; what lies in records within it has the names of both: `test accuracy`."""
    for key, value in record.items():
        name = visible(f"{prefix} {key}".strip())
        if isinstance(value, Mapping) and value and depth < _DEPTH:
            yield from flattened(value, name, depth + 1)
        else:
            yield name, value


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)
