# Everything a newcomer or a build machine needs. `make setup` is done by the others when it has to be.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Compiled modules are kept in .venv whatever the shell says: every process would compile the same ones again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo demo-short test check format lock stills clean

setup: $(READY)

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet 'uv>=0.7,<1'

# The lock is complete, so nothing is resolved here; the project itself is installed without touching dependencies.
$(READY): requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/portrayal demo

demo-short: setup
	$(BIN)/portrayal demo --short

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info

# Still frames of the demo's videos for the documentation.
stills: demo
	mkdir -p docs/stills
	for name in launch.en launch.es telephone-call.en; do $(BIN)/python -c \
		"import sys; from pathlib import Path; from media.contact_sheet import contact_sheet; contact_sheet(Path(sys.argv[1]), Path(sys.argv[2]), 4, 3)" \
		out/demo/$$name.mp4 docs/stills/$$name.png; done
