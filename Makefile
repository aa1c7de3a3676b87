# The whole interface for people who build and change zsync.
#
#   make          bin/zsync
#   make demo     three devices on this machine, real photographs, broken on purpose (DIR=~/Pictures for your own)
#   make test     every test, with real sockets and the race detector
#   make check    format, vet, staticcheck, architecture, tidy: under a minute
#   make bench    ROWS (W1 to W10, all but 1M) against rsync over ssh: a table, and the plots in
#                 docs/plots. 25 minutes; 9 GiB free in TMPDIR; as root also W10, and octets on
#                 the wire. Else nothing should run. One row:  make bench ROWS=W4
#                 A million files, ten minutes:  make bench ROWS=1M
#                 Quick and rough:  go run ./scripts/bench -scale 20
#   make microbench
#                 the PARTS alone (hash and cut, fold, merge, bundles, ledger, codecs) against
#                 docs/microbench.txt, by benchstat; with RECORD=1 it becomes that. A minute.
#   make hostile  strangers and a hostile device against a real one: what it takes of memory and descriptors
#   make fuzz     each fuzz target for FUZZTIME, and random histories that no run has had before
#   make simulate OPS operations of five simulated devices to which everything happens
#                 that can; a line for each world, from seed FIRST on. A million take
#                 less than an hour on two cores. One world again:  make simulate OPS=1 FIRST=16
#   make mutants  planted bugs, each of which must turn a test red
#   make failpoints
#                 ROUNDS times, two devices in use and one of them killed in the middle
#                 of a write, at each place in turn; about four seconds a round, so it
#                 is no part of make test. (make test kills devices at any moment.)

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
ROUNDS   ?= 60
OPS      ?= 1000000
FIRST    ?= 0
DIR      ?=
ROWS     ?=
PARTS    ?= HashLarge|Fold|Merge|Items|Ledger|Codec
RECORD   ?=
GO       ?= go

# The packages with goroutines are tested with the race detector; in the others,
# the machines, there is nothing to race.
CONCURRENT = ./cmd/... ./internal/control ./internal/device ./internal/disk ./internal/kv/... ./internal/zeromq

# What is built with places where a test may kill the program; a release has none.
FAILING = -tags failpoint ./cmd/zsync ./internal/failpoint

.PHONY: all build demo test check bench microbench hostile fuzz simulate mutants failpoints deps

all: build

build: deps
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/zsync ./cmd/zsync

# What the build needs beside Go and git: a C compiler, pkg-config, libzmq.
deps:
	@scripts/deps build

demo: build
	@scripts/deps demo
	$(GO) run ./scripts/demo -zsync bin/zsync -photos '$(DIR)'

# Random histories are the same ones each time; make fuzz draws others.
test: export RAPID_SEED ?= 20261122
test: deps
	$(GO) test -count=1 ./internal/archtest
	$(GO) test -race -parallel 6 -timeout 20m $(CONCURRENT)
	$(GO) test -timeout 20m $$($(GO) list ./... | grep -vxF -e "$$($(GO) list $(CONCURRENT))")

check: deps
	@test -z "$$($(GO) tool gofumpt -l . | tee /dev/stderr)" || { echo 'run: go tool gofumpt -w .'; exit 1; }
	$(GO) vet ./...
	$(GO) vet $(FAILING)
	$(GO) tool staticcheck -checks 'all,-ST1000' ./...
	$(GO) tool staticcheck -checks 'all,-ST1000' $(FAILING)
	$(GO) test -count=1 ./internal/archtest
	$(GO) mod tidy -diff

bench: build
	@scripts/deps bench
	$(GO) run ./scripts/bench -zsync bin/zsync -record docs/plots -only '$(ROWS)'

microbench: deps
	@mkdir -p bin
	$(GO) test -run '^$$' -bench '$(PARTS)' -benchtime 100ms -count 6 ./store ./replica ./eventlog ./filemq ./zre > bin/microbench.txt
	@$(if $(RECORD),cp bin/microbench.txt docs/microbench.txt,$(GO) tool benchstat docs/microbench.txt bin/microbench.txt)

hostile: deps
	ZSYNC_HOSTILE=1 $(GO) test -count=1 -timeout 10m -v -run 'TestStrangers|TestADeviceOfTheCircleThatLies' ./cmd/zsync

fuzz: deps
	@scripts/fuzz $(FUZZTIME)

simulate: deps
	ZSYNC_OPS=$(OPS) ZSYNC_FIRST=$(FIRST) $(GO) test -count=1 -timeout 24h -v -run 'TestFiveDevicesAndEveryFaultLoseNothing' ./internal/sim

mutants: deps
	@scripts/mutants

failpoints: deps
	$(GO) test -count=1 -tags failpoint ./internal/failpoint
	$(GO) test -count=1 -tags failpoint -v -timeout 60m -run FailPoint ./cmd/zsync -rounds $(ROUNDS)
