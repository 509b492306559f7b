# Masqgate: everything a developer does. `make help` lists it.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build
IMAGE ?= $(BUILD)/masqgate.img
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -E)
DEBIAN = $(shell cat image/packages-host.txt tests/lab/packages-host.txt tests/packages-host.txt 2>/dev/null | sed 's/\#.*//')
PYTEST := $(BIN)/pytest

.NOTPARALLEL:
.PHONY: help run test check lint types unit network system long browser image bundle release lock flash console box lab bench powercut venv packages clean

help: ## show this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: packages venv image ## build the image, boot it in an emulated Pi with its lab, serve the admin page
	$(SUDO) $(BIN)/python -m tests.lab run --image $(IMAGE)

test: packages venv lint types unit network browser image system ## every test

check: venv lint types ## the inner loop: lint, types, quick unit tests; no root
	$(PYTEST) tests/unit -n 2 -q -m "not slow"

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy firmware/masqgate webui/masqgate_web tests/lab

unit: venv ## tests without root
	$(PYTEST) tests/unit -n 12 --dist worksteal -q  # most of it waits, little computes

network: packages venv ## tests in network namespaces on this machine's kernel (root)
	$(SUDO) $(PYTEST) tests/network -q

browser: packages venv ## the admin page in a real browser
	$(PYTEST) tests/browser -q

system: packages venv image ## tests of the booted image (root)
	$(SUDO) $(PYTEST) tests/system -v -n 2 -m "not long" --image $(IMAGE)

long: packages venv image ## broken updates, a broken card, the key on the modem's UART, the USB port's power (root; 45 min)
	$(SUDO) $(PYTEST) tests/system -v -m long --image $(IMAGE)

image: packages venv ## build the SD-card image: build/masqgate.img
ifeq ($(BUILDER),buildroot)
	$(PYTHON) buildroot-config/build.py --board $(or $(BOARD),rpi64) --output $(BUILD)
else
	$(SUDO) $(BIN)/python image/build.py --output $(BUILD) $(if $(KEYRING),--keyring $(KEYRING))
endif

SIGNING = $(if $(KEY),--key $(KEY)) $(if $(CERT),--cert $(CERT)) $(if $(KEYRING),--keyring $(KEYRING))

bundle: packages venv image ## a signed update: build/masqgate-VERSION.bundle (KEY= CERT= KEYRING=)
	$(SUDO) $(BIN)/python image/bundle.py --build $(BUILD) $(SIGNING)

release: packages venv image ## the folder of a release
	$(SUDO) $(BIN)/python image/release.py --build $(BUILD) $(if $(RELEASE_URL),--url $(RELEASE_URL)) $(if $(DRAFT),--draft) $(SIGNING)

lock: venv ## accept the package versions of the last build
	$(BIN)/python image/lock.py --build $(BUILD)

flash: ## write the image to a card: make flash DEV=/dev/sdX
	$(PYTHON) image/flash.py --image $(IMAGE) $(if $(DEV),--device $(DEV))

console: venv ## the serial console of the running emulated Pi
	$(SUDO) $(BIN)/python -m tests.lab console

box: venv ## run a command in a LAN box: make box BOX=A CMD='curl http://web.example/'
	$(SUDO) $(BIN)/python -m tests.lab box $(BOX) $(CMD)

lab: venv ## tell the running lab: make lab DO=cut; DO=help lists more
	@$(SUDO) $(BIN)/python -m tests.lab $(or $(DO),help)

bench: packages venv image ## figures of the booted image: make bench PARTS="board causes failover others"
	$(SUDO) $(BIN)/python -m tests.bench --image $(IMAGE) $(if $(WVDIAL),--wvdial $(WVDIAL)) $(PARTS)

powercut: packages venv image ## power cuts: record, replay every write, start some states (an hour)
	$(SUDO) $(BIN)/python -m tests.powercut --image $(IMAGE)

venv: $(VENV)/stamp

$(VENV)/stamp: pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(SUDO) apt-get -q update && $(SUDO) apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

packages: $(BUILD)/packages.stamp

$(BUILD)/packages.stamp: image/packages-host.txt tests/lab/packages-host.txt tests/packages-host.txt
	@mkdir -p $(BUILD)
	@missing=$$(for p in $(DEBIAN); do dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get -q -o DPkg::Lock::Timeout=300 update && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends $$missing; \
	fi
	touch $@

clean: ## remove what was built
	$(SUDO) rm -rf $(BUILD)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
