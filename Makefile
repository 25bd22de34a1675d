# make book | test | check | serve | clean        (see README.md)
# make notebooks | format | lock | bench          (see CONTRIBUTING.md)

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# a kernel or a package of the user's own must not take the place of the locked ones
export JUPYTER_PREFER_ENV_PATH := 1
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH

.PHONY: book test check serve clean notebooks format lock bench

book: $(INSTALLED)
	$(BIN)/python -m flopslib.book.build

test: book
	$(BIN)/python -m pytest

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m flopslib.book.notebooks --check chapters/*.ipynb

serve: book
	$(BIN)/python -m http.server --directory _build/html 8000

clean:
	rm -rf _build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

# run every chapter afresh and store what it prints
notebooks: $(INSTALLED)
	$(BIN)/python -m flopslib.book.notebooks --run chapters/*.ipynb

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# time the counting; beside PyTorch's own counter with PYTHON_WITH_TORCH=/path/to/python
bench: $(INSTALLED)
	$(or $(PYTHON_WITH_TORCH),$(BIN)/python) tests/bench_count.py

# compile requirements.txt, less the package itself, into the hashed lock
lock: $(INSTALLED)
	$(BIN)/python -m pip install -qq uv
	grep -v '^-e' requirements.txt | $(BIN)/uv pip compile - --universal --generate-hashes \
	  --python-version 3.11 --no-header --quiet --output-file requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
