"""What a formula does to training, told without training: one file a question, one table of all traits.

A numpy reading of the formula, so that `symloss show` answers without torch's seconds.
"""

from symloss.telling.analysis.evaluation import CLASSES, Array, evaluate, slope, slope_in_p
from symloss.telling.analysis.findings import CERTAINTIES, Finding
from symloss.telling.analysis.first_step import first_step
from symloss.telling.analysis.optimum import Optimum, even_costs, optimum
from symloss.telling.analysis.residuals import residual_optimum
from symloss.telling.analysis.traits import TRAITS, Analysis, Trait, analyse, questions_of, traits

__all__ = [
    "CERTAINTIES",
    "CLASSES",
    "TRAITS",
    "Analysis",
    "Array",
    "Finding",
    "Optimum",
    "Trait",
    "analyse",
    "evaluate",
    "even_costs",
    "first_step",
    "optimum",
    "questions_of",
    "residual_optimum",
    "slope",
    "slope_in_p",
    "traits",
]
