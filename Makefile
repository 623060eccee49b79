# Everything a developer or a packager does, without root (but for install into the system's folders).

prefix     ?= /usr/local
bindir     ?= $(prefix)/bin
libdir     ?= $(prefix)/lib
datadir    ?= $(prefix)/share
sysconfdir ?= /etc
unitdir    ?= $(libdir)/systemd/system
DESTDIR    ?=

# Pythons to run the unit suite on besides the first one, such as PYTHONS="python3.12 python3.13".
PYTHONS ?=

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
# Files run side by side, the longest first. Real calls are mostly waited for, so four of their files fit two cores; with more,
# calls come late. A daemon that a busy machine does not let run for two seconds records nothing, as it should: what failed
# side by side is run once more alone, and must pass then.
SIDE_BY_SIDE := --dist loadfile --no-loadscope-reorder
CALLS        := -n 4 $(SIDE_BY_SIDE)
ALONE        := -n auto --maxprocesses 8 $(SIDE_BY_SIDE)
TOOLS := python3.14 python3.13 python3.12 python3.11 python3

# The first Python that starts and is new enough; a pyenv shim may be there and not start.
PYTHON ?= $(shell for p in $(TOOLS); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

# A daemon whose home is hidden (ProtectHome=) cannot run a Python that lies in somebody's home.
SYSTEM_PYTHON ?= $(or $(shell for p in $(TOOLS:%=/usr/bin/%) $(TOOLS:%=/usr/local/bin/%); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done),$(PYTHON))

UNITS   := gdprcall.service gdprcall-onfailure.service gdprcall-retention.service gdprcall-retention.timer \
           var-spool-asterisk-gdprcall.mount
PRIVATE  = $(libdir)/gdprcall
SAMPLES := README.md gdprcall.conf gdprcall-out.conf gdprcall-rights.conf ari.conf http.conf manager.conf features.conf logger.conf

say = @printf '==> %s\n'

.DEFAULT_GOAL := help
.PHONY: help venv pbx demo audio bench load soak fuzz test tables requirements test-asterisk16 test-pythons lint format types unit real install \
        install-program install-files uninstall clean distclean

help: ## show this
	@printf 'make <target>, where the first run of venv and pbx downloads what they need:\n\n'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1: \2/p' $(firstword $(MAKEFILE_LIST))

venv: $(READY) ## make .venv with the program and the tools of its developers

# Stamped: made again only when the dependencies may have changed. The lock lets two makes run side by side.
$(READY): setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { \
		echo "error: no Python 3.11 or newer was found; install it with apt (python3, python3-venv)" >&2; exit 1; }
	$(say) "$(BIN): program and tools ($$($(PYTHON) --version)), about a minute the first time"
	@mkdir -p .cache
	@exec 9>.cache/venv.lock; flock 9; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) tests/pbx/environment.py $(VENV); \
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -e '.[dev]' \
		| sed -u '/^Requirement already satisfied/d'; \
	touch $@

pbx: $(READY) ## prepare a private Asterisk, SIPp, espeak-ng, sox and age in .pbx
	@flock .cache/pbx.lock $(BIN)/python tests/pbx/prepare.py

demo: $(READY) pbx ## show calls that are asked, recorded, sealed, opened and erased
	@$(BIN)/python -m tests.pbx.demo

# How many rounds, of bench (3) or of soak (500), and what else the two are told.
ROUNDS   ?=
RATE     ?= 40
STRICT   ?=

bench: $(READY) pbx ## measure against a dialplan without gdprcall, some ten minutes (ROUNDS=, RATE=, STRICT=1)
	@$(BIN)/python -m tests.pbx.bench --rounds $(or $(ROUNDS),3) --rate $(RATE) $(if $(STRICT),--strict)

DURATION ?= 600

load: $(READY) pbx ## call for ten minutes at 0.8 of the highest rate; all must be whole and flat (DURATION= RATE=)
	@$(BIN)/python -m tests.pbx.load --seconds '$(DURATION)' $(if $(filter command line environment,$(origin RATE)),--rate '$(RATE)')

# The seed that repeats random kills (none: a new one), and the number of the first round.
SEED  ?=
FIRST ?= 1

soak: $(READY) pbx ## kill daemon and Asterisk at random in real calls (ROUNDS=500 SEED= FIRST=1)
	@$(BIN)/python -m tests.pbx.soak --rounds '$(or $(ROUNDS),500)' --first '$(FIRST)' $(if $(SEED),--seed '$(SEED)')

audio: $(READY) pbx ## record a prompt from a microphone that is a file, with a PyAudio built in .cache (a minute)
	@$(BIN)/python tests/pbx/audio.py
	@$(BIN)/python -m pytest -q tests/test_real_audio.py

# How long each parser is fuzzed, and which (none: all).
SECONDS ?= 60
TARGETS ?=

fuzz: $(READY) ## feed every parser bytes that nobody would write (SECONDS=60 TARGETS="header payload")
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[fuzz]' || \
		{ echo "error: atheris cannot be installed for this Python" >&2; echo "hint: use Python 3.11 to 3.13" >&2; exit 1; }
	@$(BIN)/python -m tests.fuzz --seconds '$(SECONDS)' $(TARGETS)

test: lint types pbx $(if $(PYTHONS),test-pythons) ## all checks and all tests, with coverage of 90 % of the branches
	@rm -f .coverage .coverage.*
	$(say) "unit tests"
	@$(BIN)/coverage run -m pytest -q $(ALONE) -m 'not pbx'
	$(say) "tests with a real Asterisk"
	@$(BIN)/coverage run -m pytest -q $(CALLS) -m pbx || { test $$? -eq 1; \
		printf '==> %s\n' "what failed, once more and alone"; \
		$(BIN)/coverage run -m pytest -q -m pbx --last-failed --last-failed-no-failures none --exitfirst; }
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --fail-under=90

lint: $(READY) ## ruff: rules and format
	$(say) "lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY) ## let ruff format and mend what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: $(READY) ## mypy --strict
	$(say) "types"
	@$(BIN)/mypy

unit: $(READY) ## the fast suite, without network and without Asterisk
	@$(BIN)/python -m pytest -q $(ALONE) -m 'not pbx'

tables: $(READY) ## write the tables of faults, from the tests that prove them, and the examples of the papers
	@$(BIN)/python -m tests.faults
	@$(BIN)/python -m tests.paperhouse

# REAL=1 runs those with a real Asterisk too, NAMES=1 prints each test, SHRINK=1 takes off the list what has tests now.
REAL   ?=
NAMES  ?=
SHRINK ?=

requirements: $(READY) $(if $(REAL),pbx) ## what the law asks, id by id, and what came of its tests (REAL=1 NAMES=1 SHRINK=1)
	@$(BIN)/python -m tests.requirements $(if $(REAL),--real) $(if $(NAMES),--names) $(if $(SHRINK),--shrink)

real: $(READY) pbx ## the suite with a real Asterisk
	@$(BIN)/python -m pytest -q $(CALLS) -m pbx

# What is asked of Asterisk; the tests of the tools themselves and those without calls are not repeated.
ASTERISK16 ?= tests/test_real_*.py tests/test_dialplan_real.py tests/test_asterisk_real.py tests/test_pbx_calls.py \
	tests/test_doctor.py tests/test_systemd.py

test-asterisk16: $(READY) pbx ## the suite with real calls on Asterisk 16 too; its first run downloads 86 MB more
	@flock .cache/pbx.lock $(BIN)/python tests/pbx/prepare.py root-16
	$(say) "tests with a real Asterisk 16"
	@GDPRCALL_TEST_ASTERISK=16 $(BIN)/python -m pytest -q $(CALLS) -m pbx $(ASTERISK16)

# pyenv keeps its Pythons aside; those are found too.
ALL_PYTHONS = $(or $(PYTHONS),$(foreach v,3.11 3.12 3.13 3.14,$(shell for p in python$(v) \
	$(HOME)/.pyenv/versions/$(v).*/bin/python$(v); do $$p -c '' >/dev/null 2>&1 && { echo $$p; break; }; done)))

test-pythons: $(READY) ## the unit suite on each Python from 3.11 on that this machine has (or PYTHONS="...")
	@set -e; for python in $(ALL_PYTHONS); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); venv=.cache/venv-$$version; \
		printf '==> unit tests on Python %s\n' "$$version"; \
		$$venv/bin/python -m pip --version >/dev/null 2>&1 || $$python tests/pbx/environment.py $$venv; \
		test $$venv/.ready -nt setup.cfg || { \
			$$venv/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]'; touch $$venv/.ready; }; \
		$$venv/bin/python -m pytest -q -p no:cacheprovider -m 'not pbx'; \
	done

install: ## install under prefix (/usr/local), below DESTDIR if that is given
	@$(MAKE) --no-print-directory install-program
	@$(MAKE) --no-print-directory install-files
	@printf 'next: see %s\n' '$(datadir)/doc/gdprcall/systemd.md'

# The program lives in an environment of its own. Its scripts and its bytecode must not name DESTDIR.
install-program:
	$(say) "program: $(DESTDIR)$(PRIVATE), $$($(SYSTEM_PYTHON) --version)"
	@test -n "$(SYSTEM_PYTHON)" || { \
		echo "error: no Python 3.11 or newer was found; install it with apt (python3, python3-venv)" >&2; exit 1; }
	@rm -rf build '$(DESTDIR)$(PRIVATE)'
	@mkdir -p '$(DESTDIR)$(PRIVATE)' '$(DESTDIR)$(bindir)'
	@$(SYSTEM_PYTHON) tests/pbx/environment.py '$(DESTDIR)$(PRIVATE)'
	@'$(DESTDIR)$(PRIVATE)/bin/python' -m pip install -q --disable-pip-version-check --no-input --no-compile .
	@rm -rf build
	@grep -lIr '$(DESTDIR)$(PRIVATE)' '$(DESTDIR)$(PRIVATE)/bin' '$(DESTDIR)$(PRIVATE)/pyvenv.cfg' \
		| xargs -r sed -i 's|$(DESTDIR)$(PRIVATE)|$(PRIVATE)|g'
	@find '$(DESTDIR)$(PRIVATE)' -name direct_url.json -delete
	@'$(DESTDIR)$(PRIVATE)/bin/python' -m compileall -q -f $(if $(DESTDIR),-s '$(DESTDIR)') '$(DESTDIR)$(PRIVATE)/lib' || true
	@ln -sf '$(PRIVATE)/bin/gdprcall' '$(DESTDIR)$(bindir)/gdprcall'

# The page and the completions are made from the commands themselves.
MAKER ?= $(if $(wildcard $(DESTDIR)$(PRIVATE)/bin/python),$(DESTDIR)$(PRIVATE)/bin/python,$(BIN)/python)

install-files:
	$(say) "units, samples, dialplan, page and completions: $(DESTDIR)$(prefix)"
	@set -e; cd systemd; \
	install -d '$(DESTDIR)$(unitdir)/asterisk.service.d' '$(DESTDIR)$(libdir)/sysusers.d' \
		'$(DESTDIR)$(libdir)/tmpfiles.d' '$(DESTDIR)$(PRIVATE)' '$(DESTDIR)$(datadir)/doc/gdprcall'; \
	for unit in $(UNITS); do \
		sed -e 's|/usr/bin/gdprcall|$(bindir)/gdprcall|' -e 's|/usr/lib/gdprcall/|$(PRIVATE)/|' "$$unit" \
			> '$(DESTDIR)$(unitdir)'/"$$unit"; \
		chmod 644 '$(DESTDIR)$(unitdir)'/"$$unit"; \
	done; \
	install -m 644 asterisk.service.d/gdprcall.conf '$(DESTDIR)$(unitdir)/asterisk.service.d/gdprcall.conf'; \
	install -m 644 sysusers.d/gdprcall.conf '$(DESTDIR)$(libdir)/sysusers.d/gdprcall.conf'; \
	install -m 644 tmpfiles.d/gdprcall.conf '$(DESTDIR)$(libdir)/tmpfiles.d/gdprcall.conf'; \
	install -m 755 stop-recordings '$(DESTDIR)$(PRIVATE)/stop-recordings'; \
	install -m 644 README.md '$(DESTDIR)$(datadir)/doc/gdprcall/systemd.md'
	@install -d '$(DESTDIR)$(sysconfdir)/gdprcall' '$(DESTDIR)$(datadir)/gdprcall/dialplan'
	@install -m 644 systemd/gdprcall.toml '$(DESTDIR)$(sysconfdir)/gdprcall/gdprcall.toml.sample'
	@install -m 644 LICENSE '$(DESTDIR)$(datadir)/doc/gdprcall/LICENSE'
	@cd dialplan && install -m 644 $(SAMPLES) '$(DESTDIR)$(datadir)/gdprcall/dialplan/'
	@install -d '$(DESTDIR)$(datadir)/doc/gdprcall/recipes'
	@install -m 644 dialplan/recipes/* '$(DESTDIR)$(datadir)/doc/gdprcall/recipes/'
	@install -d '$(DESTDIR)$(datadir)/man/man1' '$(DESTDIR)$(datadir)/bash-completion/completions' \
		'$(DESTDIR)$(datadir)/zsh/site-functions' '$(DESTDIR)$(datadir)/fish/vendor_completions.d'
	@'$(MAKER)' -m gdprcall manual > '$(DESTDIR)$(datadir)/man/man1/gdprcall.1'
	@'$(MAKER)' -m gdprcall completion bash > '$(DESTDIR)$(datadir)/bash-completion/completions/gdprcall'
	@'$(MAKER)' -m gdprcall completion zsh > '$(DESTDIR)$(datadir)/zsh/site-functions/_gdprcall'
	@'$(MAKER)' -m gdprcall completion fish > '$(DESTDIR)$(datadir)/fish/vendor_completions.d/gdprcall.fish'

uninstall: ## remove what install put there; configuration, vault and spool stay
	@rm -rf '$(DESTDIR)$(PRIVATE)' '$(DESTDIR)$(datadir)/gdprcall' '$(DESTDIR)$(datadir)/doc/gdprcall'
	@rm -f '$(DESTDIR)$(bindir)/gdprcall' $(foreach unit,$(UNITS),'$(DESTDIR)$(unitdir)/$(unit)') \
		'$(DESTDIR)$(unitdir)/asterisk.service.d/gdprcall.conf' \
		'$(DESTDIR)$(libdir)/sysusers.d/gdprcall.conf' '$(DESTDIR)$(libdir)/tmpfiles.d/gdprcall.conf' \
		'$(DESTDIR)$(sysconfdir)/gdprcall/gdprcall.toml.sample' '$(DESTDIR)$(datadir)/man/man1/gdprcall.1' \
		'$(DESTDIR)$(datadir)/bash-completion/completions/gdprcall' \
		'$(DESTDIR)$(datadir)/zsh/site-functions/_gdprcall' \
		'$(DESTDIR)$(datadir)/fish/vendor_completions.d/gdprcall.fish'
	@rmdir '$(DESTDIR)$(unitdir)/asterisk.service.d' '$(DESTDIR)$(sysconfdir)/gdprcall' 2>/dev/null || true
	@echo 'kept: configuration and secrets in $(sysconfdir)/gdprcall, the vault, the spool'

clean: ## remove what tests and builds left
	@rm -rf build dist .cache .demo .demo-officer .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	@find gdprcall tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv and .pbx
	@rm -rf .venv .pbx *.egg-info
