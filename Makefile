# The short commands a person types.

CARGO ?= cargo
RELEASE = target/release/arboretum

.PHONY: run test test-slurm test-manifests test-peers test-peers-large fuzz fuzz-long cargo-fuzz interop test-interop test-report lint \
	lint-all bench bench-peers conformance smoke notebooks notebooks-recorded clean help studies answers record record-capacity schemas reference test-reference parquet

help:
	@echo "make run          50,000 clients through a week, into runs/fifty-thousand"
	@echo "make studies      every study in its small size, into runs/STUDY-quick, in minutes"
	@echo "make answers      numbers and plots into pages of docs/, of what is recorded or of small sizes"
	@echo "make record-capacity how large a group may grow, a few minutes, into results/reference"
	@echo "make record       a STUDY in its full size, for minutes or hours, into results/reference"
	@echo "make reference    the pages of what is recorded, into runs/reference"
	@echo "make schemas      JSON Schemas of scenarios, experiments, studies and profiles, into workloads/schema"
	@echo "make test         all tests"
	@echo "make test-reference CELLS (1) of each study recorded with its cells once more"
	@echo "make test-slurm   a study through a Slurm cluster of this one machine (root; installs it if need be)"
	@echo "make test-manifests the manifests for Kubernetes and AWS Batch, without either"
	@echo "make test-peers   random groups of our clients, OpenMLS and mls-rs (compiles for minutes)"
	@echo "make fuzz         hostile input for every decoder and the group, a minute of it"
	@echo "make fuzz-long    the same, FUZZ_EXECUTIONS of them (ten million)"
	@echo "make cargo-fuzz   the same by libFuzzer: TARGET (process) for SECONDS (300)"
	@echo "make interop      a server for the MLS working group's interoperability test runner"
	@echo "make test-interop every call of that server, driven over the loopback"
	@echo "make test-report  the page of a report in headless Chromium (installs it where it is missing)"
	@echo "make lint         rustfmt and clippy, warnings denied"
	@echo "make bench        benchmarks: key operations, one member, growth with n"
	@echo "make bench-peers  beside OpenMLS and mls-rs, for a quarter of an hour"
	@echo "make conformance  the MLS working group's vectors in VECTORS (default ../shared/vectors)"
	@echo "make notebooks    executes notebooks/ on quick results, which it makes"
	@echo "make notebooks-recorded  executes those of recorded studies on their full size"
	@echo "make parquet      the tables of a FOLDER as Parquet"
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

# All of them are run; then it fails if what one of them says does not hold.
studies: $(RELEASE)
	@failed=; for study in $$($(RELEASE) list studies | cut -d' ' -f1); do \
		echo "$$study"; $(RELEASE) study $$study --quick --quiet || failed="$$failed $$study"; \
	done; test -z "$$failed" || { echo "does not hold:$$failed"; exit 1; }

# Pages whose numbers are of what is recorded, or of the small size of a study that is not (sim/tests/reference.rs
# holds these pages to it). They name their plots by study and plot: img/answers/STUDY/PLOT.svg.
PAGES = docs/answers.md docs/capacity.md docs/healing.md
answers: $(RELEASE)
	@rm -rf runs/answers; mkdir -p runs/answers
	@for study in $$(grep -oh '<!-- [a-z]* [a-z0-9-]* ' $(PAGES) | cut -d' ' -f3 | sort -u); do \
		found=results/reference/$$study; test -d $$found || found=runs/$$study-quick; \
		mkdir runs/answers/$$study && cp $$found/*.csv $$found/*.json runs/answers/$$study/ && \
		$(RELEASE) plot runs/answers/$$study || exit 1; \
	done
	@for plot in $$(grep -oh 'img/answers/[^)]*\.svg' $(PAGES) | sort -u); do \
		name=$${plot#img/answers/}; mkdir -p docs/$$(dirname $$plot); \
		cp runs/answers/$${name%/*}/plots/$${name##*/} docs/$$plot || exit 1; \
	done
	@for page in $(PAGES); do $(RELEASE) splice $$page runs/answers/* || exit 1; done

# A study in its full size, which may take hours, and its tables into results/reference, whether what it
# says holds or not. sim/tests/reference.rs runs a part of each again.
record: $(RELEASE)
	@test -n "$(STUDY)" || { echo "make record STUDY=NAME: which one?"; exit 2; }
	@mkdir -p results/reference/$(STUDY); $(RELEASE) study $(STUDY); held=$$?; test $$held -le 1 || exit $$held; \
	for file in provenance.json cells.csv aggregate.csv; do \
		cp runs/$(STUDY)/$$file results/reference/$(STUDY)/ || exit 1; \
	done; \
	test ! -d runs/$(STUDY)/tree || cp -r runs/$(STUDY)/tree results/reference/$(STUDY)/ || exit 1; exit $$held

# What editors check the shipped files by (.taplo.toml).
schemas: $(RELEASE)
	@for what in scenario experiment study profile; do \
		$(RELEASE) schema $$what > workloads/schema/$$what.json || exit 1; \
	done

# docs/capacity.md says what is asked.
CAPACITY = $(RELEASE) capacity fifty-thousand --budget commit_process=50ms --budget join=1s \
	--budget catch_up=1s --budget memory=64MiB --budget rejected=5%
BYTES = --budget bytes_per_day=1MB
# $(1) is an answer's name, $(2) further options.
record_capacity = $(CAPACITY) $(2) --out runs/$(1) && mkdir -p results/reference/$(1) && \
	cp runs/$(1)/capacity.* runs/$(1)/scenario.toml runs/$(1)/provenance.json results/reference/$(1)/
record-capacity: $(RELEASE)
	$(call record_capacity,capacity,--profile phone $(BYTES))
	$(call record_capacity,capacity-warm,--profile phone $(BYTES) --set group.start=warm)
	$(call record_capacity,capacity-month,--profile phone $(BYTES) --set duration=28d)
	$(call record_capacity,capacity-tainted,--profile phone $(BYTES) --strategy tainted-2021)
	$(call record_capacity,capacity-time,--profile phone)
	$(call record_capacity,capacity-laptop,--profile laptop)
	$(call record_capacity,capacity-server,--profile server)

# The pages of what is recorded.
reference: $(RELEASE)
	@mkdir -p runs/reference
	@for study in $$(ls results/reference); do \
		$(RELEASE) report results/reference/$$study -o runs/reference/$$study.html || exit 1; \
	done

# CELLS of each recorded study once more: their digests are what is recorded.
CELLS ?= 1
test-reference: $(RELEASE)
	@for study in results/reference/*; do \
		$(RELEASE) verify $$study --cells $(CELLS) --at-most 60 || exit 1; \
	done

# The workspace's own crates are tested with their assertions on and the optimiser at work.
test:
	$(CARGO) test

# docs/clusters.md says what it tests. It starts a cluster of its own and stops it.
test-slurm: $(RELEASE)
	command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qy slurm-wlm munge; }
	sim/tests/slurm/test.sh $(RELEASE)

# docs/clusters.md's manifests for engines that no test can start.
test-manifests: $(RELEASE)
	sim/tests/clusters/run $(RELEASE)

# PEERS_SEEDS groups (100) of PEERS_OPERATIONS operations each (200).
test-peers:
	$(CARGO) test --release -p arboretum-peers --test mixed
	$(CARGO) test --release -p arboretum-sim --features peers --test peers

# One group of 2^16 with a client of mls-rs: minutes.
test-peers-large:
	$(CARGO) test --release -p arboretum-peers --test large

# docs/fuzzing.md says what is fuzzed, within which limits, and what came of it.
fuzz:
	$(CARGO) test -p arboretum-fuzz

fuzz-long: export FUZZ_EXECUTIONS ?= 10000000
fuzz-long:
	$(CARGO) test --profile fuzz -p arboretum-fuzz

# libFuzzer takes a nightly compiler. Assertions are on, but for a codec that asserts of hostile
# input what it then refuses: Cargo.toml says so by its profile, which -O leaves in force.
TARGET ?= process
SECONDS ?= 300
cargo-fuzz:
	$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install cargo-fuzz
	CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true \
		$(CARGO) +nightly fuzz run -O --fuzz-dir engine/fuzz --features libfuzzer \
		--target-dir target/cargo-fuzz $(TARGET) -- -max_total_time=$(SECONDS) -timeout=20

# A server of the working group's mls_client.proto; docs/interop.md says how to drive it.
interop:
	$(CARGO) build --release -p arboretum-interop
	@echo "target/release/arboretum-interop --port 50001, then the runner with -client 127.0.0.1:50001"

test-interop:
	$(CARGO) test -p arboretum-interop

# Debian's Chromium, driven by what results/tests/browser/requirements.txt pins.
test-report:
	$(CARGO) build
	results/tests/browser/run

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets -- -D warnings

# With the crates that are not built by default.
lint-all:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench:
	$(CARGO) bench -p arboretum-engine

# Writes its table into docs/benchmarks.md.
bench-peers:
	SPLICE_INTO=$(CURDIR)/docs/benchmarks.md $(CARGO) bench -p arboretum-peers --bench side_by_side

VECTORS ?= ../shared/vectors
conformance: $(RELEASE)
	$(RELEASE) conformance $(VECTORS)

# Studies that notebooks load, at their small size; notebooks/README.md says what they show.
NOTEBOOK_STUDIES = ttkem-2021 ttkem-2021-administrators multicast-2022 concurrent-2025 bonsai-2024 \
	quarantined-2024 fifty-thousand rebalance scaling scaling-lived-in tree-growth two-servers evict-first \
	eviction offline creation sequencing versus healing forward-secrecy history \
	join-link devices recovery conference
NOTEBOOK_RESULTS = $(addprefix runs/notebooks/,$(NOTEBOOK_STUDIES))
# Real keys give the same counts, in minutes.
notebook-options-scaling = --only fidelity=counted

$(NOTEBOOK_RESULTS): runs/notebooks/%: $(RELEASE)
	$(RELEASE) study $* --quick $(notebook-options-$*) --out $@ --quiet

notebooks: $(NOTEBOOK_RESULTS)
	notebooks/environment.sh target/notebooks-venv
	ARBORETUM=$(abspath $(RELEASE)) ARBORETUM_RUNS=$(abspath runs/notebooks) \
		target/notebooks-venv/bin/python -m pytest -q -p no:cacheprovider --nbmake --nbmake-timeout=300 \
		--durations=10 notebooks

# Those that read studies recorded in full size, on these: what is in no folder of runs is read there. Capacity
# reads none, and searches.
RECORDED_NOTEBOOKS = fifty-thousand rebalance tree-growth two-servers evict-first eviction history offline \
	join-link devices recovery creation sequencing conference versus scaling healing \
	forward-secrecy capacity
notebooks-recorded: $(RELEASE)
	notebooks/environment.sh target/notebooks-venv
	ARBORETUM=$(abspath $(RELEASE)) ARBORETUM_RUNS=$(abspath runs/none) \
		target/notebooks-venv/bin/python -m pytest -q -p no:cacheprovider --nbmake --nbmake-timeout=300 \
		$(RECORDED_NOTEBOOKS:%=notebooks/%.ipynb)

# The tables of a run or a study as Parquet, into its parquet/.
parquet:
	@test -n "$(FOLDER)" || { echo "make parquet FOLDER=DIR: of which run or study?"; exit 2; }
	notebooks/environment.sh target/notebooks-venv
	target/notebooks-venv/bin/python notebooks/to_parquet.py $(FOLDER)

clean:
	$(CARGO) clean
