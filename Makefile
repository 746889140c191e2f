# Everything below makes .venv by itself; it needs Python 3.11 or later with pip, and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# What `make search` searches for, and under which name (by default the first free one): small models on the beginning
# of the embedded text, so that every run can be trained to its end in some minutes.
SEARCH_ARGS ?= --task-option characters=36000 --params 30000 --learning-rate 0.02 --most-epochs 500 --trials 12 \
	--tune 3 --seeds 4
NAME ?= $(shell n=first-search; i=2; while [ -e runs/$$n ]; do n=first-search-$$i; i=$$((i + 1)); done; echo $$n)

# What `make bench` measures; see benchmarks/cell_speed.py.
BENCH_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: search test check static format-check lint types layers format fuzz options bench clean help

search: $(INSTALLED)  ## Search for a cell on the embedded data and compare it with an LSTM (SEARCH_ARGS, NAME)
	$(BIN)/nas-rnn search --name $(NAME) $(SEARCH_ARGS)

test: $(INSTALLED)  ## Run the tests
	$(BIN)/pytest -n 2 --dist worksteal --durations=25 --durations-min=5

check: static test  ## Run everything that must pass before a change is merged

static: format-check lint types layers  ## The checks that run nothing: formatting, lint, types, layers

format-check: $(INSTALLED)
	$(BIN)/ruff format --check .

lint: $(INSTALLED)
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

format: $(INSTALLED)  ## Format the code, and fix what lint can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(INSTALLED)  ## Run the property tests with many more examples
	$(BIN)/pytest -n 2 --dist worksteal --hypothesis-profile=fuzz tests

options: $(INSTALLED)  ## Write docs/options.md anew, from the declared options
	$(BIN)/python -m nas_rnn.cli.options_page > docs/options.md

bench: $(INSTALLED)  ## Measure how fast cells train, beside torch's layers (BENCH_ARGS; half an hour)
	$(BIN)/python benchmarks/cell_speed.py $(BENCH_ARGS)

clean:  ## Remove the virtual environment and every cache (runs/ stays)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find nas_rnn tests search_spaces -name __pycache__ -prune -exec rm -rf {} +

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(INSTALLED)
