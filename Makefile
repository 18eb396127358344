# Everything runs inside .venv, which the first command makes; nothing is installed outside this folder.

PYTHON ?= python3
EXPERIMENT ?= experiments/noisy_digits.toml
ARGS ?=
PIP_ARGS ?=

BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup search test lint docs bench reproduce chaos fuzz check clean

help:  ## Say what can be made
	@echo "make TARGET [PYTHON=python3.12] [EXPERIMENT=file.toml] [ARGS='--workers 2']"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Make .venv and install symloss with pinned packages

search: $(READY)  ## Find a loss on noisy digits and prove it against the baselines
	$(BIN)/symloss search $(EXPERIMENT) $(ARGS)

test: $(READY)  ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

lint: $(READY)  ## Check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## Run the benchmarks (a quarter of an hour) and fill the tables of docs/performance.md
	$(BIN)/python -m benchmarks

reproduce-%: $(READY)
	$(BIN)/python -m reproduce $* $(ARGS)

reproduce: $(READY)  ## Do the studies of docs/results.md (under two hours), or one: reproduce-xor (SYMLOSS_DATA=folder of their data)
	$(BIN)/python -m reproduce $(ARGS)

chaos: $(READY)  ## Kill drivers at 60 random moments, resume, and compare with an undisturbed run (ARGS="--seed 1")
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(READY)  ## Read 100,000 damaged and hostile files of every kind (ARGS="--share 0.1 --seed 1")
	$(BIN)/python -m tests.fuzz $(ARGS)

docs: $(READY)  ## Build the documentation in build/docs; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo "wrote build/docs/index.html"

check: lint test  ## Lint, then test

clean:  ## Remove .venv, caches and build outputs; runs stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an interrupted installation starts again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("symloss needs Python 3.11 or newer, this is %d.%d; name another: make setup PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --constraint constraints.txt --editable '.[dev]'
	@touch $@
