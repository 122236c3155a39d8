# The short commands a person types.

CARGO ?= cargo
RELEASE = target/release/arboretum

.PHONY: run test lint bench conformance smoke clean help

help:
	@echo "make run          50,000 clients through a week, into runs/fifty-thousand"
	@echo "make test         all tests"
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
	$(CARGO) test --workspace

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench:
	$(CARGO) bench -p arboretum-engine

VECTORS ?= ../shared/vectors
conformance: $(RELEASE)
	$(RELEASE) conformance $(VECTORS)

clean:
	$(CARGO) clean
