# Every task of the course has one name. `make help` lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON   ?= python3
PIP_ARGS ?=
SEEDS    ?= 5
PORT     ?= 8000

BIN := .venv/bin
PY  := $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help book pdf test notebooks lab serve calibrate time-lessons bench brand adopt mark release clean

help:  ## list these tasks
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

book: export COURSE_STRICT = 1
book: .venv/.ready  ## run every lesson and build the site into _build/html; LESSONS="02 03 06" for a part of it
	@$(PY) -m tools.build

pdf: .venv/.ready  ## print the built site into one PDF, with Chromium
	@$(PY) -m tools.print_book

test: .venv/.ready  ## prove it: lint, types, tests, every lesson in fast mode, a strict site; SLOW=1 for the slow tests too
	@$(PY) -m tools.check $(if $(SLOW),--slow)

notebooks: .venv/.ready  ## make notebooks/*.ipynb from the manuscript book/*.py
	@$(PY) -m tools.notebooks

lab: notebooks  ## open copies of the notebooks in JupyterLab, in work/; your answers stay there
	@mkdir -p work
	@for file in notebooks/*.ipynb; do [ -e work/$${file##*/} ] || cp $$file work/; done
	@$(BIN)/jupyter-lab --notebook-dir=work

serve:  ## show the built site at http://localhost:8000 (PORT=...)
	@test -f _build/html/index.html || { echo 'There is no site yet: run `make book`.'; exit 1; }
	@$(PYTHON) -c 'import socket, sys; s = socket.socket(); sys.exit(s.connect_ex(("localhost", $(PORT))) == 0 and \
	  "Port $(PORT) is in use. Name another: make serve PORT=8001")'
	@$(PYTHON) -m http.server --directory _build/html $(PORT)

calibrate: notebooks  ## measure the bounds of a lesson's claims: LESSON=06_lenet SEEDS=5
	@$(PY) -m tools.calibrate '$(LESSON)' '$(SEEDS)'

time-lessons: notebooks  ## time a lesson, three runs, and write the time into its header: LESSON=06_lenet
	@$(PY) -m tools.time_lessons '$(LESSON)'

bench: .venv/.ready  ## measure how fast we are beside the usual ways, as ratios
	@$(PY) -m tools.bench

brand: .venv/.ready  ## make the course yours: REPO=owner/name TITLE="Looms" AUTHOR="Ada Lovelace"
	@$(PY) -m tools.brand

adopt: .venv/.ready  ## take what was edited in Jupyter or Colab over into the manuscript: NB=work/06_lenet.ipynb
	@$(PY) -m tools.adopt '$(NB)' $(if $(FORCE),--force)

mark: .venv/.ready  ## mark a folder of returned notebooks into work/marks: FOLDER=work/returned FAST=1 JOBS=1 SECONDS_EACH=900 MEMORY=8
	@$(PY) -m tools.mark '$(FOLDER)' $(if $(FAST),--fast) $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(SECONDS_EACH),--seconds $(SECONDS_EACH)) $(if $(MEMORY),--memory $(MEMORY)) $(if $(OUT),--out '$(OUT)')

release: book  ## make all files of a release in _build/release: DATA=1 WHEELS=1 for a lab without internet
	@$(PY) -m tools.release $(if $(DATA),--data) $(if $(WHEELS),--wheels) $(PIP_ARGS)

clean:  ## remove what was built and run here; keeps the environment and work/
	rm -rf _build $(addprefix .run/,book executed pictures test site trace calibrate timing paired.json mypy)

# The environment, made again when the requirements change.
.venv/.ready: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v[:2] <= (3, 13) else \
	  "The course needs Python 3.11, 3.12 or 3.13; this is %d.%d. Name another: make %s PYTHON=python3.12" \
	  % (v[0], v[1], "$(MAKECMDGOALS)"))'
	@test -x $(PY) || { echo 'Creating .venv'; $(PYTHON) -m venv .venv || true; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade >/dev/null 2>&1 || { \
	  echo 'The environment .venv has no pip, and this Python cannot make it one. On Debian and Ubuntu, install'; \
	  echo 'python3-venv (apt install python3-venv); then run make again.'; exit 1; }
	@echo 'Installing requirements.txt (several minutes and gigabytes the first time)'
	@$(PY) -m pip install --disable-pip-version-check -r requirements.txt -c constraints.txt $(PIP_ARGS) \
	  | sed '/^Requirement already satisfied/d'
	@touch $@
