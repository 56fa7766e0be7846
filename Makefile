# make demo    train a network on real images through our kernels, in about a minute
# make test    the tests; ends with pytest's summary
# make test-apps   those of the applications: each trains a little on its real data
# make test-simulator   the CUDA kernels in every dtype, on the device cuda, by NVRTC, the ladders and the lessons: minutes of compilation
# make test-numba-cuda   Numba's CUDA kernels: in its simulator, and compiled to PTX where there is a toolkit
# make test-browser   the explorer's page in Chromium (apt-get install chromium), and its accessibility
# make lint    ruff, ruff format, mypy --strict
# make bench   the benchmarks against NumPy and PyTorch (PyTorch where it is installed)
# make gpu-check   on a machine with an NVIDIA GPU: contracts, sanitizers, counters, benchmarks; installs nothing
# make docs    write docs/operations.md anew from the contracts
# make site    the documentation as a site in build/site/html; a link that leads nowhere is an error
# make fields  train every application on real data and write docs/fields.md; an interrupted training goes on
# make data    fetch what applications read from packages' source archives, into ~/.cache/pyneural/data
# make budget  registers, spills and machine code of every kernel for sm_80 and sm_90a; needs nvcc
# make cubin   every kernel for every architecture, in build/cubin; needs nvcc, takes many minutes once
# make kernels write docs/kernels.md anew: compiled, disassembled, counted in the simulator; needs nvcc
# make clean   remove what the other targets made, .venv included
#
# Each creates .venv and installs what it needs. Another Python: make test PYTHON=python3.12
# PyTorch is never installed: tests that compare with it are skipped where it is missing
# (.venv/bin/python -m pip install torch adds it).

.DEFAULT_GOAL := help
.PHONY: help demo test test-apps test-simulator test-numba-cuda test-browser lint bench gpu-check docs site fields data \
	budget cubin kernels clean
.DELETE_ON_ERROR:
SHELL := /bin/bash

# The first interpreter that runs and has a version we support.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	"$$each" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$each" && break; done)

VENV := .venv
PY := $(VENV)/bin/python
REGULAR := build/regular
comma := ,

# A virtual environment or Python path of the caller's must not leak in.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

# Data that are in a package's source archive alone.
DATA := $(or $(PYNEURAL_DATA),$(HOME)/.cache/pyneural/data)
VADER := $(DATA)/vaderSentiment-3.3.2.tar.gz

# Worker processes of the tests: two of them compile kernels side by side. WORKERS=0 runs all in one process.
WORKERS ?= 2
# A worker that crashes ends the run: pytest-xdist's replacement of it may wait for ever (pytest-xdist issue 1323).
PYTEST := $(PY) -m pytest -n $(WORKERS) --max-worker-restart 0
PYTEST_ARGS ?=

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/.installed-demo
	$(VENV)/bin/pyneural demo

test: $(VENV)/.installed-apps-test
	$(PYTEST) --dist loadgroup --ignore tests/pyneural/apps $(PYTEST_ARGS)

test-apps: $(VENV)/.installed-apps-test
	$(PYTEST) --dist loadgroup tests/pyneural/apps $(PYTEST_ARGS)

# The lessons have processes of their own: what their hundreds of wrong kernels do to a process reaches no other test.
SIMULATED := $(PYTEST) --dist loadgroup -m "(simulator or every_dtype or nvrtc) and not slow"
test-simulator: $(VENV)/.installed-apps-test
	$(SIMULATED) tests/csrc tests/gpu tests/kernels tests/pyneural/apps tests/pyneural/cuda $(PYTEST_ARGS)
	$(SIMULATED) tests/pyneural/learn $(PYTEST_ARGS)

# The variable decides at Numba's import what its CUDA kernels are, so each has processes of its own.
test-numba-cuda: $(VENV)/.installed-apps-test
	NUMBA_ENABLE_CUDASIM=1 $(PYTEST) -m numba_cuda tests/numba_cuda $(PYTEST_ARGS)
	NUMBA_ENABLE_CUDASIM=0 $(PYTEST) -m numba_cuda tests/numba_cuda/test_ptx.py $(PYTEST_ARGS)

test-browser: $(VENV)/.installed-apps-browser-test
	$(PY) -m pytest tests/pyneural/explore/test_browser.py $(PYTEST_ARGS)

# The types are checked on a regular installation: an editable one maps folders by an import hook, which mypy cannot see.
lint: $(VENV)/.installed-apps-dev-test
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	mkdir -p build && find build -mindepth 1 -maxdepth 1 ! -name cubin -exec rm -rf {} +
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --target $(REGULAR) .
	cd $(REGULAR) && ../../$(PY) -m mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p pyneural

# Both variables choose a slower OpenBLAS kernel than the machine's own; the comparison must not profit from it.
bench: $(VENV)/.installed-apps-bench
	set -e; for each in bench/bench_*.py; do \
		env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PY) -m bench.$$(basename $$each .py); done

# With the environment's Python if there is one, else with the machine's; GPU_CHECK="--minutes 9 --resume" has options.
GPU_CHECK ?=
gpu-check:
	@py="$(if $(wildcard $(PY)),$(PY),$(PYTHON))"; \
		test -n "$$py" || { echo "no Python 3.10 to 3.13 found; name one: make gpu-check PYTHON=/path/to/python3" >&2; exit 1; }; \
		PYTHONPATH="$(CURDIR)" "$$py" -m bench.gpu_check $(GPU_CHECK)

docs: $(VENV)/.installed-apps
	$(PY) docs/generate.py

site: $(VENV)/.installed-docs
	$(PY) docs/site.py
	$(PY) -m mkdocs build --quiet --strict -f build/site/mkdocs.yml

# FIELDS="digits --seeds 0 1 2" trains some, with more seeds.
FIELDS ?=
fields: $(VENV)/.installed-apps $(VADER)
	$(PY) -m bench.fields $(FIELDS)
	$(PY) docs/fields.py

# BUDGET="--dtype float32" compiles a part.
BUDGET ?=
budget: $(VENV)/.installed-bench-cubin
	$(PY) -m bench.kernels.budget $(BUDGET)

cubin: $(VENV)/.installed-bench-cubin
	$(PY) -m bench.kernels.cubin

kernels: $(VENV)/.installed-bench-cubin
	$(PY) -m bench.kernels.budget --write
	$(PY) -m bench.kernels.traffic
	$(PY) -m bench.kernels.page

clean:
	rm -rf $(VENV) build dist runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

data: $(VADER)

$(VADER): | $(PY)
	$(PY) -m pip download --quiet --no-deps --no-binary :all: --dest "$(DATA)" vaderSentiment==3.3.2

# .installed-apps-test: the package with its extras "apps" and "test", in editable form.
$(VENV)/.installed-%: pyproject.toml setup.py | $(PY)
	@echo "installing pyneural[$(subst -,$(comma),$*)] into $(VENV)"
	@$(PY) -m pip install --quiet --disable-pip-version-check "setuptools>=68" wheel
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[$(subst -,$(comma),$*)]"
	@touch $@

$(PY):
	@test -n "$(PYTHON)" || { echo "no Python 3.10 to 3.13 found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
		{ echo "$(PYTHON) is not Python 3.10 to 3.13" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
