"""The safe parser of formulas that people and files write: text to a settled expression, a caret under a mistake.

It knows numbers, the slot's variables, the operators' names, + - * / ** and brackets; nothing in a text can run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy

from symloss.errors import FormulaError, closest
from symloss.language.algebra import apply, constant, product, total
from symloss.language.operators import OPERATORS, adopt_operator

MAX_LENGTH = 4096  # characters
MAX_WORDS = 384  # numbers and names; a formula of the largest size has at most 256
MAX_DEPTH = 48  # brackets and signs inside each other
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>\*\*|[-+*/(),]))"
)


@dataclass(frozen=True)
class Token:
    """A word of a formula: its kind (`number`, `name`, `sign` or `end`), its text, and where it starts."""

    kind: str
    text: str
    position: int


def parse_expression(text: str, symbols: Mapping[str, sympy.Symbol]) -> sympy.Expr:
    """Parse a formula.

    Args:
        text: at most 4,096 characters, e.g. `-t*log(p)` or `(1 - p**0.7)/0.7`.
        symbols: the variables that it may use.

    Raises:
        FormulaError: the text is too long or deep, is no formula, names something unknown, or is undefined everywhere.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"formula: {len(text)} characters are too many. Allowed: {MAX_LENGTH}. It starts with '{text[:40]}'."
        )
    return _Parser(text, symbols).parse()


class _Parser:
    """Recursive descent over the tokens; sums and products are collected whole before sympy sees them."""

    def __init__(self, text: str, symbols: Mapping[str, sympy.Symbol]) -> None:
        self.text = text
        self.symbols = symbols
        self.tokens = self._tokens()
        self.depth = 0
        self._check_words()

    def parse(self) -> sympy.Expr:
        expr = self._sum()
        if self._token.kind != "end":
            raise self._error(f"unexpected '{self._token.text}'. Expected an operator or the end")
        return expr

    @property
    def _token(self) -> Token:
        return self.tokens[0]

    def _next(self) -> Token:
        return self.tokens.pop(0)

    def _tokens(self) -> list[Token]:
        tokens, position = [], 0
        while self.text[position:].strip():
            match = _TOKEN.match(self.text, position)
            if match is None:
                position += len(self.text[position:]) - len(self.text[position:].lstrip())
                hint = " Powers are written **." if self.text[position] == "^" else ""
                words = f"unexpected {self.text[position]!r}. Formulas hold numbers, names, + - * / ** ( ) and commas"
                raise self._error(words + hint, position)
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind)))
            position = match.end()
        return [*tokens, Token("end", "the end", len(self.text.rstrip()))]

    def _check_words(self) -> None:
        words = [token for token in self.tokens if token.kind in ("number", "name")]
        if len(words) > MAX_WORDS:
            message = f"{len(words)} numbers and names are too many. Allowed: {MAX_WORDS}"
            raise self._error(message, words[MAX_WORDS].position)

    def _takes(self, *signs: str) -> str:
        return self._next().text if self._token.kind == "sign" and self._token.text in signs else ""

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._error(f"unexpected {self._shown()}. Expected '{sign}'")

    def _sum(self) -> sympy.Expr:
        terms = [self._product()]
        while sign := self._takes("+", "-"):
            term = self._product()
            terms.append(term if sign == "+" else self._negative(term))
        return self._guarded(lambda: total(terms))

    def _product(self) -> sympy.Expr:
        factors = [self._signed()]
        while sign := self._takes("*", "/"):
            factor = self._signed()
            factors.append(factor if sign == "*" else self._applied("pow", [factor, sympy.Integer(-1)]))
        return self._guarded(lambda: product(factors))

    def _signed(self) -> sympy.Expr:
        sign = self._takes("+", "-")
        if not sign:
            return self._power()
        self._deeper()
        value = self._signed()
        self.depth -= 1
        return value if sign == "+" else self._negative(value)

    def _power(self) -> sympy.Expr:
        base = self._atom()
        if not self._takes("**"):
            return base
        self._deeper()
        exponent = self._signed()
        self.depth -= 1
        return self._applied("pow", [base, exponent])

    def _atom(self) -> sympy.Expr:
        token = self._next() if self._token.kind != "end" else self._token
        if token.kind == "number":
            return self._number(token)
        if token.kind == "name":
            return self._call(token) if self._token.text == "(" else self._variable(token)
        if token.text == "(":
            return self._bracketed()
        raise self._error(
            f"unexpected {self._shown(token)}. Expected a number, a variable, a function or '('", token.position
        )

    def _bracketed(self) -> sympy.Expr:
        self._deeper()
        expr = self._sum()
        self._expect(")")
        self.depth -= 1
        return expr

    def _number(self, token: Token) -> sympy.Expr:
        whole = token.text.isdigit()
        if whole and len(token.text) > 400:
            raise self._error("a number with more than 400 digits. Use one in float32's range", token.position)
        value = int(token.text) if whole else float(token.text)
        return self._guarded(lambda: constant(value), token.position)

    def _variable(self, token: Token) -> sympy.Expr:
        if token.text in self.symbols:
            return self.symbols[token.text]
        words = (
            "is an operator: write its arguments in brackets" if token.text in OPERATORS else "is not a variable here"
        )
        near, known = closest(token.text, self.symbols), ", ".join(self.symbols)
        raise self._error(f"'{token.text}' {words}.{near} Variables: {known}", token.position)

    def _call(self, token: Token) -> sympy.Expr:
        if token.text not in OPERATORS:
            adopt_operator(token.text)
        if token.text not in OPERATORS:
            near, known = closest(token.text, OPERATORS), ", ".join(sorted(OPERATORS))
            raise self._error(f"unknown function '{token.text}'.{near} Known: {known}", token.position)
        arguments = self._arguments()
        arity = OPERATORS[token.text].arity
        if len(arguments) != arity:
            words = f"{token.text} takes {arity} argument{'s' * (arity > 1)}, got {len(arguments)}"
            raise self._error(words, token.position)
        return self._applied(token.text, arguments, token.position)

    def _arguments(self) -> list[sympy.Expr]:
        self._expect("(")
        self._deeper()
        arguments = [self._sum()]
        while self._takes(","):
            arguments.append(self._sum())
        self._expect(")")
        self.depth -= 1
        return arguments

    def _negative(self, value: sympy.Expr) -> sympy.Expr:
        return self._guarded(lambda: product([sympy.Integer(-1), value]))

    def _applied(self, operator: str, arguments: list[sympy.Expr], position: int | None = None) -> sympy.Expr:
        return self._guarded(lambda: apply(operator, arguments), position)

    def _guarded(self, make: Callable[[], sympy.Expr], position: int | None = None) -> sympy.Expr:
        place = max(self._token.position - 1, 0) if position is None else position
        try:
            return make()
        except FormulaError as error:
            raise self._error(str(error).removeprefix("formula: ").rstrip("."), place) from error

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} brackets, functions, powers and signs inside each other")

    def _shown(self, token: Token | None = None) -> str:
        token = token or self._token
        return "end" if token.kind == "end" else f"'{token.text}'"

    def _error(self, words: str, position: int | None = None) -> FormulaError:
        place = self._token.position if position is None else position
        start = max(0, place - 60)
        shown = "".join(c if c.isprintable() else "?" for c in self.text[start : place + 60])
        return FormulaError(f"formula, column {place + 1}: {words}.\n    {shown}\n    {' ' * (place - start)}^")
