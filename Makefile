# Everything a developer does here, by name. Each target sets up what it needs and can be repeated.

ifeq ($(OS),Windows_NT)
$(error Windows is not supported; run make inside WSL (Windows Subsystem for Linux))
endif

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PY := .venv/bin/python
FARANDOLE := .venv/bin/farandole
SOURCES := $(wildcard libs/*/src services/*/src)
UNIT := $(wildcard libs/*/tests/unit services/*/tests)
PROJECTS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
# ingest.steps:service and its like, as `farandole run` and `farandole schemas` take them
SERVICES := $(sort $(foreach f,$(wildcard services/*/src/*/steps.py),$(notdir $(patsubst %/,%,$(dir $f))).steps:service))

# What may be said on the command line: make chaos KILLS=20 SEED=7, make rehearsal MUTANT=name, make check JOBS=1, make demo LOG=kafka,
# make kafka NODES=3, make chaos-kafka KILLS=20 BROKERS=2 SEED=7, make images SERVICES=tiling, make up PROFILE=full,
# make down WIPE=1
JOBS ?= auto
STAGES ?= 3
BROKERED ?= 4
KILLS ?= 100
BROKERS ?= 14
NETWORK ?= 40
SEED ?= 1
MUTANT ?=
BOOK ?=
PYTEST_ARGS ?=
CHECKED ?=
NODES ?= 1
MINUTES ?= 30
DIST ?= dist
BASE ?= python:3.13-slim
SILENT ?= 45
PROFILE ?= small
WIPE ?=
KEEP ?=
JSON ?=

.PHONY: help setup check format test demo kafka bench bench-kafka bench-observe soak-kafka chaos chaos-kafka hunt-kafka silence-kafka rehearsal proofs schemas dashboards sla-watcher wheels images lock clean s3 up down smoke k8s bench-scale simulate

help:  ## this list
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup:  ## make .venv and install the pinned versions (PYTHON=… chooses the Python)
	@PYTHON='$(PYTHON)' sh scripts/setup.sh

check: setup  ## formatting, lint, types, import rules, unit tests
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy $(SOURCES)
	.venv/bin/lint-imports --no-logo
	$(PY) -m pytest $(UNIT) -q -n $(JOBS) -m 'not slow and not e2e and not chaos' $(PYTEST_ARGS)

format: setup  ## format the code, and mend what ruff can mend
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# What starts services of its own runs a file at a time in each worker, for such a file shares what it started, and
# in more workers than there are cores, for it waits a lot (on brokers most of all); the storms of kills run alone, after
# the rest.
# CHECKED=1: `make check` has just passed, so the unit tests that it ran are not run again.
test: setup  ## every test: unit, contract, end to end, chaos
	$(PY) -m pytest $(if $(CHECKED),tests) -q -n $(JOBS) -m 'not slow and not e2e and not chaos' $(PYTEST_ARGS)
	$(PY) -m pytest --ignore tests/chaos --ignore tests/chaos_kafka --ignore tests/kafka --ignore tests/containers -q -n $(STAGES) --dist loadfile -m 'slow or e2e or chaos' $(PYTEST_ARGS)
	$(PY) -m pytest tests/kafka -q -n $(BROKERED) -m 'slow' $(PYTEST_ARGS)
	$(PY) -m pytest tests/containers -q -n 2 --dist loadfile -m 'slow' $(PYTEST_ARGS)
	$(PY) -m pytest tests/chaos -q $(PYTEST_ARGS)
	$(PY) -m pytest tests/chaos_kafka -q -m chaos $(PYTEST_ARGS)

demo: setup  ## a real Sentinel-2 scene becomes a catalogued product, under var/demo
	$(PY) -m scripts.demo $(if $(filter command,$(firstword $(origin LOG))),--log $(LOG))

kafka: setup  ## a real Apache Kafka in the foreground, until Ctrl-C: NODES=3 for three
	@$(PY) -m scripts.kafka --nodes $(NODES)

s3: setup  ## a real S3 server in the foreground, until Ctrl-C, for assets in a bucket
	@$(PY) -m scripts.s3

up: setup  ## the services in containers, with Kafka, PostgreSQL and Prometheus; PROFILE=objects: assets in S3; full: all there is
	@$(PY) -m scripts.compose up --profile $(PROFILE)

down: setup  ## end what `make up` started; WIPE=1 removes what it holds, too
	@$(PY) -m scripts.compose down $(if $(WIPE),--wipe)

smoke: setup  ## the scene of the demonstration through containers of its own: PROFILE=objects KEEP=name
	@$(PY) -m scripts.compose smoke --profile $(PROFILE) $(if $(KEEP),--keep $(KEEP)) $(if $(JSON),--json)

bench: setup  ## measure, print a table and one JSON object, exit 1 where a bar is missed
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	$(PY) -m tests.bench

bench-observe: setup  ## measure what it costs to see: folding, being up to date, memory, answers; exit 1 where a bar is missed
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	$(PY) -m tests.bench_observe

# The frameworks beside which it measures stand in .venv-peers, for they pin what .venv has newer. Nothing else may run meanwhile.
bench-kafka: setup  ## measure on a real Kafka, beside raw clients and other frameworks; exit 1 where a bar is missed
	sh tests/bench_kafka/peers.sh
	$(PY) -m tests.bench_kafka

bench-scale: setup  ## measure on a real Kafka what an event, a fact, a byte and a commit cost; exit 1 where the model is off
	@$(PY) -m tests.bench_scale; code=$$?; $(PY) -m scripts.scale --write docs/scale.md && exit $$code

simulate: setup  ## a simulated dance beside what was measured, and beyond it: to 100,000 events/s
	$(PY) -m scripts.scale.simulate $(if $(JSON),--json)

soak-kafka: setup  ## half of what a hop on a real Kafka can do, for MINUTES=30; exit 1 where something grows
	$(PY) -m tests.bench_kafka.soak --minutes $(MINUTES)

chaos: setup  ## kill services while they work: KILLS=100 SEED=1
	$(PY) -m tests.chaos --kills $(KILLS) --seed $(SEED)

chaos-kafka: setup  ## services, brokers and network fail on a real Kafka: KILLS=100 BROKERS=14 NETWORK=40 SEED=1 MUTANT=name BOOK=file
	$(PY) -m tests.chaos_kafka --kills $(KILLS) --brokers $(BROKERS) --network $(NETWORK) --seed $(SEED) $(if $(MUTANT),--mutant $(MUTANT)) $(if $(BOOK),--book $(BOOK)) --json

hunt-kafka: setup  ## plant every defect of the Kafka engine, one after the other, and say what has found it: SEED=1 BOOK=file
	$(PY) -m tests.chaos_kafka.hunt --seed $(SEED) $(if $(BOOK),--book $(BOOK))

silence-kafka: setup  ## each of three brokers stands still for SILENT=45 seconds; exit 1 where nobody goes on without it
	$(PY) -m tests.chaos_kafka.silence --seconds $(SILENT)

rehearsal: setup  ## perform the rehearsals by seeds: SEED=17 for one, MUTANT=name with a planted defect
	$(PY) -m tests.rehearsal $(if $(MUTANT),--mutant $(MUTANT)) $(if $(filter command line,$(origin SEED)),--seed $(SEED))

# Nothing else may run meanwhile. A bar that is missed ends the bench with 1; its proof is kept all the same.
proofs: setup  ## run rehearsal, chaos and the benches, and keep what they print under docs/proofs/
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	$(PY) -m scripts.proof rehearsal $(PY) -m tests.rehearsal
	$(PY) -m scripts.proof chaos $(PY) -m tests.chaos --kills $(KILLS) --seed $(SEED)
	-$(PY) -m scripts.proof bench $(PY) -m tests.bench
	-$(PY) -m scripts.proof bench-observe $(PY) -m tests.bench_observe

schemas: setup  ## write schemas/ from the services, and compare every consumer with every version
	$(FARANDOLE) schemas export $(SERVICES)
	$(FARANDOLE) schemas check $(SERVICES)

dashboards: setup  ## write deploy/grafana/ and deploy/prometheus/ from the services
	$(FARANDOLE) dashboards $(SERVICES) --out deploy

# Where the brokers are for pods; the SLA watcher wants a namespace.
K8S_LOG := kafka://farandole-kafka-bootstrap:9093/eo?security=sasl_ssl

k8s: setup  ## write deploy/kubernetes/ from the services: a kustomize base and its overlays
	$(FARANDOLE) k8s render $(SERVICES) --log '$(K8S_LOG)' --out deploy/kubernetes

sla-watcher: setup  ## make .venv-sla, the SLA watcher's own environment; docs/sla-watcher.md
	sh scripts/sla-watcher.sh

wheels: setup  ## build one wheel a package into DIST=dist
	for project in $(PROJECTS); do $(PY) -m build --wheel --no-isolation --outdir $(DIST) $$project || exit 1; done

images: setup  ## build container images: SERVICES="tiling observe" BASE=python:3.13-slim; docs/images.md
	@$(PY) -m scripts.containers --base $(BASE) $(if $(filter command line,$(origin SERVICES)),$(SERVICES))

lock: setup  ## resolve constraints.txt anew
	sh scripts/lock.sh

clean:  ## remove what was made here, .venv too; var/ stays
	rm -rf .venv .venv-sla .venv-peers build dist .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf $(addsuffix /dist,$(PROJECTS)) $(addsuffix /build,$(PROJECTS))
	find libs services tests scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
