# What one does with crate-run, by name. `make` alone prints this list.

ARCH := $(shell uname -m)
MUSL := $(ARCH)-unknown-linux-musl
TARGET := $(or $(CARGO_TARGET_DIR),target)
FIXTURES := $(TARGET)/fixtures
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
export CRATE_RUN_BIN := $(CURDIR)/bin/crate-run
export CRATE_RUN_FIXTURES := $(abspath $(FIXTURES))

# The controllers that the limits of the demo's bundle need.
CONTROLLERS := memory cpu pids

.DEFAULT_GOAL := help
.PHONY: help setup build man completions install rootfs run run-vm test test-host test-cgroup-v1 test-engines clauses as-root oracle lint bench bench-engines fuzz clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the other targets need (Debian and Ubuntu packages, Rust targets)
	@.ci/setup

build: ## build the static release binary: bin/crate-run
	cargo build --release --package crate-run --target $(MUSL)
	@mkdir -p bin
	@cp $(TARGET)/$(MUSL)/release/crate-run bin/crate-run.new && mv bin/crate-run.new bin/crate-run

man: ## write the manual pages, crate-run.1 and crate-run-VERB.1, to target/man
	cargo run --quiet --package crate-run-manual -- man $(TARGET)/man

completions: ## write completions for bash, zsh and fish to target/completions
	cargo run --quiet --package crate-run-manual -- completions $(TARGET)/completions

# Where `install` puts things; packagers set DESTDIR, which goes in front.
PREFIX := /usr/local
SHARE := $(DESTDIR)$(PREFIX)/share
# Only what lies in the system itself belongs to root.
AS_OWNER := $(if $(DESTDIR),,$(SUDO))

install: build man completions ## install program, manual pages and completions below PREFIX (/usr/local)
	$(AS_OWNER) install -D -m 755 bin/crate-run $(DESTDIR)$(PREFIX)/bin/crate-run
	$(AS_OWNER) install -d $(SHARE)/man/man1
	$(AS_OWNER) install -m 644 $(TARGET)/man/*.1 $(SHARE)/man/man1/
	$(AS_OWNER) install -D -m 644 $(TARGET)/completions/crate-run.bash $(SHARE)/bash-completion/completions/crate-run
	$(AS_OWNER) install -D -m 644 $(TARGET)/completions/_crate-run $(SHARE)/zsh/site-functions/_crate-run
	$(AS_OWNER) install -D -m 644 $(TARGET)/completions/crate-run.fish $(SHARE)/fish/vendor_completions.d/crate-run.fish

rootfs: ## make the root filesystem and the bundles that the demo and the tests use
	rootfs-fixtures/make $(FIXTURES)

run: build rootfs ## run the demo container on this host (through sudo when not root)
	@bundle=bundle; \
	missing=$$(tests/machine/missing-controllers $(CONTROLLERS)) || { \
		bundle=bundle-plain; \
		echo "No limits in this run, because cgroup v2 here lacks $$missing. \`make run-vm\` shows them hold."; \
	}; \
	set -x; $(SUDO) bin/crate-run run $(FIXTURES)/$$bundle/

run-vm: build rootfs ## run the demo container in the test machine, where every controller is there
	tests/machine/machine run --put bin/crate-run:/usr/local/bin/crate-run --put $(FIXTURES):/fixtures -- \
		crate-run run /fixtures/bundle/

test: build rootfs ## run every test; those that need root or cgroup v2 run in the test machine; then `clauses`
	@status=0; \
	tests/machine/unprivileged-tests || status=1; \
	tests/machine/root-tests machine || status=1; \
	$(MAKE) --no-print-directory clauses || status=1; \
	exit $$status

test-host: as-root build rootfs ## run the tests that need root on this host (as root)
	@tests/machine/root-tests host

test-cgroup-v1: as-root rootfs ## the same for the feature cgroup-v1, on a host of cgroup v1 (as root)
	cargo test --package crate-run --features cgroup-v1 --lib -- cgroup:: feature::mounts::
	cargo build --package crate-run --features cgroup-v1 --target $(MUSL)
	@CRATE_RUN_BIN=$(abspath $(TARGET))/$(MUSL)/debug/crate-run tests/machine/root-tests v1

test-engines: build rootfs ## run crate-run under real engines and systemd, in a Debian machine (root builds it)
	@.ci/setup engines
	@$(SUDO) env PATH="$$PATH" CARGO_TARGET_DIR="$(abspath $(TARGET))" tests/machine/debian build
	@tests/machine/root-tests debian $(PROGRAM) $(FILTER)

clauses: ## is each clause of the OCI runtime specification proved by a test that passed? (runtime-spec/)
	@cargo run --quiet --package crate-run-clauses -- $(TARGET)/test-records

as-root:
	@[ "$$(id -u)" = 0 ] || { \
		echo 'These tests make namespaces, mounts and cgroups on this host, so they need root:'; \
		echo '    sudo env PATH="$$PATH" HOME="$$HOME" make test-host'; \
		echo 'make test runs the same tests without root, in a virtual machine.'; \
		exit 1; }

oracle: ## compare what the seccomp compiler makes of profiles with what libseccomp makes of them
	cargo test --package crate-run-seccomp --features oracle --lib -- oracle:: --nocapture

lint: ## formatting, clippy, documentation, and whether it compiles for aarch64
	cargo fmt --all --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package crate-run --all-targets --features cgroup-v1 -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	cargo check --workspace --target aarch64-unknown-linux-musl

bench: build rootfs ## compare crate-run with the installed runc and crun (as root)
	cargo run --release --package crate-run-bench

# How often each command is measured.
ENGINE_ROUNDS := 7

bench-engines: build rootfs ## compare runtimes under real engines, in the Debian machine (root builds it)
	@.ci/setup engines
	@$(SUDO) env PATH="$$PATH" CARGO_TARGET_DIR="$(abspath $(TARGET))" tests/machine/debian build
	tests/machine/debian run --timeout 5400 --put bin/crate-run:/usr/local/bin/crate-run \
		--put $(FIXTURES):/fixtures --put bench/engines:/engines -- \
		sh -c '/engines /fixtures $(ENGINE_ROUNDS)' >$(TARGET)/benchmarks-engines.md
	@sed -n '/^# /,$$p' $(TARGET)/benchmarks-engines.md >docs/benchmarks-engines.md

# How long each target runs; new inputs stay out of the repository.
FUZZ_SECONDS := 60
FUZZ_TARGETS := config seccomp devices cgroup_path state

fuzz: ## try random inputs on every fuzz target (needs cargo-fuzz; FUZZ_SECONDS for each)
	@status=0; \
	for target in $(FUZZ_TARGETS); do \
		mkdir -p $(TARGET)/fuzz/corpus/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target \
			$(abspath $(TARGET))/fuzz/corpus/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 || status=1; \
	done; \
	exit $$status

clean: ## remove everything that was built
	cargo clean
	rm -rf bin
