# The door; meson does the work.  `make help` lists what there is.
.DEFAULT_GOAL := help

RUN_LISTEN ?= 127.0.0.1:8080

# Builds are kept apart by purpose; each is set up once.
RELEASE  := build/release
ASAN     := build/asan
TSAN     := build/tsan
PORTABLE := build/portable
CLANG    := build/clang
FUZZ     := build/fuzz
STATIC   := build/static

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: deps-build deps-test deps-lint deps-deb deps-bench
deps-build: ; @tools/install-packages.sh build
deps-test:  ; @tools/install-packages.sh build test
deps-lint:  ; @tools/install-packages.sh build test lint
deps-deb:   ; @tools/install-packages.sh build deb
deps-bench: ; @tools/install-packages.sh build test bench $$(command -v npm >/dev/null || echo bench-node)

$(RELEASE)/build.ninja: | deps-build
	@CC=gcc tools/setup.sh $(RELEASE) --prefix="$(CURDIR)/out" --strip -Dlto=true -Doptimization=3

$(ASAN)/build.ninja: | deps-test
	@CC=gcc tools/setup.sh $(ASAN) --werror -Dtests=true -Doptimization=1 \
	  -Db_sanitize=address,undefined

$(TSAN)/build.ninja: | deps-test
	@CC=gcc tools/setup.sh $(TSAN) --werror -Dtests=true -Doptimization=1 -Db_sanitize=thread

$(PORTABLE)/build.ninja: | deps-test
	@CC=gcc tools/setup.sh $(PORTABLE) --werror -Dportable_facts=true

$(CLANG)/build.ninja: | deps-lint
	@CC=clang-14 tools/setup.sh $(CLANG) --werror -Dtests=true

$(FUZZ)/build.ninja: | deps-lint
	@CC=clang-14 tools/setup.sh $(FUZZ) -Dfuzz=true -Doptimization=1 -Db_lundef=false \
	  -Db_sanitize=address,undefined

.PHONY: build
build: $(RELEASE)/build.ninja ## release build, installed to out/
	@tools/compile.sh $(RELEASE)
	@meson install -C $(RELEASE) --quiet
	@echo "built: out/bin/pyrycode-relay out/bin/posture out/lib/libposture.so out/lib/libposture.a"

$(STATIC)/build.ninja: | deps-build
	@CC=gcc tools/setup.sh $(STATIC) --strip -Dstatic=true -Ddebug=false

.PHONY: posture-static
posture-static: $(STATIC)/build.ninja ## out/bin/posture-static: one file, for an image with nothing else
	@tools/compile.sh $(STATIC)
	@mkdir -p out/bin
	@strip -o out/bin/posture-static $(STATIC)/posture/posture
	@echo "built: out/bin/posture-static, $$(stat -c %s out/bin/posture-static) bytes"

.PHONY: image
image: $(RELEASE)/build.ninja ## out/image.tar: an OCI image, as packaging/image/Containerfile says, without an engine
	@tools/compile.sh $(RELEASE)
	@mkdir -p out
	@tools/image.py root $(RELEASE) $(RELEASE)/image
	@SOURCE_DATE_EPOCH=$$(tools/source_date.sh) tools/image.py oci $(RELEASE)/image out/image.tar
	@echo "built: out/image.tar, $$(stat -c %s out/image.tar) bytes"

.PHONY: dist
dist: ## out/pyrycode-relay-VERSION.tar.gz: the source, which builds and tests without git
	@tools/dist.sh

.PHONY: deb
deb: deps-deb dist ## out/deb/*.deb: relay, command, library, development files; of what is committed
	@tools/deb.sh "$$(ls -t out/pyrycode-relay-*.tar.gz | head -n 1)" out/deb

.PHONY: deb-test
deb-test: deps-deb ## build them twice, lintian, install into a clean root, start, purge; needs root
	@$$([ "$$(id -u)" -eq 0 ] || echo sudo) tools/deb_test.py

.PHONY: run
run: build ## start the relay in development mode on 127.0.0.1:8080
	@tools/run.sh $(RUN_LISTEN)

.PHONY: test
test: deps-test $(ASAN)/build.ninja $(TSAN)/build.ninja $(PORTABLE)/build.ninja $(RELEASE)/build.ninja posture-static ## build with sanitizers, run every suite
	@tools/compile.sh $(ASAN)
	@tools/compile.sh $(TSAN)
	@tools/compile.sh $(PORTABLE)
	@tools/compile.sh $(RELEASE)
	@tools/run_tests.py --build $(ASAN) --threads $(TSAN) --portable $(PORTABLE) --release $(RELEASE) \
	  --static out/bin/posture-static

.PHONY: soak
soak: deps-test $(ASAN)/build.ninja ## hostile peers, SOAK (20) times as many as in the tests
	@tools/compile.sh $(ASAN)
	@SOAK=$${SOAK:-20} RELAY_BIN=$(ASAN)/src/pyrycode-relay /usr/bin/python3 -m pytest -q -p no:cacheprovider -n 2 \
	  tests/e2e/test_relay_misbehaviour.py

.PHONY: lint
lint: deps-lint $(CLANG)/build.ninja $(ASAN)/build.ninja ## format, tidy, cppcheck, layers, symbols
	@tools/lint.sh $(CLANG)

.PHONY: fuzz
fuzz: $(FUZZ)/build.ninja ## run every fuzz target for FUZZ_SECONDS (60)
	@tools/compile.sh $(FUZZ)
	@tools/fuzz.sh $(FUZZ)

.PHONY: bench
bench: deps-bench $(RELEASE)/build.ninja ## the relay beside the floor, haproxy, nginx and Node.js: 15 minutes; QUICK=1: 2
	@tools/compile.sh $(RELEASE)
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tools/bench.py $(RELEASE) $(if $(QUICK),--quick) $(if $(NAME),--name $(NAME)) --note '$(NOTE)'

.PHONY: bench-posture
bench-posture: deps-test $(RELEASE)/build.ninja ## what the posture check costs, as medians
	@tools/compile.sh $(RELEASE)
	@PYTHONDONTWRITEBYTECODE=1 tools/bench_posture.py $(RELEASE)

.PHONY: bench-guard
bench-guard: deps-test $(RELEASE)/build.ninja ## instructions a message against bench/guard.json; UPDATE=1 writes new ones
	@tools/compile.sh $(RELEASE)
	@PYTHONDONTWRITEBYTECODE=1 tools/bench_guard.py $(RELEASE) $(if $(UPDATE),--update)

.PHONY: ci
ci: ## what gates a change: tests and lints
	@.ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf build out
