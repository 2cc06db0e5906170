# Two commands do everything: `make demo` and `make test`. Each sets up its own environment first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
CORES  := bus/admission/*,bus/trust/registry.py,bus/trust/rules.py,bus/trust/grants.py,bus/trust/revocations.py

# Without bytecode on the disk, each process that starts here would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo token browser test test-browser coverage mutants record attacks linear growth faults faults-short soak check bench prices fmt lock man clean
.DEFAULT_GOAL := help

help:          ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 16

setup: $(VENV)/ready      ## .venv with all that running, testing and checking need

$(VENV)/ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "tocsin needs Python 3.11 or newer; try: make setup PYTHON=python3.12")'
	@echo "setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup    ## the whole system on this machine; ARGS='--for 30 --json' ends by itself
	@$(BIN)/tocsin demo $(ARGS)

token:         ## SoftHSM2, for the tests of keys in a token; they are skipped without it
	@command -v softhsm2-util >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    (apt-get install -y -q softhsm2 || (apt-get update -q && apt-get install -y -q softhsm2)) >/dev/null 2>&1 \
	      || echo "SoftHSM2 could not be installed; tests of keys in a token are skipped"; \
	  else echo "SoftHSM2 is not here (Debian: apt-get install softhsm2); tests of keys in a token are skipped"; fi; }

test: setup token    ## every test that fits in eight minutes, against a real nats-server
	$(BIN)/pytest -q -n 3 --dist worksteal $(ARGS)

browser:       ## Debian's Chromium, for `make test-browser`
	@command -v chromium >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    export DEBIAN_FRONTEND=noninteractive; \
	    (apt-get install -y -q chromium || (apt-get update -q && apt-get install -y -q chromium)) </dev/null >/dev/null 2>&1 \
	      || { echo "Chromium could not be installed; the tests in a browser need it (Debian: apt-get install chromium)"; exit 1; }; \
	  else echo "Chromium is not here; the tests in a browser need it (Debian: apt-get install chromium)"; exit 1; fi; }

test-browser: setup browser ## every page of the console in Chromium: axe-core, the policy, words that attack, no script, a cut line; some minutes
	$(BIN)/pytest -q -n 2 --dist worksteal -m browser tests/browser $(ARGS)

coverage: setup ## every branch of admission and of the trust rules, by their own tests; fails below 100 %
	$(BIN)/coverage run --branch --source=bus -m pytest -q -n 0 tests/unit/bus/admission tests/unit/bus/trust
	$(BIN)/coverage report --include='$(CORES)' --fail-under=100

mutants: setup ## mutmut on the same files; some ten minutes; fails when fewer than 90 % are killed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python -m tests.mutants

record: setup  ## every command's output and exit code against the fixture; a few minutes; ARGS=--write renews it
	$(BIN)/python -m tests.record.run $(ARGS)

attacks: setup token ## every attack of the threat model, 20 000 mutations, and the totals; a few minutes
	$(BIN)/python -m tests.attacks $(ARGS)

linear: setup  ## what hostile bytes cost at the bound of each way in, at half and at an eighth of it; some minutes; ARGS='--most 262144'
	$(BIN)/python -m tests.linear $(ARGS)

growth: setup  ## what everything costs with a past of 1 000, 100 000 and 1 000 000 bulletins; ten minutes, 5 GB; ARGS='--rows 1000 20000'
	$(BIN)/python -m tests.growth $(ARGS)

faults-short: setup token ## whole programs that are hurt, tell a story or follow a guide, in their short form; three minutes
	$(BIN)/pytest -q -n 3 --dist worksteal -m short_faults $(ARGS)

faults: setup  ## a power cut, a full disk, then five minutes of faults by seed, then 200 kills and 60 other faults of whole programs, judged; ARGS='--seconds 60 --seed 7'
	$(BIN)/pytest -q -n 0 -m faults tests/faults
	$(BIN)/python -m tests.faults.run $(ARGS)
	$(BIN)/python -m tests.programs --rounds 200 --seed 11
	$(BIN)/python -m tests.programs --rounds 60 --seed 12 --kinds all

soak: setup    ## an hour of traffic over whole programs; bounds on memory, descriptors and files; ARGS='--minutes 10 --rate 145'
	$(BIN)/python -m tests.programs.soak $(ARGS)

check: setup   ## ruff, mypy, import contracts, generated files, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md RELEASING.md docs schemas bus adapters examples
	$(BIN)/python -m schemas.export --check
	$(BIN)/python docs/check.py

bench: setup   ## tocsin beside raw JetStream, FastStream unsigned and with JWS, and a plain signed version, then a console with 500 readers; some twenty minutes; ARGS='--rounds 2 --catch-up 10000'
	$(BIN)/python -m tests.bench.run $(ARGS)

prices: setup  ## what single steps cost (tocsin bench): sign, admit, seal, open, load a registry
	$(BIN)/tocsin bench $(ARGS)

fmt: setup     ## format, sort imports, regenerate
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/python -m schemas.export

man: setup     ## the manual page of every command, in build/man
	$(BIN)/tocsin help --man build/man/man1

lock:          ## requirement files from the *.in files, hashed, naming no registry (needs uv)
	cd requirements && for n in run hub sign-in dev mutants; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $$n.in -o $$n.txt; done

clean:         ## everything that was generated and is not kept
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage mutants tocsin-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
