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
from scipy.special import expit

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

    def __post_init__(self) -> None:
        assert self.arity in (1, 2), f"operator {self.name}: arity {self.arity} is not 1 or 2"
        symbols = sympy.symbols("a b", real=True)[: self.arity]
        made = self.sympy(*symbols[:1], sympy.Integer(3)) if self.exponent else self.sympy(*symbols)
        assert isinstance(made, sympy.Expr), f"operator {self.name}: its sympy face gave {made!r}"


def _everywhere(*arguments: Any) -> Any:
    return np.ones(np.broadcast_shapes(*(np.shape(a) for a in arguments)), dtype=bool)


def _protected(a: sympy.Expr) -> sympy.Expr:
    return sympy.Max(sympy.Abs(a), sympy.Float(PROTECTION))


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
    Operator("min", 2, sympy.Min, np.minimum, "torch.minimum", _everywhere, "the smaller of two"),
    Operator("max", 2, sympy.Max, np.maximum, "torch.maximum", _everywhere, "the larger of two"),
    Operator("tanh", 1, sympy.tanh, np.tanh, "torch.tanh", _everywhere, "hyperbolic tangent"),
    Operator("sigmoid", 1, sigmoid, expit, "torch.sigmoid", _everywhere, "1 / (1 + exp(-a))"),
    Operator(
        "softplus",
        1,
        softplus,
        lambda a: np.logaddexp(0.0, a),
        "torch.nn.functional.softplus",
        _everywhere,
        "log(1 + exp(a))",
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


@functools.cache
def torch_function(operator: Operator) -> Callable[..., Any]:
    """Return the operator's torch function, after probing it once in this process.

    Probed: shape of a broadcast, dtype kept, NaN exactly outside the domain, gradient against sympy's derivative.
    Torch is imported here and not with this file, so that names and grammars can be listed without it.
    """
    assert operator.torch is not None, f"operator {operator.name} is spelled out in others"
    module, _, name = operator.torch.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    probe(operator, function)
    return function


def probe(operator: Operator, function: Callable[..., Any]) -> None:
    """Assert that a torch function does what its operator record says.

    Args:
        operator: the record; its numpy face, domain and sympy face are the standard.
        function: takes `arity` tensors (the second of `pow` is a float).
    """
    import torch

    grid = torch.tensor([-2.7, -1.3, -0.4, 0.0, 0.3, 0.9, 1.7, 2.6], dtype=torch.float64)
    other = 0.7 if operator.exponent else torch.tensor([[-1.6], [0.8], [2.2]], dtype=torch.float64)
    arguments = [grid.clone().requires_grad_(), other][: operator.arity]
    values = function(*arguments)
    plain = [a.detach().numpy() if isinstance(a, torch.Tensor) else a for a in arguments]
    with np.errstate(all="ignore"):
        expected = operator.numpy(*plain)
    place = f"operator {operator.name}"
    assert values.shape == expected.shape, f"{place}: shape {tuple(values.shape)}, not {expected.shape}"
    single = [a.detach().float() if isinstance(a, torch.Tensor) else a for a in arguments]
    assert function(*single).dtype == torch.float32, f"{place}: float32 does not stay float32"
    got = values.detach().numpy()
    assert np.array_equal(~np.isnan(got), np.broadcast_to(operator.domain(*plain), got.shape)), (
        f"{place}: NaN not exactly outside its domain"
    )
    assert np.allclose(got, expected, rtol=1e-7, atol=1e-8, equal_nan=True), f"{place}: torch and numpy differ"
    _probe_gradient(operator, function)


def _probe_gradient(operator: Operator, function: Callable[..., Any]) -> None:
    import torch

    a, b = sympy.symbols("a b", real=True)
    for x, z in ((0.3, 0.8), (1.7, -1.6)):
        other: Any = 0.7 if operator.exponent else torch.tensor(z, dtype=torch.float64)
        point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        (got,) = torch.autograd.grad(function(*[point, other][: operator.arity]), point)
        symbols = [a, sympy.Float(0.7) if operator.exponent else b][: operator.arity]
        slope = sympy.diff(operator.sympy(*symbols), a).subs({a: x, b: z}).evalf()
        assert abs(float(slope) - float(got)) < 1e-6, (
            f"operator {operator.name}: gradient {float(got)} at {x}, sympy says {slope}"
        )
