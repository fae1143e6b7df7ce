# Each target installs what it needs first. `make run ARGS="task=sqa merge.ratio=0.3"`
# With BIN=/path/to/python/bin nothing is installed (a machine without network): the Python there must have the
# dependencies, pytest among them for tests; this package is then used from where it lies.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HARDWARE ?= h100
N ?= auto
QUICK ?= tests/layout tests/ops tests/reduction tests/files tests/statistics
INSTALLED := $(VENV)/.installed
PAPER ?= outputs/paper_tables
VLLM ?= .cache/vllm
ENERGY := $(VENV)/.installed-energy
# Neighbouring tests share what they build: each process begins with a half of them in their order, and takes over others'.
PYTEST = $(BIN)/python -m pytest -n $(N) --maxprocesses 8 --dist worksteal
ifeq ($(origin BIN),command line)
INSTALLED :=
ENERGY :=
endif

test test-slow quick: export OMP_NUM_THREADS ?= 1

.PHONY: help install run test test-slow test-all test-long vllm test-vllm bench-vllm quick check format docs sweep-local tables table-texts paper-tables page-check bench bench-gpu clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

install: $(INSTALLED)  ## create .venv with the pinned versions

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.installed-energy: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[energy]'
	touch $@

run: install     ## one evaluation: make run ARGS="task=sqa merge.ratio=0.3"
	$(BIN)/python run.py $(ARGS)

test: install    ## what every change must pass first, in parallel and offline: make test ARGS="-k chain" N=0
	$(PYTEST) -m "not slow and not long" $(ARGS)

test-slow: install  ## the rest of what .ci/run runs: whole commands in processes, killed runs, every combination
	$(PYTEST) -m "slow and not long" $(ARGS)

test-all: test test-slow  ## both

test-long: install  ## W&B agents, launchers and killed runs of several processes: minutes of waiting, a few tests
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	$(BIN)/python -m pytest -m long $(ARGS)

vllm: $(VLLM)/.installed  ## an environment of its own with vLLM for CPUs and this package: make vllm VLLM=FOLDER

# uv, since only it can let vLLM take a build of torch under another name. Several GB: PyPI's build is the one for CUDA.
$(VLLM)/.installed: pyproject.toml experiments/serving/requirements.txt experiments/serving/overrides.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	$(VLLM)/bin/uv pip install --quiet --python $(VLLM)/bin/python --override experiments/serving/overrides.txt -r experiments/serving/requirements.txt -e .
	touch $@

test-vllm: vllm  ## the tests that need vLLM: engines and a real server on this CPU, about ten minutes
	OMP_NUM_THREADS=1 $(VLLM)/bin/python -m pytest -p no:cacheprovider tests/serving $(ARGS)

bench-vllm: vllm  ## what reduction brings to a server: experiments/results/serving
	$(VLLM)/bin/python -m experiments.serving.equality --out experiments/results/serving/equality.json
	$(VLLM)/bin/python -m experiments.serving.cost --out experiments/results/serving/cost.json
	$(VLLM)/bin/python -m experiments.serving.cost --capacity --out experiments/results/serving/cost.json

quick: install   ## tests that need no whole run, about a minute on two idle cores; another folder: QUICK=tests/tasks
	$(PYTEST) -m "not slow and not long" $(QUICK) $(ARGS)

check: install   ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install  ## rewrite files in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install    ## write the generated parts of the documents and the names for type checkers
	$(BIN)/python -m experiments.tools.documents

sweep-local: install  ## a W&B sweep file without W&B: make sweep-local SWEEP=sweeps/asr.yaml ARGS="task.limit=16"
	$(BIN)/python -m fastadasp sweep $(SWEEP) $(ARGS)

tables: install  ## every method against FLOPs saved on four tasks of the embedded model; goes on where it stopped
	$(BIN)/python -m fastadasp grid experiments/grids/tiny.yaml --out experiments/results/tiny_tables $(ARGS)
	$(BIN)/python -m experiments.tools.measured

paper-tables: install  ## tables 1 and 2 of the paper, its own figures beside; goes on where it stopped. WavLLM: PAPER=outputs/wavllm ARGS="model=wavllm model.path=... hardware=h100"
	$(BIN)/python -m fastadasp grid experiments/grids/paper.yaml --out $(PAPER) $(ARGS)
	$(BIN)/python -m experiments.tools.paper $(PAPER) --out $(PAPER)/paper.md

table-texts: install  ## tables, pictures and documents anew from the stored results, without a run
	$(BIN)/python -m fastadasp report experiments/results/tiny_tables --out experiments/results/tiny_tables --title "Methods against FLOPs saved on the embedded model"
	$(BIN)/python -m experiments.tools.measured

page-check: install  ## a report's page in headless Chromium, its screenshots in outputs/page: make page-check PAGE=report/report.html
	$(if $(PAGE),,$(BIN)/python -m fastadasp report experiments/results/tiny_tables --out outputs/page --title "Methods against FLOPs saved on the embedded model" > /dev/null)
	$(BIN)/python -m experiments.tools.page_check $(or $(PAGE),outputs/page/report.html) --out outputs/page/screenshots $(ARGS)

bench: install   ## long audio, start-up and evaluation speed in a size for CPUs; a first look: ARGS=benchmark.quick=true
	$(BIN)/python run.py experiments=long_audio_cpu $(ARGS)
	$(BIN)/python run.py experiments=startup $(ARGS)

# All tests of the kernels, of decoding and of waits for the GPU run, not only those marked `gpu`: others take a GPU too.
bench-gpu: install $(ENERGY)  ## tables 3 and 4 of the paper on this GPU, its tests first: make bench-gpu HARDWARE=h100
	$(BIN)/python -m pytest tests/merge/kernels tests/merge/test_assignment.py tests/decoding
	$(BIN)/python run.py experiments=long_audio hardware=$(HARDWARE) $(ARGS)

clean:           ## remove results and caches, keep .venv
	rm -rf outputs multirun .pytest_cache .mypy_cache .ruff_cache .hypothesis
