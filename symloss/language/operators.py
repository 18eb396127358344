"""The operators that formulas are made of: one frozen record each, with every face that the engine needs.

An operator means its name: `log` gives NaN outside the logarithm's domain; protected kin have names of their own.
"""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from sympy import Basic, Expr  # the record has a field called sympy

from symloss import plugins
from symloss.language.extremes import larger, smaller

PROTECTION = 1e-7  # the smallest argument that protected operators let through (EvoMAL, arXiv:2209.08907)


class sigmoid(sympy.Function):  # type: ignore[misc]  # noqa: N801 - sympy functions are named as they print
    """1/(1 + exp(-x)), kept whole because its expanded form gives NaN gradients at large negative x."""

    nargs = 1
    is_real = True
    is_positive = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative, s (1 - s)."""
        return self * (1 - self)

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return (1 / (1 + sympy.exp(-self.args[0])))._eval_evalf(prec)


class softplus(sympy.Function):  # type: ignore[misc]  # noqa: N801
    """log(1 + exp(x)), kept whole because its expanded form overflows at large x."""

    nargs = 1
    is_real = True
    is_positive = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative, sigmoid(x)."""
        return sigmoid(self.args[0])

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return sympy.log(1 + sympy.exp(self.args[0]))._eval_evalf(prec)


def logistic(x: Any) -> Any:
    """Return 1 / (1 + e**-x) without overflow."""
    return np.exp(-np.logaddexp(0.0, -x))


@dataclass(frozen=True)
class Operator:
    """One operator with all its faces.

    Args:
        name: as written in formulas, trees and grammars.
        arity: number of arguments.
        sympy: arguments as sympy expressions -> expression.
        numpy: float64 arrays that broadcast -> array; NaN exactly outside the domain.
        torch: dotted name of the torch function, e.g. `torch.log`; None for an operator that sympy's face spells out in
            others, such as `aq`.
        domain: arrays -> bool array, true where the value is defined in the extended reals, as log 0 = -inf is.
        cost: what the operator adds to a formula's complexity.
        about: one line for people.
        exponent: True when the second argument must be a constant.
        plain: the sympy face in sympy's own functions, for files that others read; needed where the face makes a
            function of this file, as `sigmoid`.

    Raises:
        ValueError: the faces do not fit each other.
    """

    name: str
    arity: int
    sympy: Callable[..., sympy.Expr]
    numpy: Callable[..., Any]
    torch: str | None
    domain: Callable[..., Any]
    about: str
    cost: int = 1
    exponent: bool = False
    plain: Callable[..., Expr] | None = None

    def __post_init__(self) -> None:
        self.check(self.arity in (1, 2), f"arity {self.arity} is not 1 or 2")
        made = self.sympy(*self.symbols)
        self.check(isinstance(made, sympy.Expr), f"its sympy face gave {made!r}, no expression")
        _check_faces(self)
        head = self.head
        known = head is None or getattr(sympy, head.__name__, None) is head or self.plain is not None
        self.check(known, f"sympy has no function {head and head.__name__}; say `plain` in functions that it has")

    def check(self, holds: bool, fault: str) -> None:
        """Raise ValueError, naming the operator, unless something holds."""
        if not holds:
            raise ValueError(f"operator {self.name}: {fault}.")

    @functools.cached_property
    def symbols(self) -> tuple[Expr, ...]:
        """Arguments to look at its sympy face with: a and b, or a and a number."""
        a, b = sympy.symbols("a b", real=True)
        return (a, sympy.Integer(3)) if self.exponent else (a, b)[: self.arity]

    @functools.cached_property
    def head(self) -> type[Basic] | None:
        """The sympy class that stands for the operator in expressions; None where it is spelled out in others."""
        made = self.sympy(*self.symbols)
        if made.args == self.symbols and made.is_Function:
            return type(made)
        return type(made) if made.func in (sympy.Min, sympy.Max) and set(made.args) == set(self.symbols) else None


_GRID = np.array([-2.7, -1.3, -0.4, 0.0, 0.3, 0.9, 1.7, 2.6])
_OTHERS = np.array([[-1.6], [0.0], [0.8], [2.2]])
_EXPONENTS = (-1, 2, 0.5, 0.7)
_POINTS = ((0.3, 0.8), (1.7, -1.6), (-0.4, 2.2))


def seconds(operator: Operator, others: Any) -> list[list[Any]]:
    """Return the lists of further arguments to probe an operator with: none, `others`, or each of some exponents."""
    if operator.exponent:
        return [[exponent] for exponent in _EXPONENTS]
    return [[others]] if operator.arity == 2 else [[]]


def _check_faces(operator: Operator) -> None:
    for further in seconds(operator, _OTHERS):
        with np.errstate(all="ignore"):
            values, inside = operator.numpy(_GRID, *further), operator.domain(_GRID, *further)
        operator.check(
            np.array_equal(~np.isnan(values), np.broadcast_to(inside, np.shape(values))),
            "its numpy face is not NaN exactly outside its domain",
        )
    for a, b in _POINTS:
        for further in seconds(operator, b):
            _check_point(operator, [a, *further])


def _check_point(operator: Operator, point: list[float]) -> None:
    with np.errstate(all="ignore"):
        value = float(operator.numpy(*point))
    if np.isfinite(value):
        exact = complex(operator.sympy(*map(sympy.Float, point)))
        same = abs(exact - value) <= 1e-9 * max(1.0, abs(value))
        operator.check(same, f"numpy gives {value} at {point}, sympy {exact}; they must be the same function")


def _everywhere(*arguments: Any) -> Any:
    return np.ones(np.broadcast_shapes(*(np.shape(a) for a in arguments)), dtype=bool)


def _protected(a: sympy.Expr) -> sympy.Expr:
    return larger(sympy.Abs(a), sympy.Float(PROTECTION))


def _protected_array(a: Any) -> Any:
    return np.maximum(np.abs(a), PROTECTION)


def _div_domain(a: Any, b: Any) -> Any:
    return (np.asarray(a) != 0) | (np.asarray(b) != 0)


def _pow_domain(a: Any, c: Any) -> Any:
    return (np.asarray(a) >= 0) | (np.asarray(c) == np.round(c))


_TABLE = (
    Operator("add", 2, lambda a, b: a + b, np.add, "torch.add", _everywhere, "a + b"),
    Operator("sub", 2, lambda a, b: a - b, np.subtract, "torch.sub", _everywhere, "a - b"),
    Operator("mul", 2, lambda a, b: a * b, np.multiply, "torch.mul", _everywhere, "a * b"),
    Operator("div", 2, lambda a, b: a / b, np.divide, "torch.div", _div_domain, "a / b"),
    Operator("neg", 1, lambda a: -a, np.negative, "torch.neg", _everywhere, "-a"),
    Operator("square", 1, lambda a: a**2, np.square, "torch.square", _everywhere, "a ** 2"),
    Operator("sqrt", 1, sympy.sqrt, np.sqrt, "torch.sqrt", lambda a: np.asarray(a) >= 0, "square root"),
    Operator("log", 1, sympy.log, np.log, "torch.log", lambda a: np.asarray(a) >= 0, "natural logarithm"),
    Operator("exp", 1, sympy.exp, np.exp, "torch.exp", _everywhere, "exponential"),
    Operator("abs", 1, sympy.Abs, np.abs, "torch.abs", _everywhere, "absolute value"),
    Operator("sign", 1, sympy.sign, np.sign, "torch.sign", _everywhere, "-1, 0 or 1"),
    Operator("min", 2, smaller, np.minimum, "torch.minimum", _everywhere, "the smaller of two"),
    Operator("max", 2, larger, np.maximum, "torch.maximum", _everywhere, "the larger of two"),
    Operator("tanh", 1, sympy.tanh, np.tanh, "torch.tanh", _everywhere, "hyperbolic tangent"),
    Operator(
        "sigmoid",
        1,
        sigmoid,
        logistic,
        "torch.sigmoid",
        _everywhere,
        "1 / (1 + exp(-a))",
        plain=lambda a: 1 / (1 + sympy.exp(-a)),
    ),
    Operator(
        "softplus",
        1,
        softplus,
        lambda a: np.logaddexp(0.0, a),
        "torch.nn.functional.softplus",
        _everywhere,
        "log(1 + exp(a))",
        plain=lambda a: sympy.log(1 + sympy.exp(a)),
    ),
    Operator("sin", 1, sympy.sin, np.sin, "torch.sin", _everywhere, "sine"),
    Operator("cos", 1, sympy.cos, np.cos, "torch.cos", _everywhere, "cosine"),
    Operator("pow", 2, lambda a, c: a**c, np.power, "torch.pow", _pow_domain, "a ** c, c a constant", exponent=True),
    Operator(
        "aq",
        2,
        lambda a, b: a / sympy.sqrt(1 + b**2),
        lambda a, b: a / np.sqrt(1 + np.square(b)),
        None,
        _everywhere,
        "analytic quotient a / sqrt(1 + b ** 2)",
    ),
    Operator(
        "log_abs",
        1,
        lambda a: sympy.log(_protected(a)),
        lambda a: np.log(_protected_array(a)),
        None,
        _everywhere,
        "log(max(|a|, 1e-7))",
    ),
    Operator(
        "sqrt_abs",
        1,
        lambda a: sympy.sqrt(_protected(a)),
        lambda a: np.sqrt(_protected_array(a)),
        None,
        _everywhere,
        "sqrt(max(|a|, 1e-7))",
    ),
    Operator(
        "inv_abs",
        1,
        lambda a: 1 / _protected(a),
        lambda a: 1 / _protected_array(a),
        None,
        _everywhere,
        "1 / max(|a|, 1e-7)",
    ),
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _TABLE}


def adopt_operator(name: str) -> None:
    """Let a package that offers an operator of this name add it to OPERATORS, see `plugins.adopt`."""
    plugins.adopt("operators", OPERATORS, name, plugins.record_of(Operator, lambda record: record.name))


@functools.cache
def torch_function(operator: Operator) -> Callable[..., Any]:
    """Return the operator's torch function, after probing it once in this process.

    Probed: shape of a broadcast, dtype kept, NaN exactly outside the domain, gradient against sympy's derivative.
    Torch is imported here and not with this file, so that names and grammars can be listed without it.
    """
    if operator.torch is None:
        raise ValueError(f"operator {operator.name} has no torch function: it is spelled out in others.")
    module, _, name = operator.torch.rpartition(".")
    function = getattr(importlib.import_module(module), name, None)
    operator.check(callable(function), f"{module} has no function {name}")
    probe(operator, function)  # type: ignore[arg-type]
    return function  # type: ignore[return-value]


def probe(operator: Operator, function: Callable[..., Any]) -> None:
    """Check that a torch function does what its operator record says.

    Args:
        operator: the record; its numpy face, domain and sympy face are the standard.
        function: takes `arity` tensors (the second of `pow` is a number).

    Raises:
        ValueError: it does something else; the message says what.
    """
    for further in seconds(operator, _OTHERS):
        _probe_values(operator, function, [_GRID, *further])
    for a, b in _POINTS:
        for further in seconds(operator, b):
            _probe_gradients(operator, function, [a, *further])


def _tensors(operator: Operator, arguments: list[Any]) -> list[Any]:
    import torch

    count = 1 if operator.exponent else operator.arity
    return [torch.tensor(each, dtype=torch.float64) for each in arguments[:count]] + arguments[count:]


def _probe_values(operator: Operator, function: Callable[..., Any], arguments: list[Any]) -> None:
    import torch

    with np.errstate(all="ignore"):
        expected, inside = operator.numpy(*arguments), operator.domain(*arguments)
    tensors = _tensors(operator, arguments)
    values = function(*tensors)
    operator.check(values.shape == expected.shape, f"torch gives shape {tuple(values.shape)}, not {expected.shape}")
    single = [each.float() if isinstance(each, torch.Tensor) else each for each in tensors]
    operator.check(function(*single).dtype == torch.float32, "float32 does not stay float32 in torch")
    got = values.detach().numpy()
    as_said = np.array_equal(~np.isnan(got), np.broadcast_to(inside, got.shape))
    operator.check(as_said, "torch gives NaN not exactly outside its domain")
    same = np.allclose(got, expected, rtol=1e-7, atol=1e-8, equal_nan=True)
    operator.check(same, "torch and numpy differ")


def _probe_gradients(operator: Operator, function: Callable[..., Any], point: list[float]) -> None:
    """Compare the gradient in every argument that is no exponent with sympy's derivative, inside the domain."""
    import torch

    if not operator.domain(*point):
        return
    tensors = _tensors(operator, point)
    inputs = [each.requires_grad_() for each in tensors if isinstance(each, torch.Tensor)]
    value = function(*tensors)
    operator.check(value.requires_grad, "torch gives no gradient")
    symbols = sympy.symbols("a b", real=True)[: len(inputs)]
    made = operator.sympy(*symbols, *map(sympy.Float, point[len(inputs) :]))
    for symbol, got in zip(symbols, torch.autograd.grad(value, inputs), strict=True):
        slope = float(sympy.diff(made, symbol).subs(dict(zip(symbols, point, strict=False))).evalf())
        near = abs(slope - float(got)) <= 1e-6 * max(1.0, abs(slope))
        operator.check(near, f"torch's gradient in {symbol} is {float(got)} at {point}, sympy's {slope}")
