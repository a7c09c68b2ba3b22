# The commands of this repository. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DISTRIBUTIONS := shared services/node services/hub
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready

.PHONY: help run test unit check lint types docs bench screenshot lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(RUN_READY)  ## hub and four cameras on this machine (SOURCE=video adds footage, CAMERAS=n, BIND=0.0.0.0)
	@$(BIN)/python deploy/local/run.py $(if $(SOURCE),--source "$(SOURCE)") $(if $(CAMERAS),--cameras "$(CAMERAS)") $(if $(BIND),--bind "$(BIND)")

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"found Python {v.major}.{v.minor}, want 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# The build backend comes from the lock too, so that nothing unlocked is fetched.
$(RUN_READY): $(BIN)/python requirements/node.txt requirements/hub.txt requirements/build.txt $(DISTRIBUTIONS:%=%/pyproject.toml)
	@echo "installing the locked dependencies into $(VENV)"
	$(PIP) install --require-hashes -r requirements/build.txt -r requirements/node.txt -r requirements/hub.txt
	$(PIP) install --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e %)
	@touch $@

$(DEV_READY): $(RUN_READY) requirements/dev.txt
	@echo "installing the tests' locked dependencies into $(VENV)"
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
