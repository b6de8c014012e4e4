# make build      make .venv, install what is missing, build the core     (needs Python >= 3.10,
# make serve      run the server:     make serve ARGS="-m x.gguf"          a C/C++ compiler and
# make test       run the tests:      make test ARGS="tests/core -x"       CMake, nothing else)
# make debug      build the core with checks and invariants, run its tests
# make lint       ruff, cython-lint, mypy          make format   let ruff rewrite the Python files
# make annotate   Cython's annotated HTML          make bench    run the benchmarks
# make peers      build llama-server, a peer that the benchmarks have
# make clean      remove what was built            make distclean   and .venv
#
# llama-cpp-python is built from source with the flags in CMAKE_ARGS, once per machine and flags:
#   CMAKE_ARGS=-DGGML_CUDA=ON make build

PYTHON ?= python3
ARGS ?=
BUILD_DEPS := "setuptools>=77" "cython>=3.1,<4"

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BUILD_EXT := $(BIN)/python setup.py -q build_ext --inplace
CORE := setup.py $(wildcard $(addprefix llamabox/_core/,*.pyx *.pxd *.h src/*))

# Only the recipe of the debug build says otherwise.
export LLAMABOX_DEBUG := 0

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: build serve test debug lint format annotate bench peers clean distclean

build: .venv/run build/release.stamp
	@$(BIN)/python scripts/wheel_cache.py install

serve: build
	$(BIN)/llamabox $(ARGS)

# Without the sources, the tests that read them are skipped.
test: build .venv/with-test
	@$(BIN)/python scripts/wheel_cache.py sources >/dev/null || true
	$(BIN)/python -m pytest $(ARGS)

debug: .venv/run .venv/with-test build/debug.stamp
	$(BIN)/python -m pytest $(or $(ARGS),tests/core)

lint: build .venv/with-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint llamabox
	$(BIN)/mypy

format: .venv/run .venv/with-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: build .venv/with-bench
	$(BIN)/python -m bench $(ARGS)

peers: build .venv/with-bench
	$(BIN)/python -m bench.peers.build_llama_server

annotate: .venv/tools
	LLAMABOX_ANNOTATE=1 $(BIN)/python setup.py -q --name
	@ls build/annotate/llamabox/_core/*.html

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache llamabox/_core/*.so
	find . -name .venv -prune -o -name __pycache__ -exec rm -rf {} +

distclean: clean
	rm -rf .venv

# Stamps. The core's libraries of one mode at a time lie in the source tree, so each mode's build
# withdraws the other's stamp. The editable installs leave the core to BUILD_EXT.

.venv/tools: pyproject.toml scripts/preflight.sh
	@scripts/preflight.sh $(PYTHON)
	@test -x $(BIN)/python || { echo "creating .venv"; $(PYTHON) -m venv .venv; }
	$(PIP) install $(BUILD_DEPS)
	@touch $@

.venv/run: .venv/tools scripts/wheel_cache.py
	$(BIN)/python scripts/wheel_cache.py install
	LLAMABOX_MODULES=none $(PIP) install --no-build-isolation -e .
	@touch $@

.venv/with-%: .venv/run
	LLAMABOX_MODULES=none $(PIP) install --no-build-isolation -e ".[$*]"
	@touch $@

build/release.stamp: .venv/tools $(CORE)
	$(BUILD_EXT)
	@mkdir -p build; rm -f build/debug.stamp; touch $@

build/debug.stamp: .venv/tools $(CORE)
	LLAMABOX_DEBUG=1 $(BUILD_EXT)
	@rm -f build/release.stamp; touch $@
