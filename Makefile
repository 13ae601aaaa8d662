PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run
DEV_STAMP := $(VENV)/.dev
BENCH_STAMP := $(VENV)/.bench

# A lock names everything. Without --no-deps pip asks for an extra's newest version, and finds no hash.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
  --no-emit-find-links --custom-compile-command 'make lock' --upgrade

.DEFAULT_GOAL := help
# Also with -j: what must be installed is asked for before the first test.
.NOTPARALLEL:
.PHONY: help run setup test test-long contracts screenshots simulate bench check format wheel lock clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(RUN_STAMP): pyproject.toml requirements.lock requirements-build.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Touchline needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.lock -r requirements-build.lock
	$(INSTALL) --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements-dev.lock
	$(INSTALL) -r requirements-dev.lock
	@touch $@

$(BENCH_STAMP): $(DEV_STAMP) requirements-bench.lock
	$(INSTALL) -r requirements-bench.lock
	@touch $@

run: $(RUN_STAMP)  ## everything in one go on the embedded default, with the demo match
	@$(BIN)/touchline up --demo

check: $(DEV_STAMP)  ## what one runs before each commit: format, lint, types, imports, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m pytest -q -n 2 tests/unit --cov --cov-fail-under=100 --cov-report=term-missing:skip-covered

setup: $(DEV_STAMP)  ## what the tests need beyond .venv: Java, Kafka's jars, Chromium
	$(BIN)/python -m tests.setup

format: $(DEV_STAMP)  ## write the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup check  ## everything, on real Kafka and PostgreSQL
	$(BIN)/python -m pytest -n 2 tests/simulation
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -m "not long" tests/integration
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not long" tests/browser

test-long: test  ## the long runs too
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -m long tests/integration
	$(BIN)/python -m pytest -m long tests/browser

bench: $(BENCH_STAMP)  ## measure it beside a ceiling and a naive way: BENCH="goal latency" takes some
	$(BIN)/python -m benchmarks $(BENCH)

contracts: $(DEV_STAMP)  ## write OpenAPI and AsyncAPI into docs/api again, from the code
	$(BIN)/python -m docs.contracts

screenshots: setup  ## take the pictures of the pages in docs/pages again
	$(BIN)/python -m docs.screenshots

wheel: $(RUN_STAMP)  ## Touchline as one file, into dist
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

SEEDS ?= 10000
FIRST ?= 0

simulate: $(DEV_STAMP)  ## the whole system under simulated faults: SEEDS=10000 FIRST=0
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

lock: $(DEV_STAMP)  ## newest versions within the ranges into the lock files
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --group build -o requirements-build.lock
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev pyproject.toml -o requirements-dev.lock
	$(COMPILE) --extra dev --extra bench pyproject.toml -o requirements-bench.lock

clean:  ## remove what was installed; data in .touchline stays
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
