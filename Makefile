# Two commands do everything: `make demo` and `make test`. Each can be repeated; what is done is skipped.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
RUN    := $(BIN)/python -m workbench
TORCH  := $(shell grep '^torch==' requirements.lock)
# Another build of torch: make demo TORCH_INDEX=<address of a wheel index>
TORCH_INDEX ?=
WORLD  := data/synthadl/tiny
# What `make study` runs on the world's size small: tables of RGB and poses, whose first layers are frozen. Those that draw
# poses or read optical flow, on tiny: make study STUDY="perfnet_table2 perfnet_table4 augmented_rgb_table1" STUDY_FLAGS=
STUDY  ?= vpn_table1 attention_ceiling vpn_table2 vpn_table3 vpn_table4 vpnpp_table1 vpnpp_table3 vpnpp_table4 vpnpp_table6 \
  thesis_table4_4 thesis_table5_1 joint_attention mechanisms
STUDY_FLAGS ?= --preset frozen --root data/synthadl/small

# Test processes of one thread each: one a core, and one that works while others wait for a kernel or a browser.
TESTERS := $(shell echo $$(( $$(nproc 2>/dev/null || sysctl -n hw.ncpu) + 1 )))
export MPLBACKEND := agg

.DEFAULT_GOAL := help
.PHONY: help demo docs pose-env test test-lab test-cluster test-gpu lint types lab bench study pretrain pictures lock clean

help:            ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(VENV)/installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11, or name yours: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(PIP) install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH) \
	  && $(PIP) install --quiet --requirement requirements.lock \
	  && $(PIP) install --quiet --no-deps --editable . \
	  || { echo "make: a package could not be downloaded or built (see the lines above); check the network and run the same command again; it resumes"; exit 1; }
	@touch $@

demo: $(VENV)/installed   ## generate SynthADL, train three systems, execute the notebooks, write gallery/index.html
	@$(RUN) demo --root $(WORLD)

pose-env: .venv-pose/installed  ## MediaPipe in a separate environment, for poses from RGB

# MediaPipe 0.10.21 is the last release that brings its pose model along; it needs an older NumPy than everything else.
.venv-pose/installed:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11, or name yours: make PYTHON=python3.12 ..."; exit 1; }
	@test -x .venv-pose/bin/python || $(PYTHON) -m venv .venv-pose
	@.venv-pose/bin/python -m pip --disable-pip-version-check install --quiet mediapipe==0.10.21 \
	  || { echo "make: MediaPipe could not be installed (see the lines above); run the same command again; it resumes"; exit 1; }
	@touch $@

test: lint                ## every test except the slow ones (browser tests need Chromium)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadgroup

test-lab: $(VENV)/installed  ## open every notebook in JupyterLab and move every control; pictures in tests/artifacts
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

# SLURM's daemons are only installed here: the tests start and stop their own, and need no systemd.
test-cluster: $(VENV)/installed  ## test sweeps with SLURM and Dask, and training with torchrun (installs slurm-wlm, munge)
	@PATH="$$PATH:/usr/sbin"; command -v slurmctld >/dev/null && command -v munged >/dev/null || { \
	  command -v apt-get >/dev/null || { echo "make: SLURM is missing; install slurmctld, slurmd and munge, then run the same command again"; exit 1; }; \
	  echo "Installing slurm-wlm and munge ..."; \
	  SUDO=$$(test "$$(id -u)" = 0 || echo sudo); $$SUDO apt-get update -q >/dev/null && \
	  $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends slurm-wlm munge >/dev/null; }
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m cluster

test-gpu: $(VENV)/installed  ## measure speed, memory, DDP and parity on the GPUs of this machine for docs/bench.md; without a GPU a dry run
	@PYTHONPATH=. $(BIN)/python bench/gpu.py

lint: $(VENV)/installed   ## ruff and the import contracts
	@$(BIN)/ruff check -q . && $(BIN)/ruff format --check -q . && $(BIN)/lint-imports

types: $(VENV)/installed  ## mypy on all packages: two minutes, a second time half a one
	@$(BIN)/mypy

lab: $(VENV)/installed    ## open JupyterLab on the notebooks
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

bench: $(VENV)/installed  ## measure speed and memory on this machine
	@for script in $(filter-out bench/gpu.py,$(wildcard bench/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

study: $(VENV)/installed  ## draw SynthADL small and run the tables for docs/results.md: days on two cores; resumes after an interruption
	@$(RUN) synth data/synthadl/small --size small
	@$(RUN) sweep $(STUDY:%=notebooks/ablations/%.yaml) --protocols cs $(STUDY_FLAGS) --report docs/results.md

pretrain: $(VENV)/installed  ## draw SynthADL-P and SynthADL and train the shipped weights: hours; resumes after an interruption
	@$(RUN) pretrain && $(RUN) pretrain --world adl

docs: $(VENV)/installed   ## build the site offline and strictly: docs/_build/html/index.html
	@$(BIN)/python -m sphinx -b html -q -W --keep-going docs docs/_build/html
	@echo "open docs/_build/html/index.html"

pictures: $(VENV)/installed  ## draw the pictures of the README and the site
	@$(BIN)/python docs/pictures.py

lock: $(VENV)/installed   ## pin the installed versions
	@$(PIP) freeze --exclude-editable | sed -E 's/\+cpu//; s/^(decord==.*)/\1 ; sys_platform != "darwin" or platform_machine != "arm64"/' > requirements.lock

clean:           ## delete the outputs of the commands; keep .venv and your own files
	@rm -rf docs/_build docs/tutorials tests/artifacts .pytest_cache .ruff_cache .mypy_cache
	@$(BIN)/python -m workbench.cleaning gallery runs $(WORLD) data/cache
