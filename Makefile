# Everything runs in .venv, which is made first when it is missing. `make` alone lists what there is to make.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Two workers with one thread each: four threads on two cores wait for each other.
PYTEST := MINIGEN_BUDGET=smoke OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2
NBVAL := $(PYTEST) --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout 300

.PHONY: help learn .venv test lint unit notebooks bench build clean

help: ## this list
	@sed -n 's/^\([.a-z]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r name text; do \
	  printf '  make %-10s %s\n' "$$name" "$$text"; done

learn: .venv ## bring the lessons to workbook/ and open them in JupyterLab; LESSON=13 opens that one
	@$(BIN)/minigen learn $(LESSON)

.venv: .venv/installed ## only the environment; PYTHON=python3.12 chooses its Python, PIP_OPTIONS=… is given to pip

# The stamps are written last, so an install that was interrupted starts anew. Without --no-compile, pip compiles
# a minute of code that nobody imports; Python compiles the rest when it is first used.
.venv/packages: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	  'minigen needs Python 3.11 or newer, and $(PYTHON) is not: name one, as in make .venv PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --no-compile -r requirements.lock $(PIP_OPTIONS)
	@touch $@

.venv/installed: .venv/packages pyproject.toml
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

test: lint unit notebooks ## all checks; MINIGEN_DEVICE=cpu keeps them off the GPU

lint: .venv ## style of the code, and whether the notebooks are what their scripts say
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/minigen build --check

unit: .venv ## the tests of the library and the course
	$(PYTEST) --dist worksteal

notebooks: .venv ## every notebook from top to bottom: lessons with nothing attempted, solutions all right
	MINIGEN_STRICT=not-attempted $(NBVAL) lessons
	MINIGEN_STRICT=right $(NBVAL) solutions

bench: .venv .venv-peers/installed .venv-graders/installed ## compare with other programs, and rewrite benchmarks/RESULTS.md (seven hours)
	PYTHONPATH=. .venv-peers/bin/python benchmarks/metrics.py
	PYTHONPATH=. .venv-peers/bin/python benchmarks/samplers.py
	PYTHONPATH=. .venv-peers/bin/python benchmarks/diffusion.py
	PYTHONPATH=. .venv-peers/bin/python benchmarks/diffusion.py --seconds 60 180 --seeds 1 2
	PYTHONPATH=. .venv-peers/bin/python benchmarks/families.py --seeds 0 1 2
	PYTHONPATH=. .venv-peers/bin/python benchmarks/pace.py
	PYTHONPATH=. .venv-peers/bin/python benchmarks/gpu.py
	PYTHONPATH=. $(BIN)/python benchmarks/growth.py
	PYTHONPATH=. $(BIN)/python benchmarks/lessons.py
	PYTHONPATH=. $(BIN)/python benchmarks/checks.py
	PYTHONPATH=. $(BIN)/python benchmarks/steps.py
	PYTHONPATH=. $(BIN)/python benchmarks/graders.py
	PYTHONPATH=. $(BIN)/python benchmarks/load.py

.venv-graders/installed: requirements.lock
.venv-%/installed: benchmarks/%.txt
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip --disable-pip-version-check install --no-compile -r $< $(PIP_OPTIONS)
	@touch $@

build: .venv ## make the notebooks from their scripts, and run the solved ones (minutes)
	$(BIN)/minigen build --execute

clean: ## remove .venv and caches; workbook/ and downloads stay
	rm -rf .venv/installed .venv/packages .venv .cache .pytest_cache .ruff_cache minigen.egg-info
	find minigen tests lessons -name __pycache__ -type d -prune -exec rm -rf {} +
