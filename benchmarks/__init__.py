"""Benchmarks that anyone can run: `make bench`, or one alone, e.g. `python -m benchmarks.training`."""
