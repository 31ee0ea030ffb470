# Two commands do all: `make book` builds the site, `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
PORT ?= 8000
THREADS ?= 1
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SITE := _build/html/index.html

CHAPTERS := $(sort $(wildcard chapters/*.ipynb))
MODULES := $(wildcard flows.py gen_models_utilities.py bands.py live/*.py tools/*.py)
SOURCES := $(wildcard *.yml *.bib *.md *.live.json tools/*.py) $(CHAPTERS) \
	$(shell find theme live -type f -not -path '*/__pycache__/*')

# Small networks: with more threads they are slower, and sums change in the last digits.
export OMP_NUM_THREADS := $(THREADS)
export MKL_NUM_THREADS := $(THREADS)
export OPENBLAS_NUM_THREADS := $(THREADS)
export PYTHONPATH := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help book test zoo execute bands serve lab lint linkcheck audit lock repository clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

book: $(SITE)  ## Set everything up and build the site into _build/html
	@echo "The site: $(CURDIR)/$(SITE)"
	@echo "To read it over http: make serve"

test: $(SITE)  ## Set everything up and run all tests
	@# The longest files first, so that no worker is left alone with one at the end.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--nbval --nbval-current-env --nbval-kernel-startup-timeout 600 \
		--nbval-sanitize-with tests/nbval_sanitize.cfg \
		tests/test_colab.py tests/test_cpu_path.py $(CHAPTERS) tests $(MODULES)

zoo: $(READY)  ## Run the chapters that train as other machines would (tools/zoo.py)
	$(BIN)/python tools/zoo.py --workers $(WORKERS)

execute: $(READY)  ## Regenerate flows.py, run all notebooks again and store their outputs
	$(BIN)/python tools/export.py
	$(BIN)/python tools/execute.py
	$(BIN)/python tools/hero.py

bands: $(READY)  ## Measure again, over five seeds, what trained numbers may be (bands.py)
	$(BIN)/python tools/measure_bands.py

serve: $(SITE)  ## Serve the site on http://localhost:8000 (PORT=... for another port)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: $(READY)  ## Open the chapters in JupyterLab, to read, run and change them
	$(BIN)/jupyter lab chapters

lint: $(READY)  ## Check and format the code, notebooks included
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

linkcheck: $(READY)  ## Try every external link of the book
	$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/linkcheck

audit: $(SITE)  ## Measure the site with Lighthouse (fetches it from npm the first time)
	$(BIN)/python tools/audit.py

lock: $(READY)  ## Choose the newest versions that requirements.txt allows (requirements.lock)
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras \
		--unsafe-package pip --no-annotate --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-emit-options --output-file requirements.lock requirements.txt
	@# Which build of torch (CPU or CUDA) is the machine's business: keep the bare version.
	sed -i -E 's/^(torch==[0-9.]+)\+[a-z0-9]+/\1/' requirements.lock

repository: $(READY)  ## Point the whole course at your repository (URL=https://github.com/you/name)
	$(BIN)/python tools/repository.py "$(URL)"

clean:  ## Remove all that was built, the .venv too
	rm -rf _build $(VENV) *.egg-info .pytest_cache .ruff_cache .hypothesis .cache

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(SITE): $(READY) $(SOURCES)
	$(BIN)/jupyter-book build . -W -n --keep-going
	@touch $@
