"""Fair trials of formulas on fresh seeds and untouched data, their statistics, and the evidence that files carry."""
