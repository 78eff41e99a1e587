# Everything runs inside .venv, which `make install` makes when it is missing.
#   make demo    a synthetic table and its report, in out/
#   make test    all tests and doctests but the audits
#   make audit   privacy put to the test over many fits: a few minutes more
#   make lint    style, types and architecture

PYTHON ?= python3
# More arguments for pytest, for instance: make test PYTEST_ARGS="-k schema"
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One thread a process: the tests already run on two processes.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install demo test audit lint clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(STAMP)

# pip is the last thing that venv writes, so a half-made environment is made again.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[test,lint]"
	touch $@

demo: install
	mkdir -p out
	$(BIN)/tabsynth datasets write hospital_admissions -o out/admissions.csv --force
	$(BIN)/tabsynth deidentify out/admissions.csv --target readmitted --seed 7 \
		-o out/admissions.synthetic.csv \
		--report out/admissions.report.html \
		--json-report out/admissions.report.json \
		--card out/admissions.card.md \
		--force

test: install
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile --doctest-modules \
		-m "not audit" tests tabsynth $(PYTEST_ARGS)

audit: install
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist load -m audit tests $(PYTEST_ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(ONE_THREAD) $(BIN)/python -m pytest tests/architecture

clean:
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find tabsynth tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
