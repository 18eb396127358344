"""Floor 1, the language: operators, slots, formulas, grammars and trees, the torch loss and the zoo."""
