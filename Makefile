# Two commands do all: `make book` builds the site, `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
PORT ?= 8000
THREADS ?= 1
# Tests wait for browsers and other processes half of their time: three keep two cores busy.
WORKERS ?= 3
# What `make mutants` changes (tools/guards.toml says which tests guard it), how often, and where.
OF ?= gen_models_utilities.py
N ?= 60
SEED ?= 0
# Which functions `make fuzz` calls: those with one of these words in their names.
WORDS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SITE := _build/html/index.html

CHAPTERS := $(sort $(wildcard chapters/*.ipynb))
MODULES := $(wildcard flows.py flows_support.py gen_models_utilities.py classroom/*.py classroom/*/*.py experiments/*.py experiments/sheets/*.py lab/*.py live/*.py live/*/*.py tools/*.py)

# Small networks: with more threads they are slower, and sums change in the last digits.
export OMP_NUM_THREADS := $(THREADS)
export MKL_NUM_THREADS := $(THREADS)
export OPENBLAS_NUM_THREADS := $(THREADS)
export PYTHONPATH := $(CURDIR)
# Names and texts are UTF-8, whatever the machine's locale says.
export PYTHONUTF8 := 1
# Some machines forbid to keep compiled modules: then each of the many processes of the tests compiles
# torch again, which takes three times as long as to import it.
unexport PYTHONDONTWRITEBYTECODE
# An address is handed over as it was typed: neither make nor a shell evaluates it.
override URL := $(value URL)
export URL
# What an instructor names: the same holds for them.
SHEET ?=
ROSTER ?=
IN ?=
OUT ?=
SOLUTIONS ?= no
EXPORT ?=
COLUMN ?=
override SHEET := $(value SHEET)
override ROSTER := $(value ROSTER)
override IN := $(value IN)
override OUT := $(value OUT)
override SOLUTIONS := $(value SOLUTIONS)
override EXPORT := $(value EXPORT)
override COLUMN := $(value COLUMN)
export SHEET ROSTER IN OUT SOLUTIONS EXPORT COLUMN

.DEFAULT_GOAL := help
.PHONY: help book test test-all zoo execute experiments assignment grade lms edition serve pdf archive lab lint linkcheck audit lock repository bench bench-quick hardships mutants faults fuzz clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

book: $(SITE)  ## Set everything up and build the site into _build/html
	@echo "The site: $(CURDIR)/$(SITE)"
	@echo "To read it over http: make serve"

test: $(SITE)  ## Set everything up and run all tests
	@# The longest files first, so that no worker is left alone with one at the end.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--nbval --nbval-current-env --nbval-kernel-startup-timeout 600 \
		--nbval-sanitize-with tests/chapters/nbval_sanitize.cfg \
		tests/chapters/test_colab.py $(CHAPTERS) tests $(MODULES)

# A few pages stand for all of them in what takes long; here all are tried.
test-all: export COURSE_TESTS = all
test-all: test  ## The same, and those too that take long, as on GitHub

zoo: $(READY)  ## Run the chapters that train as other machines would (tools/zoo.py)
	$(BIN)/python tools/zoo.py

execute: $(READY)  ## Regenerate flows.py, run all notebooks again and store their outputs
	$(BIN)/python tools/export.py
	$(BIN)/python -m lab.programs
	$(BIN)/python tools/solutions.py
	$(BIN)/python tools/instructor.py
	$(BIN)/python tools/execute.py
	$(BIN)/python tools/hero.py

experiments: $(READY)  ## Measure what is missing or stale of the evidence (all: about an hour on two cores)
	$(BIN)/python -m experiments

assignment: $(READY)  ## A notebook for each student (SHEET=depth ROSTER=roster.csv OUT=folder)
	$(BIN)/python -m classroom.assign --sheet "$$SHEET" --roster "$$ROSTER" --out "$$OUT"

grade: $(READY)  ## Mark hand-ins in a box (SHEET=depth IN=handins ROSTER=roster.csv OUT=marks)
	$(BIN)/python -m classroom.grade --sheet "$$SHEET" --in "$$IN" --roster "$$ROSTER" --out "$$OUT"

lms: $(READY)  ## Marks into Canvas' or Moodle's export (IN=marks ROSTER=... EXPORT=... COLUMN=... OUT=...)
	$(BIN)/python -m classroom.lms --marks "$$IN" --roster "$$ROSTER" --export "$$EXPORT" \
		--column "$$COLUMN" --out "$$OUT"

edition: $(READY)  ## The course in a new folder, for a class (SOLUTIONS=no OUT=folder)
	$(BIN)/python tools/edition.py --solutions "$$SOLUTIONS" --out "$$OUT"

serve: $(SITE)  ## Serve the site on http://localhost:8000 (PORT=... for another port)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

pdf: $(SITE)  ## Print the whole book as a PDF, by the Chromium that the tests use
	$(BIN)/python tools/paper.py pdf

archive: $(SITE)  ## Pack the site as a zip; unpacked, it works without a server
	$(BIN)/python tools/paper.py archive

lab: $(READY)  ## Open the chapters in JupyterLab, to read, run and change them
	$(BIN)/python -m jupyterlab chapters

lint: $(READY)  ## Check and format the code, notebooks included
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

linkcheck: $(READY)  ## Try every external link of the book
	$(BIN)/python -c 'from jupyter_book.cli.main import main; main()' \
		build . --builder linkcheck --path-output _build/linkcheck

audit: $(SITE)  ## Measure the site with Lighthouse (fetches it from npm the first time)
	$(BIN)/python tools/audit.py

lock: $(READY)  ## Choose the newest versions that requirements.txt allows (requirements.lock)
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --upgrade --strip-extras \
		--unsafe-package pip --no-annotate --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-emit-options --output-file requirements.lock requirements.txt
	@# Which build of torch (CPU or CUDA) is the machine's business: keep the bare version.
	sed -i -E 's/^(torch==[0-9.]+)\+[a-z0-9]+/\1/' requirements.lock

repository: $(READY)  ## Point the whole course at your repository (URL=https://github.com/you/name)
	$(BIN)/python tools/repository.py --from-environment

bench: $(READY)  ## Time ours, the reference recipe and four libraries (half an hour; goes on where stopped)
	$(BIN)/python -m benchmarks.field

bench-quick: $(READY)  ## The same in three minutes, only printed
	$(BIN)/python -m benchmarks.field --quick

hardships: $(READY)  ## Try the build under hardship: killed, twice at once, without room, ...
	$(BIN)/python tools/hardships.py

mutants: $(READY)  ## Change a module at random and see whether its tests notice (OF=flows.py N=60)
	$(BIN)/python tools/mutants.py $(OF) --n $(N) --seed $(SEED)

faults: $(READY)  ## Put written-down faults into the code, and see whether the tests notice
	$(BIN)/python tools/page_mutants.py

fuzz: $(READY)  ## Call each public function 2000 times with junk (half an hour; WORDS=flows.Planar)
	$(BIN)/python tools/fuzz.py $(WORDS)

clean:  ## Remove all that was built, the .venv too
	rm -rf _build $(VENV) *.egg-info .pytest_cache .ruff_cache .hypothesis .cache

# Both look for themselves whether there is anything to do, and say nothing if there is not.
$(READY): ALWAYS
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) tools/environment.py

$(SITE): $(READY) ALWAYS
	@$(BIN)/python tools/book.py

ALWAYS:
