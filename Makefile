# vidbatch. `make help` lists the targets.
VERSION := 0.1.0
BUILD ?= build/release
ifeq ($(origin CC),default)
CC := gcc
endif
GEN := $(BUILD)/gen
# Python for the tests; made anew only when the list of its packages changes.
PYTHON_READY := tests/support/venv.sh build/venv tests/requirements.txt
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

PACKAGES := libmicrohttpd gnutls libcurl openssl jansson libpq expat zlib
# Asked at the first use, once: on a bare machine pkg-config comes only with `make install-deps`.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(shell pkg-config --libs $(PACKAGES)))$(PKG_LIBS)

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
            -Wimplicit-fallthrough -Wundef -Wwrite-strings -Werror
HARDENING := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection
ifeq ($(shell uname -m),x86_64)
HARDENING += -fcf-protection
endif
OPTIMIZE ?= -O2
SANITIZE ?=
ifneq ($(SANITIZE),)
HARDENING := -fPIE
endif
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -DVIDBATCH_VERSION='"$(VERSION)"' -g $(OPTIMIZE) $(WARNINGS) $(HARDENING) \
             $(SANITIZE) -I. -I$(GEN) $(PKG_CFLAGS) -MMD -MP
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(SANITIZE)
LIBS_ALL = $(PKG_LIBS) -lpthread -lm

ASAN := BUILD=build/asan OPTIMIZE=-O1 SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
TSAN := BUILD=build/tsan OPTIMIZE=-O1 SANITIZE="-fsanitize=thread -fno-omit-frame-pointer"
CLANG := BUILD=build/clang CC=clang
FUZZ := BUILD=build/fuzz CC=clang OPTIMIZE=-O1 SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
# V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo "  $(1)")
# Compile in parallel, unless the caller said how many.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: help build demo test check run bench clean image-test install-deps unit integration conformance contract fuzz
build: deps-build ## Build the server (the default)
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name does; do \
	    printf '  make %-17s %s\n' "$$name" "$$does"; done

demo: deps-build+demo ## See the whole thing work, no AWS needed (VIDEOS=folder: your files, ONCE=1: check and leave)
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatch-emulator
	@BUILD=$(BUILD) VIDEOS="$(VIDEOS)" ONCE="$(ONCE)" tests/demo/demo.sh

# What the conformance tests need is installed by themselves, beside the other suites.
test: deps-build+test+check+fuzz+demo+image+valgrind ## Everything: checks, unit, integration and fault tests, sanitizers, fuzzing, image, demo
	@$(PYTHON_READY)
	@tests/support/test_all.sh

check: deps-build+check ## Include direction, headers, format, lint, sizes, build under clang (ARGS=tidy: only that; ARGS=fanalyzer: the analyzer of gcc)
	@$(PYTHON_READY)
	@tests/check/check.sh $(ARGS)

run: build ## Run the server with the environment's settings
	@$(BUILD)/bin/vidbatchd

bench: deps-build+test+bench ## Measure against peers in the same run (BENCH_SCALE=0.02: quick look, ARGS=listing: only that)
	@$(SUBMAKE) bench-bins
	@$(PYTHON_READY)
	@tests/bench/bench.sh $(BUILD) $(ARGS)

unit: deps-build+test ## Unit tests of the release build (ARGS='unit/http/stream_test': only that)
	@$(SUBMAKE) $(if $(ARGS),$(ARGS:%=$(BUILD)/%),unit-bins)
	@tests/support/run_unit.sh $(BUILD) $(ARGS)

unit-asan: deps-build+test ## Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(SUBMAKE) $(ASAN) unit-bins
	@tests/support/run_unit.sh build/asan

unit-tsan: deps-build+test ## Unit tests of the parts that know threads, under ThreadSanitizer
	@$(SUBMAKE) $(TSAN) $(THREADED:%=build/tsan/%)
	@tests/support/run_unit.sh build/tsan $(THREADED)

integration: deps-build+test ## Python tests with real processes and PostgreSQL (ARGS='-k name': only some)
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@tests/support/run_pytest.sh $(BUILD) $(ARGS)

integration-asan: deps-build+test ## The same with programs built under the sanitizers
	@$(SUBMAKE) $(ASAN) build/asan/bin/vidbatchd build/asan/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@tests/support/run_pytest.sh build/asan $(ARGS)

integration-tsan: deps-build+test ## Whole jobs and kills, the programs built under ThreadSanitizer
	@$(SUBMAKE) $(TSAN) build/tsan/bin/vidbatchd build/tsan/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@tests/support/run_pytest.sh build/tsan $(or $(ARGS),tests/integration/jobs_test.py tests/fault/kill_test.py)

crash: deps-build+test ## kill -9 at every commit point of every step and request, and 300 times at random
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatchd-sabotaged $(BUILD)/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@PYTEST_PASSES=long PYTEST_LOGS=$(BUILD)/pytest-crash tests/support/run_pytest.sh $(BUILD) tests/sabotage/crash_test.py -n 3 --dist worksteal

nth: deps-build+test nth-bins ## Each allocation and each call of libpq and libcurl made to fail once, under AddressSanitizer
	@$(PYTHON_READY)
	@PYTEST_PASSES=long PYTEST_LOGS=build/asan/pytest-nth tests/support/run_pytest.sh build/asan tests/sabotage/failure_test.py -n 4 --dist worksteal

soak: deps-build+test ## 20,000 requests held against the contract, a million videos, hostile clients, then faults and kills for MINUTES (10)
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatchd-sabotaged $(BUILD)/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@tests/contract/run.sh $(BUILD) 20000
	@PYTEST_PASSES=long PYTEST_LOGS=$(BUILD)/pytest-million tests/support/run_pytest.sh $(BUILD) tests/fault/million_test.py -s
	@HOSTILE_LEAST_SHARE=0.8 PYTEST_PASSES=alone PYTEST_LOGS=$(BUILD)/pytest-hostile tests/support/run_pytest.sh $(BUILD) tests/fault/hostile_test.py -s
	@SOAK_MINUTES=$(or $(MINUTES),10) PYTEST_PASSES=long PYTEST_LOGS=$(BUILD)/pytest-soak tests/support/run_pytest.sh $(BUILD) tests/sabotage/soak_test.py -s

valgrind: deps-build+test+valgrind ## One whole job under valgrind
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@PYTEST_PASSES=long PYTEST_LOGS=$(BUILD)/pytest-valgrind tests/support/run_pytest.sh $(BUILD) tests/sabotage/valgrind_test.py -s

nth-bins:
	@$(SUBMAKE) $(ASAN) build/asan/bin/vidbatchd build/asan/bin/vidbatchd-sabotaged build/asan/bin/vidbatch-emulator

conformance: deps-build+test ## Against software of others: S3 client and jobs on Ceph RGW and Swift, signatures as botocore makes them
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatch-emulator $(CONFORMANCE)
	@$(PYTHON_READY)
	@tests/conformance/run.sh $(BUILD) $(ARGS)

contract: deps-build+test ## Requests of every kind held against openapi.yaml, and a second linter over it (CASES=20000)
	@$(SUBMAKE) $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatch-emulator
	@$(PYTHON_READY)
	@tests/contract/run.sh $(BUILD) $(CASES)

fuzz: deps-build+fuzz ## Each fuzz target for a while (SECONDS=10)
	@$(SUBMAKE) $(FUZZ) fuzz-bins
	@FUZZ_SECONDS=$(SECONDS) tests/support/run_fuzz.sh build/fuzz

image-test: deps-image ## Build the container image and run what is in it
	@tests/image/image_test.sh

install-deps: deps-build+test+check+fuzz+demo+image+valgrind ## Install what all targets need
	@tests/check/deps.sh conformance || echo "make conformance will go without Ceph"
	@$(PYTHON_READY)

clean: ## Remove all that was built
	rm -rf build

.PHONY: unit-asan unit-tsan integration-asan integration-tsan crash nth nth-bins soak valgrind
# deps-GROUP+GROUP: one call, for two apt-get at once would lock each other out.
deps-%: force
	@tests/check/deps.sh $(subst +, ,$*)
.PHONY: force
force:

# ---- what is built from what -------------------------------------------------------------------------------------
MODULES := base media aws sql http work handlers
SRC_base := $(wildcard server/base/*.c)
SRC_media := $(wildcard server/media/*.c)
SRC_aws := $(wildcard aws/*.c)
SRC_sql := $(wildcard sql/*.c)
SRC_http := $(wildcard server/http/*.c)
SRC_work := $(wildcard server/work/*.c)
SRC_handlers := $(wildcard handlers/*.c)
SRC_server := $(wildcard server/*.c)

# Files that the build turns into C.
GEN_sql := $(GEN)/sql_files.o
GEN_work := $(GEN)/models_file.o
GEN_handlers := $(GEN)/openapi_files.o
GEN_HEADERS := $(patsubst %.o,%.h,$(GEN_sql) $(GEN_work) $(GEN_handlers))

# The folders themselves are named too: a deleted file is a change.
$(GEN)/sql_files.c: sql/embed.sh $(wildcard sql/queries sql/migrations sql/queries/*.sql sql/migrations/*.sql)
	@sql/embed.sh $(GEN)
$(GEN)/models_file.c: server/embed.sh server/work/models.json
	@server/embed.sh $(GEN)/models_file models_json=server/work/models.json
$(GEN)/openapi.json: server/http/openapi_json.py openapi.yaml
	@mkdir -p $(@D)
	@PATH="/usr/bin:$$PATH" python3 server/http/openapi_json.py openapi.yaml $@
$(GEN)/openapi_files.c: server/embed.sh openapi.yaml $(GEN)/openapi.json
	@server/embed.sh $(GEN)/openapi_files openapi_yaml=openapi.yaml openapi_json=$(GEN)/openapi.json
$(GEN)/%.h: $(GEN)/%.c ;
$(GEN)/%.o: $(GEN)/%.c
	$(call say,CC $<)
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

# A first compilation needs these before gcc has told which file includes what.
USES_GEN := $(SRC_sql) $(SRC_work) $(SRC_handlers) $(SRC_server) $(wildcard tests/*/*.c tests/*/*/*.c)
$(USES_GEN:%.c=$(BUILD)/obj/%.o): | $(GEN_HEADERS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

define module_rule
$$(BUILD)/lib$(1).a: $$(SRC_$(1):%.c=$$(BUILD)/obj/%.o) $$(GEN_$(1))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$(m))))

LIBS_TOP := $(foreach m,handlers http work sql aws media base,$(BUILD)/lib$(m).a)
$(BUILD)/bin/vidbatchd: $(SRC_server:%.c=$(BUILD)/obj/%.o) $(LIBS_TOP)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@

# The stand-in for AWS brings its own rule for $(BUILD)/bin/vidbatch-emulator.
-include tests/emulator/emulator.mk
-include tests/sabotage/sabotage.mk
-include tests/conformance/conformance.mk
-include tests/bench/bench.mk

# ---- unit tests: tests/unit/<module>/<name>_test.c links that module and what lies below it ------------------------
NEEDS_base := base
NEEDS_media := media base
NEEDS_aws := aws base
NEEDS_sql := sql base
NEEDS_http := http base
NEEDS_work := work sql aws media base
NEEDS_handlers := handlers http work sql aws media base
TEST_SUPPORT := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/support/*.c))
define unit_rule
$$(BUILD)/unit/$(1)/%: $$(BUILD)/obj/tests/unit/$(1)/%.o $$(TEST_SUPPORT) $$(foreach n,$$(NEEDS_$(1)),$$(BUILD)/lib$$(n).a)
	@mkdir -p $$(@D)
	$$(call say,LD $$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $$^ $$(LIBS_ALL) -o $$@
endef
$(foreach m,$(MODULES),$(eval $(call unit_rule,$(m))))
# Those of the stores want a real PostgreSQL, which VIDBATCH_TEST_DATABASE_URL names.
$(BUILD)/integration/sql/%_test: $(addprefix $(BUILD)/,obj/tests/integration/sql/%_test.o \
                                 obj/tests/integration/sql/testdb.o obj/tests/support/test.o libsql.a libbase.a)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@
# Steps with a real PostgreSQL and a scripted AWS; what handlers share, with a real PostgreSQL.
define above_sql_rule
$$(BUILD)/integration/$(1)/%_test: $$(addprefix $$(BUILD)/,obj/tests/integration/$(1)/%_test.o obj/tests/integration/sql/testdb.o) \
                                   $$(TEST_SUPPORT) $$(NEEDS_$(1):%=$$(BUILD)/lib%.a)
	@mkdir -p $$(@D)
	$$(call say,LD $$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $$^ $$(LIBS_ALL) -o $$@
endef
$(foreach m,work handlers,$(eval $(call above_sql_rule,$(m))))
C_TESTS := $(patsubst tests/%.c,%,$(wildcard tests/unit/*/*_test.c tests/integration/*/*_test.c))
# Code without threads has nothing that ThreadSanitizer could find, and is slow under it (millions of keys in s3_list_many).
THREADED := $(filter-out unit/aws/s3_list_many%,$(filter unit/http/% unit/aws/client% unit/aws/credentials% unit/aws/creds_process% unit/aws/s3_% unit/base/log% unit/work/aside% integration/sql/% integration/work/scan% integration/handlers/%,$(C_TESTS)))
.PHONY: unit-bins fuzz-bins all-objects
unit-bins: $(C_TESTS:%=$(BUILD)/%)

# ---- fuzz targets: tests/fuzz/<name>_fuzz.c, with libFuzzer ------------------------------------------------------------
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIBS_TOP)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -Wl,--start-group $^ -Wl,--end-group $(LIBS_ALL) -o $@
fuzz-bins: $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

# Every source file compiled, nothing linked: what `make check` asks of the second compiler.
ALL_C := $(foreach m,$(MODULES),$(SRC_$(m))) $(SRC_server) $(wildcard tests/*/*.c tests/*/*/*.c)
all-objects: $(ALL_C:%.c=$(BUILD)/obj/%.o) $(GEN_sql) $(GEN_work) $(GEN_handlers)

.PHONY: gen-headers print-flags
gen-headers: $(GEN_HEADERS)
# For the checks: what a file is compiled with.
print-flags:
	@echo $(filter-out -MMD -MP,$(CFLAGS_ALL))

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
