# The developer's day. `make help` lists it; the work is done by PGXS (extension/, sql/packs/), CMake (bridge and unit tests)
# and the scripts in tools/. Settings: PG_CONFIG, PULSE_HOME, PULSE_PORT, PULSE_PG_PORT, JOBS, PREFIX, DESTDIR.

PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config
JOBS      ?= $(shell nproc)
export PG_CONFIG PREFIX DESTDIR

.DEFAULT_GOAL := build
.PHONY: help setup build install run demo test unit pgtap isolation fault operate torture torture-faults soak e2e conformance asan fuzz fmt fmt-check lint bench \
        hooks clean \
        packages node programs-locked build-locked install-locked sanitized-locked faulty-locked

# Two makes in one checkout take turns.
locked = mkdir -p build && exec flock -F build/.lock $(MAKE) --no-print-directory $(1)
packs  = $(patsubst %/Makefile,%,$(wildcard sql/packs/*/Makefile))

##@ Use
run: install ## start a private cluster and the bridge, and serve until Ctrl-C (PULSE_HOME, PULSE_PORT, PULSE_PG_PORT)
	@exec setpriv --pdeathsig TERM tools/run
demo: node ## play a story against `make run` (PACK=donors)
	@exec tools/demo $(PACK)

##@ Build
setup: ## install the Debian and npm packages that are missing
	@tools/setup all
build: packages ## build the extension, the packs, the bridge and the unit tests
	@$(call locked,build-locked)
install: packages ## install the extension and packs into PG_CONFIG's folders and the bridge into PREFIX (/usr/local)
	@$(call locked,programs-locked)
	@$(call locked,install-locked)
clean: ## remove everything built; clusters of `make run` stay
	@$(MAKE) -s -C extension clean PG_CONFIG=$(PG_CONFIG) >/dev/null
	@for pack in $(packs); do $(MAKE) -s -C $$pack clean PG_CONFIG=$(PG_CONFIG) >/dev/null || exit; done
	@rm -rf build tests/node_modules

##@ Test
test: install faulty node ## everything, on its own clusters; ends in `N passed, N failed, N skipped`
	@exec tools/test all
unit: build ## unit tests of the pure C++ code and the bridge
	@exec tools/test unit
asan: sanitized ## the same under AddressSanitizer and UBSan
	@exec tools/test asan
pgtap: install ## pgTAP tests (FILES=tests/pgtap/core/publish.sql)
	@exec tools/test pgtap $(FILES)
isolation: install ## isolation specs: each race of the contract (FILES=name of a spec)
	@exec tools/test isolation $(FILES)
fault: install node ## kill -9 of workers, bridges and servers
	@exec tools/test fault $(FILES)
operate: install node ## updates, dump and restore, standbys, logical replication (FILES=tests/operate/x.test.mjs)
	@exec tools/test operate $(FILES)
torture: install node ## writers, sessions and kills for SECONDS (60), and whether anything was lost, doubled or out of order
	@exec tools/test torture
torture-faults: faulty node ## whether torture finds the faults that are planted for it
	@exec tools/test torture-faults $(FILES)
soak: install sanitized node ## clients that break every rule of every protocol, for SECONDS (20), against the sanitizer bridge
	@exec tools/test soak
e2e: install node ## stock clients against a cluster and bridges (FILES=tests/e2e/x.test.mjs, BRIDGE=build/asan/bin/pulse-bridge)
	@exec tools/test e2e $(FILES)
conformance: install node ## serve the endpoint that the published Engine.IO and Socket.IO suites test, until Ctrl-C (PORT=3000)
	@PORT=$(PORT) exec node tests/conformance/serve.mjs
fuzz: packages ## fuzz each parser for FUZZ_SECONDS (60) seconds
	@exec tools/fuzz
lint: packages ## dependency rules, formats, domain words, settings
	@exec tools/test lint
bench: install ## measure throughput, latency, fan-out and memory (BENCH="tps --quick")
	@PULSE_BRIDGE=build/plain/bin/pulse-bridge exec tests/bench/run $(BENCH)

##@ Write
fmt: packages ## format the C++ code in place
	@tools/format
fmt-check: packages ## fail when code is not formatted
	@tools/format --check
hooks: ## check the staged files before each commit
	@git config core.hooksPath .githooks

help: ## this list
	@awk 'BEGIN { FS = ":.*?## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	     /^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- steps of the above -------------------------------------------------------------------------------------------------------
packages:
	@tools/setup packages
node: packages
	@tools/setup node
.PHONY: sanitized faulty
sanitized: packages
	@$(call locked,sanitized-locked)
faulty: install
	@$(call locked,faulty-locked)

programs-locked:
	@$(MAKE) -s -j$(JOBS) -C extension PG_CONFIG=$(PG_CONFIG)
	@for pack in $(packs); do $(MAKE) -s -C $$pack PG_CONFIG=$(PG_CONFIG) || exit; done
	@tools/cmake plain pulse-bridge
build-locked: programs-locked
	@tools/cmake plain
install-locked:
	@tools/install
sanitized-locked:
	@tools/cmake asan
faulty-locked:
	@tools/cmake plain pulse-bridge-faults
	@$(MAKE) -s -C tests/torture/faults OUT=$(CURDIR)/build/faults
