# make book, make test; serve, check, test-exports, test-offline, test-colab, test-lowest,
# test-gpu, clean.
# See book/contributing.md.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLDEST := (3, 11)
TOO_NEW := (3, 14)

# The first interpreter that runs and is new enough: a name on PATH proves neither (pyenv shims).
works = $(1) -c 'import sys; sys.exit(not $(OLDEST) <= sys.version_info[:2] < $(TOO_NEW))' >/dev/null 2>&1
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	if $(call works,$$python); then echo $$python; break; fi; done)

export TF_CPP_MIN_LOG_LEVEL := 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Photos of real people, where a folder of prepared sets lies beside the checkout.
ifneq ($(wildcard ../shared/data),)
export SEGLIB_DATA ?= $(abspath ../shared/data)
endif

.PHONY: book test check serve test-exports test-offline test-colab test-lowest test-gpu constraints clean

# Where npm's registry cannot be reached the demo's page says so; the book is built all the same.
book: $(READY)
	$(BIN)/python book/live_demo/assemble.py
	$(BIN)/python tests/chapter_run.py
	$(BIN)/jupyter-book build build/book --path-output . -W -n --keep-going
	@echo "The book: $(CURDIR)/_build/html/index.html"

test: check
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check seglib tests
	$(BIN)/ruff check --quiet --select F821 notebooks
	$(BIN)/codespell
	$(BIN)/python tests/chapter_contract.py
	$(BIN)/python tests/address.py

# Every network to every target, and the chapters with nothing but what seglib brings: long.
test-exports: $(READY)
	$(BIN)/python -m pytest -m exports

test-offline: $(READY)
	$(BIN)/python -m pytest -m offline

serve:
	@test -f _build/html/index.html || { echo "There is no book yet: run make book"; exit 1; }
	@echo "http://localhost:8000 (Ctrl-C ends it)"
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

# The newest and the oldest runtime that readers can choose.
test-colab:
	$(if $(PYTHON),$(PYTHON),python3) tests/colab/run.py newest oldest

# The lower bound of everything that pyproject.toml promises to run with.
test-lowest:
	$(if $(PYTHON),$(PYTHON),python3) tests/colab/run.py lowest

# A software Vulkan device comes with Debian's Chromium; elsewhere any Vulkan driver will do.
test-gpu: $(READY)
	@test -e /usr/lib/chromium/libvk_swiftshader.so -a -e /usr/lib/$$(uname -m)-linux-gnu/libvulkan.so.1 \
		|| { command -v apt-get >/dev/null && apt-get install -qq -y chromium-common libvulkan1; } \
		|| echo "No software Vulkan could be installed: trying this machine's own"
	$(BIN)/python -m pytest -m gpu

# Pins every dependency for every Python that we support; run it after changing requirements.txt.
constraints: $(READY)
	$(BIN)/python -m pip install --quiet uv==0.13.8
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --no-annotate --quiet \
		--custom-compile-command "make constraints" requirements.txt --output-file constraints.txt

clean:
	rm -rf _build build dist runs .venv .venv-colab *.egg-info .pytest_cache .hypothesis .ruff_cache

$(READY): requirements.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: install one, or say make PYTHON=/path/to/python"; exit 1; }
	@$(call works,$(PYTHON)) || { echo "$(PYTHON) does not run or is not Python 3.11, 3.12 or 3.13"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps pnnx==20261020 # converts to ncnn without PyTorch
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
