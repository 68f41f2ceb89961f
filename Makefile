# Everything a newcomer needs.  `make` alone lists the targets.
SHELL := /bin/bash
BIN := .venv/bin
# else each process that a test starts would compile all our sources anew
unexport PYTHONDONTWRITEBYTECODE
AS_ROOT = @[ "$$(id -u)" -eq 0 ] || { echo "make $@ needs root: it makes network namespaces.  Try: sudo make $@" >&2; exit 1; }

.PHONY: help demo ground test test-kernel test-kernel-quick test-ovn test-faucet test-lldp test-tables test-switch-vm test-nova test-barbican test-cloud-init conformance test-deploy check fresh bench bench-scale install web lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@echo "Netweft: Network-as-a-Service on Open vSwitch"
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 26

demo: ## two hypervisors, VMs over VXLAN, on a VLAN and on the external network, and a picture (root; installs what is missing)
	$(AS_ROOT)
	@scripts/install.sh
	@$(BIN)/netweft demo

ground: ## ask the installed Open vSwitch what it does right and what not; writes docs/ground.md (root)
	$(AS_ROOT)
	@scripts/install.sh test
	$(BIN)/python -m tests.ground.run

test: ## install, then every test there is (root)
	$(AS_ROOT)
	@scripts/install.sh test
	@$(MAKE) --no-print-directory --jobs=2 lint all-tests # side by side: mypy is one process, so is what compiles tests

.PHONY: all-tests
all-tests:
	$(BIN)/pytest -n auto || scripts/second_try.sh

test-kernel: ## real packets on the kernel's datapath, in virtual machines; up to 90 minutes (root, first time)
	@scripts/install.sh kernel
	$(BIN)/python -m tests.kernel.run all

test-kernel-quick: ## the same, a choice of them; some ten minutes
	@scripts/install.sh kernel
	$(BIN)/python -m tests.kernel.run quick

test-ovn: ## the labs' tests with OVN as back end; writes into docs/ovn.md; some 20 minutes (root)
	$(AS_ROOT)
	@scripts/install.sh test
	$(BIN)/python -m tests.netns.ovn.on_ovn

test-faucet: ## a real Faucet drives the lab's switch, told by Netweft; a minute (root)
	$(AS_ROOT)
	@scripts/install.sh test
	@scripts/install.sh faucet
	$(BIN)/pytest -q tests/faucet

test-switch-vm: ## a Linux switch in a virtual machine forwards, told by SSH; writes its line into docs/switches.md; two minutes (root)
	$(AS_ROOT)
	@scripts/install.sh test
	NETWEFT_SWITCH_VM=1 $(BIN)/pytest -q tests/switch_vm

test-lldp: ## links to switches are found by Debian's lldpd, and a moved cable is followed; a minute (root)
	$(AS_ROOT)
	@scripts/install.sh test
	NETWEFT_LLDP=yes $(BIN)/pytest -q tests/netns/switches/test_lldp.py

test-tables: ## every type of segment by every way in, of which `make test` tries a part; writes docs/layer2.md; some five minutes (root)
	$(AS_ROOT)
	@scripts/install.sh test
	NETWEFT_WRITE_TABLES=1 $(BIN)/pytest -q tests/netns -k l2

test-nova: ## a real Nova beside Netweft: its VMs beside their ports in the dashboard; some five minutes (root)
	$(AS_ROOT)
	@scripts/install.sh test
	@scripts/install.sh nova
	$(BIN)/pytest -q -p no:randomly tests/nova

test-barbican: ## balancers' certificates in a real Barbican, beside a real Keystone; some minutes
	@scripts/install.sh barbican
	$(BIN)/pytest -q tests/api/process/test_barbican.py

test-cloud-init: ## a Debian in a lab, set up by its own cloud-init; writes into docs/metadata.md; three minutes, five the first time (root)
	$(AS_ROOT)
	@scripts/install.sh test
	@scripts/install.sh cloud-init
	$(BIN)/python -m tests.cloud_init.run

test-deploy: ## Prometheus' own tool tries the alerts in deploy/, with what they are to make of values (root, first time)
	@scripts/install.sh deploy
	$(BIN)/python -m tests.deploy.run

conformance: ## OpenStack's own tests of the Networking API; writes docs/conformance.md (some ten minutes)
	@scripts/install.sh conformance
	$(BIN)/python -m tests.conformance.run

check: ## lint, types, import contracts and the quick tests that need no root; some two minutes on two cores
	@[ -x $(BIN)/pytest ] || { echo "first: sudo make install" >&2; exit 1; }
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n auto --hypothesis-profile=check -m "not root and not ovs and not postgres and not client and not keystone and not browser and not slow"

fresh: ## what the README promises, on Debian 12 and 13 with nothing on them; writes docs/fresh.md (root)
	$(AS_ROOT)
	@scripts/fresh.sh

.PHONY: lint
lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## measure, and print a table (root)
	$(AS_ROOT)
	@scripts/install.sh bench
	$(BIN)/python bench/api.py
	$(BIN)/python bench/fair.py
	$(BIN)/python bench/wiring.py
	$(BIN)/python bench/restarts.py
	$(BIN)/python bench/dhcp.py
	$(BIN)/python bench/metadata.py
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/stt.py
	$(BIN)/python bench/routed.py
	$(BIN)/python bench/routers.py
	$(BIN)/python bench/load_balancers.py --ovn
	$(BIN)/python bench/firewalls.py
	$(BIN)/python bench/failover.py
	@scripts/install.sh test
	$(BIN)/python bench/dashboard.py

bench-scale: ## what one more costs beside 100, 1,000, 5,000 ports, and beside 1,000 routers, restarts and an upgrade among them; some ten minutes (root)
	$(AS_ROOT)
	@scripts/install.sh bench
	$(BIN)/python bench/scale.py host --sizes 100,1000
	$(BIN)/python bench/scale.py network
	$(BIN)/python bench/routers.py --sizes 0,1000
	$(BIN)/python bench/routers_flows.py

web: ## the dashboard's files, from web/ to where the server has them (needs Node.js and npm)
	@scripts/web.sh src/netweft/dashboard/static

install: ## set up what demo, lab and tests need (root)
	@scripts/install.sh test

lock: ## requirements.lock, the tests' Keystone's, Barbican's, tempest's, Faucet's, Nova's and the dashboard's anew: newest versions, with hashes
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile --quiet --universal --upgrade --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock pyproject.toml
	for name in keystone barbican conformance faucet nova; do \
	  uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command "make lock" -o tests/$$name/requirements.lock tests/$$name/requirements.in \
	    || exit 1; \
	done
	cd web && npm update --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved && node lock.mjs

clean: ## remove the virtual environment and caches; labs are taken down with: netweft lab down
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
