"""Ways to damage a file: bytes, words, and the places in a document where a stranger would put something else."""

import json
import random
from typing import Any

NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, 5e-324, -0.0, "", "\x00", "\ud800",
    "\U0001f600", "x" * 5000, "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "__import__('os').system('true')", [], {},
    [[]], {"": {}}, [None], {"a": None}, "nan", "inf", "1e999", "$(true)", "-t*log(p)", "<script>alert(1)</script>",
]  # fmt: skip
WORDS = [
    b"{", b"}", b"[", b"]", b'"', b"'", b",", b":", b"=", b"\n", b"\\", b"\\u0000", b"\\ud800", b"\x00", b"\xff",
    b"\xef\xbb\xbf", b"\xc0\x80", b"1e400", b"-1e400", b"NaN", b"Infinity", b"9" * 400, b"9" * 5000, b"0.", b".",
    b"true", b"null", b"#", b"(", b")", b"**", b"/0", b"log(", b"exp(", b"**(9**9**9)", b"t*p", b"-" * 300, b"(" * 300,
    b"[" * 3000, b"{\"a\":" * 3000, b"a." * 300, b"[[a]]\n", b"1_000", b"0x10", b"1979-05-27", b'"""', b"p**p**",
    b"sqrt(", b"1" + b"0" * 300, b"1e308*1e308", b"\xe2\x80\xae", b"\r", b"\t", b"import os", b"__class__", b"I", b"oo",
]  # fmt: skip


def damage(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Return a text with one to a few changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(CHANGES)(rng, data, others)
    return data[: 2**18]


def _flip(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _word(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(WORDS) + data[at + rng.choice((0, 0, 1, 5)) :]


def _cut(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    low, high = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:low] if rng.random() < 0.3 else data[:low] + data[high:]


def _repeat(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    low = rng.randrange(len(data) + 1)
    piece = data[low : low + rng.choice((1, 5, 40))]
    return data[:low] + piece * rng.choice((2, 10, 500)) + data[low:]


def _splice(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _number(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    places = [at for at, byte in enumerate(data) if 48 <= byte < 58]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + rng.choice((b"0", b"-1", b"1e9", b"1e400", b"99999999999999999999", b"0.5")) + data[at + 1 :]


CHANGES = (_flip, _word, _cut, _repeat, _splice, _number)


def changed(rng: random.Random, document: Any) -> Any:
    """Return a JSON document with one of its values, keys or items replaced, dropped, doubled or nested."""
    if isinstance(document, dict) and document and rng.random() < 0.85:
        key = rng.choice(list(document))
        if rng.random() < 0.15:
            return {name: value for name, value in document.items() if name != key}
        if rng.random() < 0.1:
            return {**document, str(rng.choice(NASTY)): rng.choice(NASTY)}
        return {**document, key: changed(rng, document[key])}
    if isinstance(document, list) and document and rng.random() < 0.85:
        at = rng.randrange(len(document))
        return [*document[:at], changed(rng, document[at]), *document[at + rng.choice((1, 1, 0)) :]]
    return nested(rng) if rng.random() < 0.1 else rng.choice(NASTY)


def nested(rng: random.Random) -> Any:
    """Return a value deep within lists and tables."""
    value: Any = rng.choice(NASTY)
    for _ in range(rng.choice((5, 50, 400))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def json_bytes(document: Any) -> bytes:
    """Write a document as JSON, whatever it holds."""
    return json.dumps(document).encode("utf-8", "surrogatepass")
