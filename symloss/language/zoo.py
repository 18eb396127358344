"""Published losses and activations as formulas, with where they come from and their coefficients.

They live in the language of the grammars: what needs the true class alone is multiplied by t; C counts the classes.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from symloss import plugins
from symloss.errors import FormulaError, unknown
from symloss.language.formula import Formula, parse
from symloss.markup import Math, table_html


@dataclass(frozen=True)
class ZooEntry:
    """A published formula.

    Args:
        text: the formula as published, constants in place; `zoo[name]` is its canonical form.
        source: authors, year and arXiv number or book.
        constants: the published coefficients by their published names.
        about: what it is good for, in one line.
    """

    name: str
    slot: str
    text: str
    source: str
    about: str
    constants: Mapping[str, float] = field(default_factory=dict)


_CLASSIFICATION = (
    ZooEntry(
        "cross_entropy", "classification", "-t*log(p)", "Good 1952, Rational Decisions", "the maximum-likelihood loss"
    ),
    ZooEntry(
        "label_smoothing",
        "classification",
        "-(0.9*t + 0.1/C)*log(p)",
        "Szegedy et al. 2016, arXiv:1512.00567",
        "cross-entropy against targets that keep some doubt",
        {"a": 0.1},
    ),
    ZooEntry(
        "focal",
        "classification",
        "-t*(1 - p)**2*log(p)",
        "Lin et al. 2017, arXiv:1708.02002",
        "turns down examples that are already right",
        {"g": 2.0},
    ),
    ZooEntry(
        "poly1",
        "classification",
        "t*(1 - p - log(p))",
        "Leng et al. 2022, arXiv:2204.12511",
        "cross-entropy with a stronger first-order term",
        {"e": 1.0},
    ),
    ZooEntry(
        "gce",
        "classification",
        "t*(1 - p**0.7)/0.7",
        "Zhang and Sabuncu 2018, arXiv:1805.07836",
        "between cross-entropy and MAE: robust to label noise",
        {"q": 0.7},
    ),
    ZooEntry(
        "sce",
        "classification",
        "-0.1*t*log(p) - p*log(max(t, 1e-4))",
        "Wang et al. 2019, arXiv:1908.06112",
        "cross-entropy plus its reverse: robust to label noise",
        {"a": 0.1, "b": 1.0, "clip": 1e-4},
    ),
    ZooEntry(
        "brier",
        "classification",
        "(p - t)**2",
        "Brier 1950, Verification of Forecasts",
        "squared error of the probabilities",
    ),
    ZooEntry(
        "mae",
        "classification",
        "abs(p - t)",
        "Ghosh, Kumar and Sastry 2017, arXiv:1712.09482",
        "symmetric, hence noise-tolerant; slow to fit",
    ),
    ZooEntry(
        "bootstrap",
        "classification",
        "-(0.95*t + 0.05*p)*log(p)",
        "Reed et al. 2014, arXiv:1412.6596",
        "soft bootstrapping: trusts the model a little",
        {"b": 0.95},
    ),
    ZooEntry(
        "baikal",
        "classification",
        "-(log(p) - t/p)",
        "Gonzalez and Miikkulainen 2020, arXiv:1905.11528",
        "found by GLO's genetic programming",
    ),
    ZooEntry(
        "baikal_cma",
        "classification",
        "-2.7279*(0.9863*log(1.5352*p) - -1.1135*(1.3716*t)/(-0.8411*p))",
        "Gonzalez and Miikkulainen 2020, arXiv:1905.11528",
        "Baikal with coefficients by CMA-ES",
        {"c0": 2.7279, "c1": 0.9863, "c2": 1.5352, "c3": -1.1135, "c4": 1.3716, "c5": -0.8411},
    ),
    ZooEntry(
        "taylorglo_mnist",
        "classification",
        "-(8.2896*(p - 7.5216) + 0.2415*(p - 7.5216)**2 + 7.8726*(p - 7.5216)**3 + 8.9666*(t + 10.9408)*(p - 7.5216)"
        " + 2.0184*(t + 10.9408)*(p - 7.5216)**2 + 7.0513*(t + 10.9408)**2*(p - 7.5216))",
        "Gonzalez and Miikkulainen 2020, arXiv:2002.00059",
        "third-order Taylor loss found on MNIST",
        {
            "d": 8.2896,
            "dd": 0.2415,
            "ddd": 7.8726,
            "ed": 8.9666,
            "edd": 2.0184,
            "eed": 7.0513,
            "p0": 7.5216,
            "t0": -10.9408,
        },
    ),
    ZooEntry(
        "ngl",
        "classification",
        "(exp(2.4092 - p*(1 + t)) - cos(cos(sin(p))))/C",
        "Akhmedova and Koerber 2024, arXiv:2404.12948",
        "found by genetic programming; averaged over the classes",
        {"a": 2.4092},
    ),
    ZooEntry(
        "sparse_lsr",
        "classification",
        "-t*((0.9 + 0.1/C)*log(p) + 0.1*(C - 1)/C*log((1 - p)/(C - 1)))",
        "Raymond et al. 2022, arXiv:2209.08907",
        "label smoothing that needs the true class alone",
        {"s": 0.1},
    ),
)
_REGRESSION = (
    ZooEntry("mse", "regression", "r**2", "Gauss 1809, Theoria Motus", "squared error: the mean"),
    ZooEntry("l1", "regression", "abs(r)", "Laplace 1774", "absolute error: the median"),
    ZooEntry(
        "huber",
        "regression",
        "min(abs(r), 1)*(abs(r) - min(abs(r), 1)/2)",
        "Huber 1964, Robust Estimation",
        "squared near 0, absolute beyond 1",
        {"delta": 1.0},
    ),
    ZooEntry(
        "log_cosh",
        "regression",
        "softplus(2*r) - r - 0.6931471805599453",
        "Green 1990",
        "log(cosh(r)): a smooth absolute error",
    ),
)
_ACTIVATION = (
    ZooEntry("relu", "activation", "max(x, 0)", "Nair and Hinton 2010", "the default nonlinearity"),
    ZooEntry("tanh", "activation", "tanh(x)", "LeCun et al. 1998, Efficient BackProp", "bounded, centred"),
    ZooEntry(
        "gelu",
        "activation",
        "0.5*x*(1 + tanh(0.7978845608028654*(x + 0.044715*x**3)))",
        "Hendrycks and Gimpel 2016, arXiv:1606.08415",
        "Gaussian error linear unit, tanh form",
        {"a": 0.044715},
    ),
    ZooEntry(
        "swish",
        "activation",
        "x*sigmoid(x)",
        "Ramachandran, Zoph and Le 2017, arXiv:1710.05941",
        "found by search",
        {"beta": 1.0},
    ),
)

ZOO: dict[str, ZooEntry] = {entry.name: entry for entry in (*_CLASSIFICATION, *_REGRESSION, *_ACTIVATION)}


class Zoo(Mapping[str, Formula]):
    """The published formulas by name, parsed when they are first asked for.

    Raises:
        FormulaError: no entry has the name that was asked for.

    Example:
        >>> zoo["baikal"].text
        't/p - log(p)'
    """

    def __getitem__(self, name: str) -> Formula:
        adopt_entry(name)
        if name not in ZOO:
            raise FormulaError(unknown("zoo", "formula", name, ZOO))
        return _parsed(name)

    def __contains__(self, name: object) -> bool:
        return name in ZOO

    def __iter__(self) -> Iterator[str]:
        return iter(ZOO)

    def __len__(self) -> int:
        return len(ZOO)

    def __repr__(self) -> str:
        return f"<zoo of {len(ZOO)} published formulas: {', '.join(ZOO)}>"

    def _repr_html_(self) -> str:
        rows = [
            {"name": each.name, "slot": each.slot, "formula": Math(self[each.name].latex()), "about": each.about,
             "source": each.source}
            for each in ZOO.values()
        ]  # fmt: skip
        return table_html(rows)


def adopt_entry(name: str) -> None:
    """Let a package that offers a published formula of this name add it to ZOO, see `plugins.adopt`."""
    plugins.adopt("zoo", ZOO, name, plugins.record_of(ZooEntry, lambda record: record.name))


def named_or_read(text: str, slot: str) -> Formula:
    """Return a published formula by its name, or any other by its text.

    Raises:
        FormulaError: it is neither a published name nor a formula of the slot.
    """
    adopt_entry(text)
    return zoo[text] if text in ZOO else parse(text, slot)


@functools.cache
def _parsed(name: str) -> Formula:
    return parse(ZOO[name].text, ZOO[name].slot)


zoo = Zoo()
