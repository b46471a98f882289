# `make run` starts everything, `make test` checks everything. Both need Linux, Python 3.11 to 3.13 and pip.

HOST ?= 127.0.0.1
PORT ?= 8000
DEMO ?= 1

# The first Python that is new enough, and not newer than the libraries have wheels for.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo "$$python" && break; done)

VENV := .venv
BIN := $(VENV)/bin
# Wheels only: nothing is compiled here.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --only-binary=:all: -c constraints.txt

BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
FONTS := fonts-noto-cjk fonts-noto-core
RECOGNITION := tesseract-ocr tesseract-ocr-chi-sim

# What the settings ask of a production server; the checks below open no connection to these.
DEPLOYED := SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	DATABASE_URL=postgresql://concordance@localhost/concordance REDIS_URL=redis://localhost:6379/0 \
	PUBLIC_URL=https://concordance.example EMBEDDING_MODEL=hashing KB_DATA_DIR=$(VENV)/checked

.PHONY: run test browser clean

run: $(VENV)/installed
	@exec $(BIN)/python manage.py up --host $(HOST) --port $(PORT) $(if $(filter-out 0,$(DEMO)),--demo)

test: $(VENV)/installed-for-tests browser
	@mkdir -p $(VENV)/checked/incoming
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(DEPLOYED) $(BIN)/python manage.py translations compile
	$(DEPLOYED) $(BIN)/mypy kb embeddings search tests manage.py
	$(BIN)/lint-imports
	$(DEPLOYED) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@# Without a database it warns that it cannot compare the history; the tests migrate a real one.
	$(DEPLOYED) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@# A process for each processor, a file at a time for each.
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Concordance needs Python 3.11, 3.12 or 3.13, and none of them was found."; exit 1; }
	@# Debian keeps the part of venv that installs pip in a package of its own; pip itself can do without it.
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing what Concordance is built on (once, a few minutes) ..."
	@$(INSTALL) .
	@touch $@

$(VENV)/installed-for-tests: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing what Concordance and its tests are built on (once, a few minutes) ..."
	@$(INSTALL) '.[test]'
	@touch $@ $(VENV)/installed

# Installs what is missing where that is possible; elsewhere the tests say what they miss.
browser:
	@missing="chromium"; \
	for browser in $(BROWSERS); do command -v $$browser >/dev/null && missing=""; done; \
	for package in $(FONTS) $(RECOGNITION); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing for the tests: $$missing ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends $$missing >/dev/null \
			|| echo "They could not be installed."; \
	fi

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
