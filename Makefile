# make book | test | test-browser | test-python | check | serve | pdf | clean    (see README.md)
# make notebooks | format | lock | record | class | bench | peers | mutants  (see CONTRIBUTING.md)

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# what only the checks and the tests in a browser need
TOOLS := .venv/tools
PEERS := .venv-peers
MUTANTS := .venv-mutants
# a kernel or a package of the user's own must not take the place of the locked ones
export JUPYTER_PREFER_ENV_PATH := 1
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH
# whoever sets it has every process compile the sources afresh
unexport PYTHONDONTWRITEBYTECODE

.PHONY: book test test-browser test-python check serve clean notebooks format lock record bench peers mutants assignments grade class pdf

book: $(INSTALLED)
	$(BIN)/python -m flopsbook.build.site

# what drives a browser takes a second to load in each process, so what is used here is named
ALL_TESTS := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -p xdist -p nbval -p hypothesispytest -n logical

# where CI=true, the order of the rooms is tried out, too
test: book $(if $(filter true,$(CI)),$(TOOLS))
	$(ALL_TESTS)

# look at every page with Debian's chromium, and operate it with the keyboard
test-browser: book $(TOOLS)
	$(BIN)/python -m pytest -n logical --dist load tests/book/browser

# every answer, every planted mistake and every cell of the book in the Python of the pages
test-python: book $(TOOLS)
	$(BIN)/python -m pytest tests/book/browser/every_answer.py tests/book/browser/every_cell.py

check: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m flopsbook.build.notebooks --check chapters/*.ipynb
	$(BIN)/python -m flopsbook.build.prose --check
	$(BIN)/python -m flopsbook.build.style --check

# the whole book as one PDF, and a test that it has all that the pages have; needs TeX
pdf: book
	$(BIN)/python -m flopsbook.build.pdf
	$(BIN)/python -m pytest --noconftest tests/book/pdf

serve: book
	$(BIN)/python -m http.server --directory _build/html 8000

clean:
	rm -rf _build .venv .venv-peers .venv-mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info .import_linter_cache .benchmarks

# run every chapter afresh and store what it prints
notebooks: $(INSTALLED)
	$(BIN)/python -m flopsbook.build.notebooks --run chapters/*.ipynb

# run all tests and store what they did, for the page "How this book is checked"
record: book $(TOOLS)
	$(ALL_TESTS) --record
	$(BIN)/python -m flopsbook.build.notebooks --run chapters/checked.ipynb

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# build the problem sets, each with its autograder, into dist/; ASSIGNMENTS_ARGS names some of them
assignments: $(INSTALLED)
	$(BIN)/python -m assignments.build $(ASSIGNMENTS_ARGS)

# make grade SET=layers SUBMISSIONS=folder ROSTER=roster.csv; also OUT, JOBS, TIMEOUT, CELL_TIMEOUT,
# CALL_TIMEOUT (s), MEMORY (MB), DUE, GRACE, PENALTY, REGRADE, ANONYMOUS=1, UNSAFE=1; python -m assignments.grading --help explains.
# What is given to make is in the recipe's environment, spaces and all.
grade: $(INSTALLED)
	@$(BIN)/python -m assignments.grading $(if $(SET),"$$SET") \
	  $(if $(SUBMISSIONS),--submissions "$$SUBMISSIONS") $(if $(ROSTER),--roster "$$ROSTER") \
	  $(if $(OUT),--out "$$OUT") $(if $(JOBS),--jobs "$$JOBS") $(if $(MEMORY),--memory "$$MEMORY") \
	  $(if $(TIMEOUT),--seconds "$$TIMEOUT") $(if $(CELL_TIMEOUT),--cell-seconds "$$CELL_TIMEOUT") \
	  $(if $(DUE),--due "$$DUE") $(if $(GRACE),--grace "$$GRACE") \
	  $(if $(PENALTY),--penalty "$$PENALTY") $(if $(REGRADE),--regrade "$$REGRADE") \
	  $(if $(CALL_TIMEOUT),--call-seconds "$$CALL_TIMEOUT") $(if $(filter 1 yes true,$(ANONYMOUS)),--anonymous) \
	  $(if $(filter 1 yes true,$(UNSAFE)),--unsafe)

# grade a class of more than sixty with all its accidents
class: $(INSTALLED)
	$(BIN)/python -m pytest tests/course/week

# measure counting, sweeps and the import; beside the other counters once they are installed
# (make peers); BENCH_ARGS="-k sweep" chooses
BENCH := $(if $(wildcard $(PEERS)/torch/installed),$(PEERS)/torch,.venv)
bench: $(BENCH)/installed
	$(BENCH)/bin/python -m pytest tests/library/bench $(BENCH_ARGS)

# measure what other counters say, and store it; each ecosystem gets an environment of its own,
# 11 GB in all; PEERS_ARGS="jax onnx" chooses
peers:
	$(PYTHON) tests/book/peers/run.py $(PEERS_ARGS)

# break the library in thousands of small ways, and see whether the tests notice; less than an
# hour, goes on where it was interrupted; MUTANTS_ARGS=--help shows what else it can do
mutants: $(MUTANTS)/installed
	$(MUTANTS)/bin/python tests/library/mutants/run.py $(MUTANTS_ARGS)

# cosmic-ray in an environment of its own, which sees the locked packages beside it
$(MUTANTS)/installed: requirements-mutants.txt $(INSTALLED)
	$(BIN)/python -m venv --clear $(MUTANTS)
	$(MUTANTS)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	  "$$($(MUTANTS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/locked.pth"
	@touch $@

# compile requirements.txt, less the package itself, into the hashed lock
lock: $(INSTALLED)
	$(BIN)/python -m pip install -qq uv
	grep -v '^-e' requirements.txt | $(COMPILE) - --output-file requirements.lock
	$(COMPILE) requirements-tools.txt --constraint requirements.lock --output-file requirements-tools.lock
	$(BIN)/uv pip compile .binder/requirements.in --constraint requirements.lock --quiet \
	  --python-version 3.11 --no-header --no-annotate --output-file .binder/requirements.txt

COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

# a change of our own projects' metadata installs those alone
$(INSTALLED): .venv/locked pyproject.toml flopsbook/pyproject.toml
	$(PIP) --no-deps --no-build-isolation -e . -e ./flopsbook
	@touch $@

.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(TOOLS): requirements-tools.lock $(INSTALLED)
	$(PIP) --require-hashes -r requirements-tools.lock
	@touch $@
