# The two commands of the README: `make demo` and `make test`. Both set up .venv on first use.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
TASK ?= seg

.PHONY: demo test lint venv torch-venv benchmark model-garden-venv test-model-garden

venv: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --upgrade pip
	$(RUN)/pip install --quiet --editable ".[test,data,faces]"
	touch $@

demo: venv
	$(RUN)/hrnet-keras demo --task $(TASK)

test: venv
	$(RUN)/python -m pytest -n 2 --dist loadfile

lint: venv
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/lint-imports
	$(RUN)/mypy

# PyTorch only for comparing; never a dependency of the package.
torch-venv: .venv-torch/.installed

.venv-torch/.installed:
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/pip install --quiet --upgrade pip
	.venv-torch/bin/pip install --quiet torch==2.13.0 numpy
	touch $@

benchmark: venv torch-venv
	$(RUN)/python benchmarks/speed.py --write

# Model Garden pins TensorFlow to its own release, and is large (3.3 GB): an environment of its own.
model-garden-venv: .venv-model-garden/.installed

.venv-model-garden/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-model-garden
	.venv-model-garden/bin/pip install --quiet --upgrade pip
	.venv-model-garden/bin/pip install --quiet --editable ".[detection]" pytest
	touch $@

test-model-garden: model-garden-venv
	.venv-model-garden/bin/python -m pytest tests/model_garden tests/datasets/test_coco_tfrecord.py
