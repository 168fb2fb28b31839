# Two commands: `make lab` and `make test`. Everything is installed into .venv, with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# In a container one is often root, which Jupyter refuses without being told; it listens on this machine alone.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# Threads that spin while they wait make a picture five times as slow where the cores have other work too.
export OMP_WAIT_POLICY ?= passive

.DEFAULT_GOAL := help
.PHONY: help lab demo test lint types clean

help:
	@echo "make lab   JupyterLab on the quickstart notebook"
	@echo "make demo  the main job without a browser: writes out/demo.png"
	@echo "make test  lint, unit, notebook, browser and wheel tests"
	@echo "make lint  style and import rules alone"
	@echo "make types type checking (pyright; it fetches Node.js where there is none)"
	@echo "make clean removes .venv, out and caches"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("anchorgen needs Python 3.11 or newer; this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[notebooks,world,train,dev]"
	@touch $@

lab: $(STAMP)
	$(BIN)/jupyter trust notebooks/*.ipynb > /dev/null
	$(BIN)/jupyter lab --ip=127.0.0.1 $(AS_ROOT) --LabApp.default_url=/lab/tree/notebooks/00_quickstart.ipynb

demo: $(STAMP)
	$(BIN)/python -m anchorgen demo --out out/demo.png

test: $(STAMP) lint
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=600 tests notebooks

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=widgets $(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/pyright

clean:
	rm -rf $(VENV) out dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
