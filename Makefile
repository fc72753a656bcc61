# Two commands: `make demo` and `make test`. `make help` lists the rest.
# Everything goes into .venv; see scripts/setup.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# What is checked: those of these folders that exist.
CODE := $(wildcard broker tests examples bench chaos actions)

export PYTHON ?= python3

##@ Use

.PHONY: demo
demo: server ## One exchange from end to end, on this machine alone; leaves nothing running
	@$(BIN)/python examples/demo.py

.PHONY: run
run: server ## Start a broker for development on http://127.0.0.1:8080 (stop with Ctrl-C)
	@exec $(BIN)/broker serve --dev

##@ Check

.PHONY: test
test: dev lint types imports ## All checks and the whole suite, as CI runs it
	@scripts/test $(ARGS)

.PHONY: lint
lint: dev ## Ruff: rules and format; zizmor: the workflows and the actions; the policies and their tests
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check --quiet $(CODE) || { $(BIN)/ruff format --check $(CODE); exit 1; }
	@$(BIN)/zizmor --offline --quiet --no-progress .github/workflows actions
	@$(BIN)/broker policies check policies
	@$(BIN)/broker policies test policies

.PHONY: types
types: dev ## mypy, strict, tests included
	@$(BIN)/mypy $(CODE)

.PHONY: imports
imports: dev ## import-linter: which room may import which
	@$(BIN)/lint-imports --no-logo

.PHONY: cover
cover: dev ## Coverage of everything, line by line, in build/coverage
	@scripts/test $(ARGS)
	@$(BIN)/coverage report
	@$(BIN)/coverage html --quiet --directory build/coverage

.PHONY: bench
bench: dev ## Measurements: CPU per exchange beside a bare POST; introspection; Redis; policies in great number
	@$(BIN)/python -m bench.bench_exchange
	@$(BIN)/python -m bench.bench_introspection
	@$(BIN)/python -m bench.bench_redis
	@$(BIN)/python -m bench.bench_policies

.PHONY: bench-lists
bench-lists: dev ## The first page of the audit among five million events (10 GB of disk)
	@$(BIN)/python -m bench.bench_lists

.PHONY: bench-simulate
bench-simulate: dev ## A million decisions on record, decided again by changed policies (2 GB of disk)
	@$(BIN)/python -m bench.bench_simulate

.PHONY: bench-pin
bench-pin: dev ## The ids of 550 repositories and projects, learned from a million decisions (2 GB of disk)
	@$(BIN)/python -m bench.bench_pin

.PHONY: bench-access
bench-access: dev ## Access reviews of 20,000 policies and 2,000 accounts, of files and beside a store
	@$(BIN)/python -m bench.bench_access

.PHONY: bench-report
bench-report: dev ## What a million decisions on record say of the policies (2 GB of disk)
	@$(BIN)/python -m bench.bench_report

.PHONY: bench-observed
bench-observed: dev ## A million decisions on record beside observed policies, reported (2 GB of disk)
	@$(BIN)/python -m bench.bench_observed

.PHONY: chaos
chaos: dev ## Faults under load for CHAOS_SECONDS on each store: nothing lost, nothing spent twice
	@$(BIN)/python -m chaos.run

.PHONY: interop
interop: dev ## Relying parties in Go and Java, Vault, OpenBao: what they take and what they refuse
	@scripts/setup foreign
	@$(BIN)/pytest -o python_files='check_*.py' tests/interop/foreign $(ARGS)

.PHONY: bench-metrics
bench-metrics: dev ## What it costs to count, print and trace an exchange
	@$(BIN)/python -m bench.bench_metrics

.PHONY: bench-verify
bench-verify: dev ## A service that verifies a token, beside PyJWT, joserfc and npm jose
	@scripts/setup peers
	@$(BIN)/python -m bench.bench_verify

.PHONY: bench-client
bench-client: dev ## What a job waits for: the command, the action, the library
	@$(BIN)/python -m bench.bench_client

.PHONY: bench-peers
bench-peers: dev ## The same beside oidc-provider and Authlib
	@scripts/setup peers
	@$(BIN)/python -m bench.bench_peers

.PHONY: soak
soak: dev ## Ten minutes under load: memory stays flat (SOAK_SECONDS, BENCH_STORE=redis)
	@$(BIN)/python -m bench.soak

##@ Work

.PHONY: fmt
fmt: dev ## Format, and fix what Ruff can fix
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

.PHONY: hooks
hooks: dev ## Run formatter and linter before each commit (git hook)
	@$(BIN)/pre-commit install

.PHONY: lock
lock: server ## Write requirements/*.txt anew (make lock UPGRADE=1: newest versions)
	@scripts/lock $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove everything that make has made, .venv included; data/ stays
	@rm -rf .venv .make build dist *.egg-info .coverage .coverage.* coverage.xml
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf tests/interop/node_modules tests/gitlab/node_modules bench/peers/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Set-up (the others call these)

.PHONY: server
server: ## What the broker needs to run
	@scripts/setup server

.PHONY: dev
dev: ## What the tests and checks need, too
	@scripts/setup dev

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
