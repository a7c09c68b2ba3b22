# The commands of this repository. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DISTRIBUTIONS := shared services/node services/hub
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
ANSIBLE_READY := $(VENV)/.ansible-ready
IMAGES := build/images

.PHONY: help run test test-containers test-monitoring unit fuzz coverage lint types bench docs screenshot lock images pi test-rollout test-rollout-full lint-ansible clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: $(RUN_READY)  ## hub and four cameras on this machine (SOURCE=video adds footage, CAMERAS=n, BIND=0.0.0.0)
	@$(BIN)/python deploy/local/run.py $(if $(SOURCE),--source "$(SOURCE)") $(if $(CAMERAS),--cameras "$(CAMERAS)") $(if $(BIND),--bind "$(BIND)")

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"found Python {v.major}.{v.minor}, want 3.11 or newer: make PYTHON=python3.11")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "found Python without ensurepip, want it: apt install python3-venv"; exit 1; }
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

test: $(DEV_READY)  ## set up what is needed and run every check and test
	@tests/install-chromium.sh
	@$(MAKE) --no-print-directory lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/property tests/integration
	$(BIN)/python -m pytest tests/browser

test-monitoring: $(DEV_READY)  ## rules with promtool, every query, and the alerts of a fleet in trouble, in minutes
	@tests/monitoring/install.sh
	$(BIN)/python -m pytest tests/monitoring

# A builder whose network has a certificate authority of its own trusts it already.
test-containers: export EXTRA_CA ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
test-containers: $(DEV_READY)  ## build both images, and test them in a Docker engine, in some minutes
	@tests/containers/engine.sh
	@tests/install-chromium.sh
	$(BIN)/python -m pytest tests/containers

$(ANSIBLE_READY): $(BIN)/python requirements/ansible.txt
	@echo "installing the locked Ansible into $(VENV)"
	$(PIP) install --require-hashes -r requirements/ansible.txt
	@touch $@

# Archives that the playbooks copy to hosts without a registry; their layers are compressed.
SOURCES := $(shell find shared services -name '*.pyc' -prune -o -type f -print)
$(IMAGES)/camfleet-%.tar: $(wildcard requirements/*.txt) $(SOURCES)
	@mkdir -p $(IMAGES)
	docker buildx build --provenance=false --platform linux/$(lastword $(subst -, ,$*)) \
	    --file services/$(firstword $(subst -, ,$*))/Dockerfile --build-arg VERSION=$(or $(VERSION),local) \
	    --build-arg BASE_IMAGE=$(or $(BASE_IMAGE),debian:trixie-slim) \
	    --secret id=extra_ca,src=$(or $(EXTRA_CA),/dev/null) \
	    --tag camfleet-$(firstword $(subst -, ,$*)):$(or $(VERSION),local) --output type=docker,dest=$@ .

images:  ## images for the roll-out, as archives (ARCHIVES="node-arm64 hub-amd64", VERSION=name)
	rm -f $(foreach name,$(or $(ARCHIVES),node-arm64 hub-amd64),$(IMAGES)/camfleet-$(name).tar)
	@$(MAKE) --no-print-directory $(foreach name,$(or $(ARCHIVES),node-arm64 hub-amd64),$(IMAGES)/camfleet-$(name).tar)

pi: $(ANSIBLE_READY)  ## make one Pi a node of this machine's hub (HOST=pi@garden, CAMERAS=json, WORDS=...)
	@test -n "$(HOST)" || { echo "want HOST, such as make pi HOST=pi@garden"; exit 2; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python deploy/ansible/pi.py "$$HOST" $${CAMERAS:+--cameras="$$CAMERAS"} $${WORDS:+--words="$$WORDS"}

lint-ansible: $(ANSIBLE_READY)  ## ansible-lint, profile production
	cd deploy/ansible && PATH="$(CURDIR)/$(BIN):$$PATH" ansible-lint --offline --profile production

test-rollout test-rollout-full: export EXTRA_CA ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
test-rollout test-rollout-full: $(DEV_READY) $(ANSIBLE_READY) lint-ansible
	@tests/containers/engine.sh
	@tests/rollout/tools.sh
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/rollout $(if $(filter %-full,$@),,-m "not thorough")

test-rollout:  ## the playbooks over SSH, from blank hosts to frames, upgraded and rolled back
test-rollout-full:  ## the same, and what takes longer

unit: $(DEV_READY)  ## the unit tests alone, in seconds
	$(BIN)/python -m pytest -q tests/unit

fuzz: $(DEV_READY)  ## a million inputs for all parsers, led by coverage (INPUTS=n)
	$(PIP) install --require-hashes -r requirements/fuzz.txt
	$(BIN)/python tests/fuzz/run.py $(if $(INPUTS),--inputs "$(INPUTS)")

coverage: $(DEV_READY)  ## branch coverage of the tests without a browser
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q tests/unit tests/property tests/integration
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

lint: $(DEV_READY)  ## ruff, its formatter included
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(DEV_READY)  ## mypy, strict
	$(BIN)/mypy

bench: $(DEV_READY)  ## run every benchmark and rebuild the tables of docs/performance.md
	for name in ingest raw link restart fleet curve node metrics wall; do $(BIN)/python benchmarks/$$name.py --json benchmarks/results/$$name.json || exit 1; done
	$(BIN)/python benchmarks/tables.py

screenshot: $(DEV_READY)  ## take the pictures of the wall in docs/ anew
	CAMFLEET_SCREENSHOTS=$(CURDIR)/docs $(BIN)/python -m pytest -q tests/browser -k photographed

docs: $(DEV_READY) $(ANSIBLE_READY)  ## write what is made from settings and roles: docs/configuration.md and others
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/generate_metrics.py
	$(BIN)/python deploy/grafana/dashboards.py
	$(BIN)/python deploy/ansible/export_settings.py
	$(BIN)/python deploy/ansible/export_variables.py

lock: $(BIN)/python  ## lock the newest versions of all dependencies (PACKAGE=name: of that one)
	$(PIP) install uv
	PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh $(if $(PACKAGE),--upgrade-package $(PACKAGE),--upgrade)

clean:  ## remove what was made here
	rm -rf $(VENV) build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
