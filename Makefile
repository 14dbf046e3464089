# Needs GNU make 3.81 or later, and Python 3.11 to 3.14. PYTHON=… chooses one.
PYTHON ?= $(shell for version in 3.11 3.12 3.13 3.14; do \
	for name in python$$version python3 python; do \
	"$$name" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$version')" 2>/dev/null \
	&& { echo "$$name"; exit; }; done; done)
VENV = .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
# Set in many containers; the suite starts hundreds of processes, and each would compile our code.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test bench chaos fuzz walks check lint types mypy pyright contracts venv clean sbom audit secrets

demo: $(STAMP)
	$(BIN)/placet demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.lock
	$(BIN)/python -m bench

# RUNS and SEED say how many runs, and of which seeds; JOBS, how many stacks stand side by side.
RUNS ?= 500
SEED ?= 1
JOBS ?= 1
chaos: $(STAMP)
	$(BIN)/python -m bench.chaos --runs $(RUNS) --seed $(SEED) --jobs $(JOBS)

# Many requests made up from the API's own description, others each time: FUZZ for each route.
FUZZ ?= 100
fuzz: $(STAMP)
	PLACET_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz --timeout 0

# People who do things at random, and the audit that judges: so many walks of each kind, from SEED on.
WALKS ?= 20
walks: $(STAMP)
	PLACET_WALKS=$(WALKS) PLACET_WALKS_FROM=$(SEED) $(BIN)/python -m pytest tests/walks --timeout 0

check: lint types contracts
	$(BIN)/placet demo --script
	$(MAKE) test

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: mypy pyright

mypy pyright: $(STAMP)
	$(BIN)/$@

contracts: $(STAMP)
	$(BIN)/lint-imports

sbom: $(STAMP)
	$(BIN)/python .ci/sbom.py sbom.json

secrets: $(STAMP)
	$(BIN)/python .ci/secrets.py

# Asks the advisory databases, so it needs the network; in a place of its own, as its needs are not ours.
audit: $(STAMP)
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.audit/bin/pip-audit --requirement requirements.lock --require-hashes --disable-pip

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is missing: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

clean:
	rm -rf $(VENV) .audit sbom.json
