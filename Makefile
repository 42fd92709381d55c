# Dailies. `make` alone lists the targets; each sets up what it needs.
# Plain enough for GNU make 3.81 (macOS) and newer.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The first Python on the path that is new enough; `make PYTHON=/path/to/python3.12 …` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

PROMPT ?= a red panda surfing
OUT ?= out
# Scenarios wait for servers more than they compute: four keep two cores busy.
WORKERS ?= 4
SEEDS ?= 10000

# Universal: for every platform and supported Python; versions that still fit stay.
LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade)

# The tests start the bot some hundred times: without compiled files every start would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

# `make test` is a fixed sequence that ends with pytest's summary, with -j too.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup test lint format types contracts migrations-check manifest-check browser unit storm simulate naive \
	seeded-bugs demo demo-headless lock image clean

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## a virtual environment in .venv with everything for development

test: lint types contracts migrations-check unit ## every check, then the tests

demo: $(VENV)/.runtime ## the real bot in a pretend Slack workspace: no account, no key, no money
	$(BIN)/dailies demo

demo-headless: $(VENV)/.runtime ## one prompt through the whole path; the MP4 lands in out/ (PROMPT=…, OUT=…)
	$(BIN)/dailies demo --headless "$(PROMPT)" --out "$(OUT)"

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## let ruff sort, mend and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

contracts: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports --no-logo

migrations-check: $(VENV)/.dev ## the migrations build exactly the tables that the code declares
	$(BIN)/python -m storage.migrations check

manifest-check: $(VENV)/.dev ## manifest.yml against Slack's schema, and no scope without a use
	$(BIN)/pytest -q tests/unit/test_manifest.py

browser: ## a Chromium for the tests of the demo page: through apt as root, otherwise the one that is there
	@if [ -n "$$CHROMIUM" ]; then \
		[ -x "$$CHROMIUM" ] && exit 0; echo "CHROMIUM=$$CHROMIUM cannot be run" >&2; exit 1; fi; \
	for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v "$$name" >/dev/null && exit 0; done; \
	if [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium for the browser tests (once)"; export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium >/dev/null; \
	else echo "The browser tests need Chromium: sudo apt-get install chromium (or set CHROMIUM=/path/to/it)" >&2; exit 1; fi

unit: $(VENV)/.dev browser ## pytest alone (WORKERS=…)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

storm: $(VENV)/.dev ## the long rest of the fault matrix; its sums land in out/storm.md (SEED=…, WORKERS=…)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m storm $(if $(SEED),--seed $(SEED))

seeded-bugs: $(VENV)/.dev ## break a copy of the tree in each known way, and see the tests catch it (some minutes; SEARCH=1: all tests over each, an hour or so)
	$(BIN)/python -m tests.seeded_bugs $(if $(SEARCH),--search)

naive: $(VENV)/.dev ## the storm's scripts with a bot without any care, its figures beside ours (SEED=…, EACH=…)
	$(BIN)/python -m tests.naive.compare $(if $(SEED),--seed $(SEED)) $(if $(EACH),--each $(EACH))

simulate: $(VENV)/.dev ## whole lives under a virtual clock, over all cores; a seed is one life and replays (SEEDS=…)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

lock: $(VENV)/.dev ## rewrite the locks after a change in pyproject.toml (UPGRADE=1 raises versions)
	$(BIN)/uv pip compile $(LOCK) --group build pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile $(LOCK) --group dev --constraint requirements.lock pyproject.toml \
		--output-file requirements-dev.lock

image: ## a container image, dailies:local
	docker build --tag dailies:local .

clean: ## remove what these targets made, the virtual environment too; data/ stays
	rm -rf $(VENV) out dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find bot handlers storage tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps stand in the environment, so that both go together. The development lock holds everything in
# the runtime lock at the same versions, hence one installation serves both stamps.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Dailies needs Python 3.11 or newer: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/pip
	@echo "Setting up $(VENV) to run (once; a minute or so)"
	$(PIP) install --require-hashes --no-deps --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/pip
	@echo "Setting up $(VENV) for development (once; a minute or two)"
	$(PIP) install --require-hashes --no-deps --requirement requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime
