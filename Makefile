# Every command a person needs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo up docs reference test browser pgbouncer test-models check format chaos bench-core bench-hot bench-webhooks bench-providers bench-cpu bench-forms bench-gpu bench-peers bench-backlog bench-soak bench-scale sim-scheduler gallery products product-texts wheel sbom clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: .venv/run.stamp ## Start a throw-away server, make two pictures, save them under demo-output/
	$(BIN)/python scripts/demo.py

up: .venv/run.stamp ## Serve in the foreground: API, worker, SQLite and files in ./unitask-data
	$(BIN)/unitask up

gallery: .venv/run.stamp ## Order every product from a throw-away server and lay the results out in docs/gallery/
	$(BIN)/python scripts/gallery.py

products: .venv/dev.stamp ## Order every product from a throw-away server and write its pages: docs/products
	$(BIN)/python scripts/products.py
	$(BIN)/python scripts/screenshot.py

product-texts: .venv/dev.stamp ## Write the texts of docs/products again, from the catalogue and the examples that are there
	$(BIN)/python scripts/products.py --texts

bench-providers: .venv/dev.stamp ## Measure jobs at a provider against a bare poller
	UNITASK_ALLOW_PRIVATE_NETWORKS=true $(BIN)/python bench/providers.py

bench-cpu: .venv/dev.stamp ## Measure what each product takes on this CPU, in seconds and memory, against a bare file
	$(BIN)/python bench/cpu.py

docs: .venv/dev.stamp ## Build the documentation into site/, which works from a server and from a disk
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

reference: .venv/dev.stamp ## Write the reference pages of routes, settings, commands, errors and events from the code
	$(BIN)/python scripts/reference.py

test: .venv/dev.stamp ## Run all tests, on SQLite and on PostgreSQL (which comes as a wheel)
	-@$(MAKE) --no-print-directory browser
	-@$(MAKE) --no-print-directory pgbouncer
	$(BIN)/pytest -n auto --dist worksteal

browser: ## Install Chromium for the browser tests, where it is missing, this is Debian and you are root
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium >/dev/null; } || \
		{ echo "The browser tests need Chromium and are skipped without it; on Debian: apt-get install chromium"; exit 1; }

pgbouncer: ## Install PgBouncer for its tests, where it is missing, this is Debian and you are root
	@command -v pgbouncer >/dev/null || test -x /usr/sbin/pgbouncer || \
		{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends pgbouncer >/dev/null; } || \
		{ echo "The tests of PgBouncer need it and are skipped without it; on Debian: apt-get install pgbouncer"; exit 1; }

test-models: .venv/models.stamp ## Test the engine of real models, on tiny checkpoints that the tests write; brings torch
	$(BIN)/pytest -n auto tests/models

check: .venv/dev.stamp ## Format, lint, types, layers, then all tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: .venv/dev.stamp ## Put the code into the house format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chaos: .venv/dev.stamp ## Let everything fail at random under 10,000 orders on each database; tasks=500 seed=7 databases=sqlite report=chaos.md
	PYTHONPATH=tests $(BIN)/python -m support.chaos \
		$(foreach name,tasks seed databases seconds lanes workers slots faults report,$(if $($(name)),--$(name) '$($(name))'))

bench-core: .venv/dev.stamp ## Measure the core against its floors, on SQLite and PostgreSQL
	$(BIN)/python bench/core.py

bench-hot: .venv/dev.stamp ## Measure the processor time of create, get, claim and settle, beside the floors
	$(BIN)/python bench/hot.py

bench-webhooks: .venv/dev.stamp ## Measure webhooks against the bare poster, on SQLite and PostgreSQL
	$(BIN)/python bench/webhooks.py

bench-forms: .venv/models.stamp ## Measure what smaller, cached and compiled networks save and cost
	$(BIN)/python bench/forms.py

bench-gpu: .venv/models.stamp ## Measure what serving adds to a full-size model on a GPU; says so where there is none
	$(BIN)/python bench/gpu.py

bench-peers: .venv/dev.stamp ## Measure Unitask beside other servers and queues, each in its own environment: docs/benchmarks.md
	$(BIN)/python bench/peers.py

bench-backlog: .venv/dev.stamp ## Measure claims with a million waiting tasks: docs/benchmarks.md
	$(BIN)/python bench/backlog.py

MINUTES ?= 15
bench-soak: .venv/dev.stamp ## Watch the memory of every process under a steady load for MINUTES: docs/benchmarks.md
	$(BIN)/python bench/soak.py --minutes $(MINUTES)

bench-scale: .venv/dev.stamp ## Measure what a task, a worker and a connection cost: docs/scale.md
	$(BIN)/python bench/scale.py

sim-scheduler: .venv/dev.stamp ## Simulate 10,000 workers and the order in which tasks are claimed: docs/scale.md
	$(BIN)/python bench/sim_scheduler.py

wheel: .venv/run.stamp ## Build source archives and wheels into dist/, twice, and see that both are the same bytes
	$(BIN)/python scripts/wheel.py dist

sbom: .venv/dev.stamp ## Write the bill of materials of what a server installs: dist/unitask.cdx.json, CycloneDX
	$(BIN)/python scripts/sbom.py dist/unitask.cdx.json

clean: ## Remove the virtual environment and what the tools left behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .bench demo-output docs/gallery dist site

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "This Python cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements/run.txt pyproject.toml sdk/pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable sdk --editable .
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/run.stamp
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

.venv/models.stamp: requirements/models.txt requirements/torch.constraints .venv/dev.stamp
	$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements/models.txt
	$(BIN)/pip install --quiet --constraint requirements/torch.constraints torch
	@touch $@
