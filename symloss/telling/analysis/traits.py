"""The table of traits, and one call that tells all of a formula: numbers first, then what algebra adds to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.telling.analysis.ablation import tell_parts
from symloss.telling.analysis.classes import tell_bounds, tell_ends, tell_pull, tell_true_class, tell_wrong_class
from symloss.telling.analysis.closed_forms import confirm_ends, confirm_first_step, confirm_optimum
from symloss.telling.analysis.convexity import tell_convexity
from symloss.telling.analysis.evaluation import CLASSES
from symloss.telling.analysis.findings import Finding, unknown
from symloss.telling.analysis.first_step import tell_first_step
from symloss.telling.analysis.inputs import (
    tell_input_convexity,
    tell_input_ends,
    tell_input_shape,
    tell_middle,
    tell_stretch,
)
from symloss.telling.analysis.kinship import tell_kinship
from symloss.telling.analysis.noise_tolerance import tell_noisy_optimum, tell_symmetry
from symloss.telling.analysis.optimum import tell_optimum, tell_optimum_by_classes
from symloss.telling.analysis.residuals import (
    tell_residual_bounds,
    tell_residual_convexity,
    tell_residual_optimum,
    tell_residual_shape,
    tell_residual_symmetry,
    tell_tails,
)
from symloss.telling.analysis.sensitivity import tell_sensitivity
from symloss.telling.analysis.simplification import confirm_forms, confirm_one_hot, tell_forms, tell_one_hot
from symloss.telling.symbolic.child import LIMIT, Child
from symloss.telling.symbolic.questions import QUESTIONS

Tell = Callable[[Formula, int], Finding]
Confirm = Callable[[Finding, Formula, int, Any], Finding]


@dataclass(frozen=True)
class Trait:
    """Something that can be said of a slot's formulas.

    Args:
        label: what `symloss show` writes before it.
        group: the heading that it stands under.
        function: (formula, number of classes) -> Finding, without computer algebra.
        question: what computer algebra is asked to make it a closed form: a name in `questions.QUESTIONS`.
        confirm: (finding, formula, number of classes, answer) -> the finding with what agrees of the answer.
    """

    label: str
    group: str
    function: Tell
    question: str = ""
    confirm: Confirm | None = None

    def tell(self, formula: Formula, classes: int = CLASSES) -> Finding:
        """Return the finding, or that there is none where the formula's derivatives have no reading."""
        try:
            with np.errstate(all="ignore"):  # where a formula is undefined, it is NaN, and the finding says so
                return self.function(formula, classes)
        except FormulaError as error:
            return unknown(str(error))


_AIM, _SHAPE, _NOISE, _BUILD, _KIN = (
    "What it drives a model to",
    "Shape",
    "Wrong labels",
    "How it is built",
    "Relatives and other forms",
)

TRAITS: dict[str, Trait] = {
    "optimum": Trait("p* of the true class", _AIM, tell_optimum),
    "optimum_by_classes": Trait("p* against classes", _AIM, tell_optimum_by_classes, "optimum", confirm_optimum),
    "first_step": Trait("first-step gradient", _AIM, tell_first_step, "first_step", confirm_first_step),
    "true_class": Trait("true class's term", _SHAPE, tell_true_class),
    "wrong_class": Trait("a wrong class's term", _SHAPE, tell_wrong_class),
    "pull": Trait("pull on the true logit", _SHAPE, tell_pull),
    "bounds": Trait("bounded", _SHAPE, tell_bounds),
    "ends": Trait("at p -> 0 and 1", _SHAPE, tell_ends, "ends", confirm_ends),
    "convexity": Trait("in the logits", _SHAPE, tell_convexity),
    "symmetry": Trait("sum over all labels", _NOISE, tell_symmetry),
    "noisy_optimum": Trait("p* under label noise", _NOISE, tell_noisy_optimum),
    "residual_optimum": Trait("r* of the residual", _AIM, tell_residual_optimum),
    "residual_shape": Trait("over the residual", _SHAPE, tell_residual_shape),
    "residual_symmetry": Trait("above and below", _SHAPE, tell_residual_symmetry),
    "residual_convexity": Trait("convexity", _SHAPE, tell_residual_convexity),
    "residual_bounds": Trait("outliers", _SHAPE, tell_residual_bounds),
    "tails": Trait("far and near", _SHAPE, tell_tails, "tails", confirm_ends),
    "input_shape": Trait("over its input", _SHAPE, tell_input_shape),
    "input_ends": Trait("far out", _SHAPE, tell_input_ends),
    "stretch": Trait("slope", _SHAPE, tell_stretch),
    "middle": Trait("at 0", _SHAPE, tell_middle),
    "input_convexity": Trait("convexity", _SHAPE, tell_input_convexity),
    "sensitivity": Trait("constants", _BUILD, tell_sensitivity),
    "parts": Trait("parts that matter", _BUILD, tell_parts),
    "kinship": Trait("closest relative", _KIN, tell_kinship),
    "forms": Trait("as shown", _KIN, tell_forms, "simplest", confirm_forms),
    "one_hot": Trait("on one-hot labels", _KIN, tell_one_hot, "one_hot", confirm_one_hot),
}


@dataclass(frozen=True)
class Analysis:
    """All that can be said of one formula without training it.

    Args:
        classes: number of classes that it is told for.
        findings: trait name -> finding, in the order of reading.
        algebra: what computer algebra did: `not asked`, `answered`, or `stopped after 5 s`.
    """

    formula: Formula
    classes: int
    findings: Mapping[str, Finding]
    algebra: str = "not asked"

    def confirmed(self, answers: Mapping[str, Any], ended_early: bool = False, limit: float = LIMIT) -> Analysis:
        """Return the analysis with what agrees of computer algebra's answers.

        Args:
            answers: question -> answer.
            ended_early: whether time was over before all questions were answered.
        """
        found = {name: self._confirmed(name, finding, answers) for name, finding in self.findings.items()}
        algebra = f"stopped after {limit:.3g} s" if ended_early else "answered"
        return replace(self, findings=found, algebra=algebra)

    def _confirmed(self, name: str, finding: Finding, answers: Mapping[str, Any]) -> Finding:
        trait = TRAITS[name]
        if trait.confirm is None or trait.question not in answers or finding.certainty == "unknown":
            return finding
        return trait.confirm(finding, self.formula, self.classes, answers[trait.question])


def traits(formula: Formula, classes: int = CLASSES, only: Iterable[str] | None = None) -> dict[str, Finding]:
    """Return trait name -> finding, for the traits that the formula's slot names, without computer algebra.

    Args:
        only: names of the traits that are wanted; None for all.
    """
    names = traits_of(formula.slot)
    wanted = set(names if only is None else only)
    return {name: TRAITS[name].tell(formula, classes) for name in names if name in wanted}


def traits_of(slot: str) -> list[str]:
    """Return the traits that a slot names and that are known here: a package's slot may name one of another version."""
    return [name for name in SLOTS[slot].traits if name in TRAITS]


def questions_of(formula: Formula) -> list[str]:
    """Return what computer algebra is asked of a formula, from quick to slow."""
    asked = [TRAITS[name].question for name in traits_of(formula.slot)]
    return [name for name in QUESTIONS if name in asked]


def analyse(formula: Formula, classes: int = CLASSES, closed_forms: bool = True, limit: float = LIMIT) -> Analysis:
    """Tell all that can be said of a formula without training it.

    Numbers take about a second. Computer algebra works beside them in a process of its own, which is stopped `limit`
    seconds after its first question; what it has not answered by then stays a number.

    Args:
        classes: number of classes that classification losses are told for.
        closed_forms: whether to ask computer algebra.
        limit: seconds that it may take.

    Example:
        >>> found = analyse(zoo["baikal"]).findings["optimum_by_classes"]
        >>> found.closed_form, found.certainty
        ('1/sqrt(C)', 'closed form')
    """
    if not closed_forms:
        return Analysis(formula, classes, traits(formula, classes))
    with Child(formula, questions_of(formula), classes, limit) as child:
        found = Analysis(formula, classes, traits(formula, classes))
        answers = child.answers()
        return found.confirmed(answers, child.ended_early, limit)
