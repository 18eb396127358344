"""The straightforward search: DEAP's generational loop, each candidate trained alone, a process per core.

Settings are GLO's and DEAP's usual ones: ramped half and half, tournaments of three, subtree crossover and mutation,
six elites. Fitness is remembered by text, and a tree without p or without t is not trained.
"""

from __future__ import annotations

import math
import operator
import random
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import Any

from deap import base, creator, gp, tools

from benchmarks.plain import Asked, primitives

POPULATION, ELITES, CROSSOVER, MUTATION, TOURNAMENT, HEIGHT = 80, 6, 0.8, 0.2, 3, 6

Trainer = Callable[[Sequence[Asked]], Iterator[float]]


def toolbox() -> base.Toolbox:
    """Set DEAP up as its examples of genetic programming do."""
    pset = primitives()
    pset.addTerminal(1.0)
    pset.addEphemeralConstant("constant", _constant)
    if not hasattr(creator, "PlainTree"):
        creator.create("PlainFitness", base.Fitness, weights=(1.0,))
        creator.create("PlainTree", gp.PrimitiveTree, fitness=creator.PlainFitness)
    box = base.Toolbox()
    box.register("grow", gp.genHalfAndHalf, pset=pset, min_=1, max_=3)
    box.register("individual", tools.initIterate, creator.PlainTree, box.grow)
    box.register("population", tools.initRepeat, list, box.individual)
    box.register("select", tools.selTournament, tournsize=TOURNAMENT)
    box.register("mate", gp.cxOnePoint)
    box.register("sprout", gp.genFull, min_=0, max_=2)
    box.register("mutate", gp.mutUniform, expr=box.sprout, pset=pset)
    for name in ("mate", "mutate"):
        box.decorate(name, gp.staticLimit(operator.attrgetter("height"), HEIGHT))
    return box


def _constant() -> float:
    return round(random.uniform(-3, 3), 3)


def curve(train: Trainer, rates: Sequence[float], seeds: int, candidates: int, seed: int = 0) -> dict[str, Any]:
    """Search until so many candidates are trained; say when which fitness was reached first, and with how many.

    Args:
        rates: a candidate trains at each with every seed; its fitness is the mean over the seeds at the best one.
    """
    random.seed(seed)
    box, known = toolbox(), dict[str, float]()
    population = box.population(n=POPULATION)
    began, best, points, trained = time.perf_counter(), -math.inf, list[tuple[float, float, int]](), 0
    while True:
        texts = [text for text in dict.fromkeys(map(str, population)) if text not in known]
        known |= {text: 0.0 for text in texts if not {"p", "t"} <= _names(text)}
        asked = [text for text in texts if text not in known]
        results = train([(text, rate, number) for text in asked for rate in rates for number in range(seeds)])
        for text in asked:
            known[text] = max(fmean(next(results) for _ in range(seeds)) for _ in rates)
            trained += 1
            now = time.perf_counter() - began
            if known[text] > best:
                best = known[text]
                points.append((now, best, trained))
            if trained == candidates:
                return {"points": points, "trained": trained, "seconds": now}
        for individual in population:
            individual.fitness.values = (known[str(individual)],)
        population = [*map(box.clone, tools.selBest(population, ELITES)), *_offspring(box, population)]


def _offspring(box: base.Toolbox, population: Sequence[Any]) -> list[Any]:
    children = [box.clone(each) for each in box.select(population, POPULATION - ELITES)]
    for one, other in zip(children[::2], children[1::2], strict=False):
        if random.random() < CROSSOVER:
            box.mate(one, other)
    for child in children:
        if random.random() < MUTATION:
            box.mutate(child)
    return children


def _names(text: str) -> set[str]:
    return set(text.replace("(", " ").replace(")", " ").replace(",", " ").split())
