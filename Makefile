# The door; meson does the work.  `make help` lists what there is.
.DEFAULT_GOAL := help

RUN_LISTEN ?= 127.0.0.1:8080
MESON      ?= meson

# Builds are kept apart by purpose; each is set up once.
RELEASE  := build/release
ASAN     := build/asan
PORTABLE := build/portable
CLANG    := build/clang
FUZZ     := build/fuzz

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: deps-build deps-test deps-lint
deps-build: ; @tools/install-packages.sh build
deps-test:  ; @tools/install-packages.sh build test
deps-lint:  ; @tools/install-packages.sh build test lint

$(RELEASE)/build.ninja: | deps-build
	@CC=gcc $(MESON) setup $(RELEASE) --prefix="$(CURDIR)/out" --strip >/dev/null

$(ASAN)/build.ninja: | deps-test
	@CC=gcc $(MESON) setup $(ASAN) --werror -Dtests=true -Doptimization=1 \
	  -Db_sanitize=address,undefined >/dev/null

$(PORTABLE)/build.ninja: | deps-test
	@CC=gcc $(MESON) setup $(PORTABLE) --werror -Dportable_facts=true >/dev/null

$(CLANG)/build.ninja: | deps-lint
	@CC=clang-14 $(MESON) setup $(CLANG) --werror -Dtests=true >/dev/null

$(FUZZ)/build.ninja: | deps-lint
	@CC=clang-14 $(MESON) setup $(FUZZ) -Dfuzz=true -Doptimization=1 -Db_lundef=false \
	  -Db_sanitize=address,undefined >/dev/null

.PHONY: build
build: $(RELEASE)/build.ninja ## release build, installed to out/
	@tools/compile.sh $(RELEASE)
	@$(MESON) install -C $(RELEASE) --quiet
	@echo "built: out/bin/pyrycode-relay out/bin/posture out/lib/libposture.so out/lib/libposture.a"

.PHONY: run
run: build ## start the relay in development mode on 127.0.0.1:8080
	@echo "then try: curl http://$(RUN_LISTEN)/healthz   (Ctrl-C stops it)"
	@exec out/bin/pyrycode-relay --insecure-listen $(RUN_LISTEN)

.PHONY: test
test: deps-test $(ASAN)/build.ninja $(PORTABLE)/build.ninja ## build with sanitizers, run every suite
	@tools/compile.sh $(ASAN)
	@tools/compile.sh $(PORTABLE)
	@tools/run_tests.py --build $(ASAN) --portable $(PORTABLE)

.PHONY: lint
lint: deps-lint $(CLANG)/build.ninja $(ASAN)/build.ninja ## format, tidy, cppcheck, layers, symbols
	@tools/lint.sh $(CLANG)

.PHONY: fuzz
fuzz: $(FUZZ)/build.ninja ## run every fuzz target for FUZZ_SECONDS (60)
	@tools/compile.sh $(FUZZ)
	@tools/fuzz.sh $(FUZZ)

.PHONY: ci
ci: ## what gates a change: tests and lints
	@.ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf build out
