# What people type. Needs make, Python 3.11 or later with venv, and git; everything else is fetched into .venv.
#
#   make run     the daemon on probes.yaml, with the practice platform beside it
#   make test    every test, with every real component this machine may install
#   make faults  kills, power cuts and simulated years without the bounds that they have in make test: an hour
#   make lint    ruff and mypy
#   make bench   the measurements of bench/
#   make lock    requirements/*.txt anew from pyproject.toml
#   make clean   remove what was made here

# The system's own Python comes first: it is built with profiling, and a service can reach it when /root is hidden from it.
PYTHON ?= $(shell for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
CONFIG ?= probes.yaml
# One worker a core, up to 8: each has servers of its own.
WORKERS ?= auto
BIN := .venv/bin
# Hashes make an index, a mirror or a proxy unable to slip anything in.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet
export PIP_ROOT_USER_ACTION = ignore
# Images of Python set it: then every worker of the tests, and every daemon that they start, compiles all there is anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test faults lint bench lock clean
.DELETE_ON_ERROR:

run: .venv/.run
	$(BIN)/sentinel run --demo -c $(CONFIG)

# ARGS=... is handed to pytest: make test ARGS="-k smtp"; WORKERS=0 runs them one by one.
test: .venv/.test
	$(BIN)/python tools/install-components
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal $(ARGS)

faults: .venv/.test
	$(BIN)/python tools/install-components
	SENTINEL_FAULTS=all $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal \
		tests/faults tests/simulator tests/store $(ARGS)

lint: .venv/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/.test
	$(BIN)/python -m bench $(ARGS)

lock:
	tools/lock $(ARGS)

clean:
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.made:
	@[ -n "$(PYTHON)" ] || { echo "Sentinel needs Python 3.11 or later; none was found. Set PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "making .venv with $(PYTHON)" >&2
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.made requirements/run.txt pyproject.toml
	@echo "installing Sentinel into .venv; the first time it takes a minute" >&2
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: .venv/.run requirements/test.txt
	@echo "installing what the tests need" >&2
	@$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@
