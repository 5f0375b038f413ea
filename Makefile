# The whole development loop. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := check

ENGINE  := .cache/engine
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Set on the command line: make run DATA=/var/lib/cairn LISTEN=0.0.0.0:8080
DATA      ?= ./data
LISTEN    ?= 127.0.0.1:8080
PACKAGES  ?= ./...
BENCH     ?= .
FUZZTIME  ?= 10s

GOFILES := $(filter-out bin/ data/,$(wildcard */))

# In CI (CI=true) results are never taken from Go's test cache; RACE=1 adds the race detector.
TESTFLAGS := -timeout 30m $(if $(CI),-count=1) $(if $(RACE),-race)

.PHONY: check
check: fmt-check lint test ## format check, lint and every test: what must pass before a commit

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sed 's/:.* ## /\t/' | awk -F '\t' '{ printf "make %-10s  %s\n", $$1, $$2 }'

.PHONY: test
test: engine ## every test, with the real engine (PACKAGES=./metrics/..., RACE=1)
	go test $(TESTFLAGS) $(PACKAGES)

.PHONY: race
race: engine ## the tests that matter for it, shortened, under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -short -timeout 30m $(if $(CI),-count=1) $(PACKAGES)

.PHONY: build
build: engine ## bin/cairn
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/cairn ./cmd/cairn

.PHONY: run
run: build ## build and serve on LISTEN (127.0.0.1:8080) with the data in DATA (./data)
	bin/cairn serve --data '$(DATA)' --listen '$(LISTEN)'

.PHONY: demo
demo: build ## a made-up organisation in a throw-away folder, served on LISTEN
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && trap : INT TERM && \
	bin/cairn demo --data "$$data" && \
	echo && bin/cairn serve --data "$$data" --listen '$(LISTEN)' --title Linden

.PHONY: pictures
pictures: engine ## renew the pictures of the documentation (needs Chromium)
	CAIRN_TEST_PICTURES='$(CURDIR)/docs/images' go test -count=1 -run TestPicturesOfTheDocumentation ./cmd/cairn

.PHONY: dashboards
dashboards: ## renew the dashboards for Grafana from their code
	CAIRN_WRITE_DASHBOARDS=1 go test -count=1 -run TestTheFilesAreWhatTheCodeMakes ./grafana

.PHONY: fmt
fmt: ## format the Go files
	gofmt -w $(GOFILES)

.PHONY: fmt-check
fmt-check: ## name the Go files that are not formatted
	@files=$$(gofmt -l $(GOFILES)); test -z "$$files" || { echo "not formatted, run make fmt:"; echo "$$files"; exit 1; }

.PHONY: lint
lint: ## go vet and staticcheck
	go vet ./...
	go tool staticcheck ./...

.PHONY: bench
bench: engine ## figures and ratios of every benchmark, one package after the other (BENCH=Attribution, PACKAGES=…)
	go test -run '^$$' -bench '$(BENCH)' -p 1 -timeout 60m $(PACKAGES)

.PHONY: fuzz
fuzz: engine ## every fuzz target for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$file" | while read -r _ target; do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null || exit 1; \
		done || exit 1; \
	done

.PHONY: engine
engine: ## fetch the embedded engine with npm, once (566 MB in .cache/engine)
	@internal/store/chdb/engine/fetch $(ENGINE)

.PHONY: clean
clean: ## remove what make made: bin and the engine; the data stays
	rm -rf bin $(ENGINE) $(ENGINE).lock $(ENGINE).new.*
