"""How trees become other trees: crossover, mutations at a node, and the repair of a tree that lacks a variable.

Every variation keeps sorts and limits: a child beyond a limit is replaced by its parent.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from deap import gp

from symloss.language.grammar import Grammar
from symloss.language.slots import SLOTS
from symloss.language.tree import Exponent, Node, Real, Tree, constant_node, readable, seeded, sprout, vocabulary

Mutation = Callable[[Tree, int, random.Random], Tree]
"""(tree, index of a node in it, random source) -> the tree itself where the mutation does not apply, else another."""


def crossover(first: Tree, second: Tree, rng: random.Random) -> Tree:
    """Return the first parent with one subtree of the second in place of one of its own (Koza 1992)."""
    one, other = first.to_deap(), second.to_deap()
    with seeded(rng):
        child, _ = gp.cxOnePoint(one, other)
    return _within_limits(Tree(tuple(child), first.grammar), first)


def mutate(tree: Tree, rates: Mapping[str, float], rng: random.Random) -> tuple[Tree, tuple[str, ...]]:
    """Visit the nodes bottom-up and apply each mutation with its probability per node (GLO, arXiv:1905.11528).

    Args:
        rates: name in MUTATIONS -> probability from 0 to 1.

    Returns:
        The child, and the names of the mutations that changed it.
    """
    names = []
    # depth first order: all nodes below a node follow it, so earlier indices survive what happens later ones
    for index in reversed(range(tree.size)):
        for name, rate in rates.items():
            if rng.random() < rate:
                child = MUTATIONS[name](tree, index, rng)
                names += [name] * (child is not tree)
                tree = child
    return tree, tuple(dict.fromkeys(names))


def integer_step(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Add 1 to an integer leaf or subtract 1, within the grammar's integers."""
    node = tree.nodes[index]
    integers = vocabulary(tree.grammar).pools[node.ret].integers
    if not isinstance(node.value, int) or integers is None:
        return tree
    value = node.value + rng.choice((-1, 1))
    return _with(tree, index, [constant_node(value, node.ret)]) if integers.low <= value <= integers.high else tree


def same_arity(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Draw another operator with the same arguments in a node's place, or another leaf in a leaf's."""
    node, words = tree.nodes[index], vocabulary(tree.grammar)
    urn = words.alike.get(node.args) if node.args else words.leaves[node.ret]
    if not urn:  # a warm start may hold what the grammar does not
        return tree
    drawn = urn.draw_other(node, rng)
    return tree if drawn == node else Tree((*tree.nodes[:index], drawn, *tree.nodes[index + 1 :]), tree.grammar)


def subtree_to_leaf(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Replace an operator and all below it by a leaf."""
    if not tree.nodes[index].args:
        return tree
    return _with(tree, index, [vocabulary(tree.grammar).leaves[Real].draw(rng)])


def leaf_to_node(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Replace a leaf by an operator over leaves."""
    node = tree.nodes[index]
    if node.args or node.ret is Exponent:
        return tree
    return _with(tree, index, sprout(tree.grammar, rng, 1, 1))


def gaussian(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Move a real constant by a normal step of the grammar's sigma, within the grammar's range.

    One beyond the range, which came with a warm start, goes no further.
    """
    node = tree.nodes[index]
    ephemeral = vocabulary(tree.grammar).pools[node.ret].ephemeral
    if not isinstance(node.value, float) or ephemeral is None:
        return tree
    moved = readable(node.value + rng.gauss(0.0, ephemeral.sigma))
    low, high = min(ephemeral.low, node.value), max(ephemeral.high, node.value)
    return _with(tree, index, [constant_node(min(max(moved, low), high), node.ret)])


def regrow(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Replace a subtree by a newly grown one, at most as deep as a new tree."""
    if tree.nodes[index].ret is Exponent and not vocabulary(tree.grammar).leaves[Exponent]:
        return tree
    height = rng.randint(0, tree.grammar.limits.initial_depth[1])
    return _with(tree, index, sprout(tree.grammar, rng, 0, height, tree.nodes[index].ret))


def wrap(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Put an operator above a subtree; its other argument, if any, is a leaf (DEAP's mutInsert)."""
    if tree.nodes[index].ret is Exponent:
        return tree
    words = vocabulary(tree.grammar)
    operator = words.operators.draw(rng)
    place = rng.choice([position for position, sort in enumerate(operator.args) if sort is Real])
    subtree = [operator]
    for position, sort in enumerate(operator.args):
        subtree += tree.nodes[tree.span(index)] if position == place else [words.leaves[sort].draw(rng)]
    return _with(tree, index, subtree)


def hoist(tree: Tree, index: int, rng: random.Random) -> Tree:
    """Replace an operator by one of its own arguments (DEAP's mutShrink)."""
    arguments = [start for start in argument_indices(tree, index) if tree.nodes[start].ret is Real]
    if not arguments:
        return tree
    return _with(tree, index, tree.nodes[tree.span(rng.choice(arguments))])


MUTATIONS: dict[str, Mutation] = {
    "integer_step": integer_step,
    "same_arity": same_arity,
    "subtree_to_leaf": subtree_to_leaf,
    "leaf_to_node": leaf_to_node,
    "gaussian": gaussian,
    "regrow": regrow,
    "wrap": wrap,
    "hoist": hoist,
}


def argument_indices(tree: Tree, index: int) -> list[int]:
    """Return where the arguments of a node start."""
    starts, start = [], index + 1
    for _ in tree.nodes[index].args:
        starts.append(start)
        start = tree.span(start).stop
    return starts


def repair(tree: Tree, rng: random.Random) -> Tree:
    """Give a tree the required variables that it lacks, where its grammar says so and its limits allow it.

    A leaf becomes an operator over the required variables, as in EvoMAL (arXiv:2209.08907): op(y, f(x)); or a variable,
    where that is enough.
    """
    grammar = tree.grammar
    if grammar.when_missing != "repair" or not grammar.lacks(tree.variables):
        return tree
    leaves = [index for index, node in enumerate(tree.nodes) if node.ret is Real and not node.args]
    rng.shuffle(leaves)
    witnesses = _witnesses(grammar)
    for subtree in (_joined(witnesses, grammar, rng), *([Node(name)] for name in witnesses)):
        for index in leaves:
            child = _with(tree, index, subtree)
            if not grammar.lacks(child.variables):
                return child
    return tree


def _witnesses(grammar: Grammar) -> list[str]:
    # one variable may stand for all that is required, as r does for y and f
    for name in grammar.variables:
        if not grammar.lacks([name]):
            return [name]
    return [name if name in grammar.variables else _stand_in(name, grammar) for name in grammar.required]


def _stand_in(name: str, grammar: Grammar) -> str:
    variables = SLOTS[grammar.slot].variables
    return next(each.name for each in variables if name in each.stands_for and each.name in grammar.variables)


def _joined(names: list[str], grammar: Grammar, rng: random.Random) -> list[Node]:
    pairs = vocabulary(grammar).alike.get((Real, Real))
    nodes = [Node(names[-1])]
    for name in reversed(names[:-1]):
        assert pairs is not None  # read_grammar refuses a grammar that cannot join what it requires
        nodes = [pairs.draw(rng), Node(name), *nodes]
    return nodes


def _with(tree: Tree, index: int, subtree: Sequence[Node]) -> Tree:
    return _within_limits(tree.replaced(index, subtree), tree)


def _within_limits(child: Tree, parent: Tree) -> Tree:
    return child if child.fits and child.nodes != parent.nodes else parent
