# The short commands a person types.

CARGO ?= cargo
RELEASE = target/release/arboretum

.PHONY: run test test-peers interop test-interop lint lint-all bench conformance smoke clean help

help:
	@echo "make run          50,000 clients through a week, into runs/fifty-thousand"
	@echo "make test         all tests"
	@echo "make test-peers   random groups of our clients, OpenMLS and mls-rs (compiles for minutes)"
	@echo "make interop      a server for the MLS working group's interoperability test runner"
	@echo "make test-interop every call of that server, driven over the loopback"
	@echo "make lint         rustfmt and clippy, warnings denied"
	@echo "make bench        benchmarks: key operations, one member, growth with n"
	@echo "make conformance  the MLS working group's vectors in VECTORS (default ../shared/vectors)"
	@echo "make smoke        500 clients through two days, in seconds"

$(RELEASE): FORCE
	$(CARGO) build --release -p arboretum-sim

.PHONY: FORCE
FORCE:

run: $(RELEASE)
	$(RELEASE) run fifty-thousand --out runs/fifty-thousand --force
	@echo "plots: runs/fifty-thousand/plots/*.png"

smoke: $(RELEASE)
	$(RELEASE) run smoke --out runs/smoke --force

# The workspace's own crates are tested with their assertions on and the optimiser at work.
test:
	$(CARGO) test

# PEERS_SEEDS groups (100) of PEERS_OPERATIONS operations each (200).
test-peers:
	$(CARGO) test --release -p arboretum-peers

# A server of the working group's mls_client.proto; docs/interop.md says how to drive it.
interop:
	$(CARGO) build --release -p arboretum-interop
	@echo "target/release/arboretum-interop --port 50001, then the runner with -client 127.0.0.1:50001"

test-interop:
	$(CARGO) test -p arboretum-interop

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets -- -D warnings

# With the crates that are not built by default.
lint-all:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench:
	$(CARGO) bench -p arboretum-engine

VECTORS ?= ../shared/vectors
conformance: $(RELEASE)
	$(RELEASE) conformance $(VECTORS)

clean:
	$(CARGO) clean
